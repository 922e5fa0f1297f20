"""CREATE statements for the objects of a snapshot, as one string a table.

Names are always quoted where the dialect needs it. Only what the snapshot knows is written.
"""

from __future__ import annotations

import re

from twd_shared.schema_model.models import Column, ForeignKey, Key, Table

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z")
# Reserved in PostgreSQL 18 (table C.1 of its manual) or in SQL:2023; quoting one more is harmless.
_RESERVED = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization between binary both by
    case cast check collate collation column concurrently constraint create cross
    current_catalog current_date current_role current_schema current_time current_timestamp
    current_user default deferrable desc distinct do else end except false fetch for foreign
    freeze from full grant group having ilike in index initially inner insert intersect into
    is isnull join key lateral leading left like limit localtime localtimestamp natural not
    notnull null offset on only or order outer overlaps placing primary range references
    returning right rows select session_user set similar some symmetric system_user table
    tablesample then to trailing true union unique update user using values variadic verbose
    view when where window with
    """.split()
)


def quote_name(name: str, dialect: str = "postgresql") -> str:
    """`name` as an identifier of `dialect`, quoted unless it is plain and not reserved."""
    if _PLAIN_NAME.match(name) and name not in _RESERVED:
        return name
    mark = "`" if dialect == "mysql" else '"'
    return mark + name.replace(mark, mark * 2) + mark


def table_ddl(table: Table, dialect: str = "postgresql") -> str:
    """Statements that create `table` and its indexes and comments, ended by semicolons."""
    if table.kind in ("view", "materialized_view"):
        statements = [_view_statement(table, dialect)]
    else:
        statements = [_table_statement(table, dialect)]
    statements += [index.definition for index in table.indexes if index.definition]
    if dialect == "postgresql":
        statements += _comment_statements(table)
    return ";\n".join(statements) + ";"


def _table_statement(table: Table, dialect: str) -> str:
    lines = [_column_line(column, dialect) for column in table.columns]
    if table.primary_key:
        lines.append(_key_line(table.primary_key, "PRIMARY KEY", dialect))
    lines += [_key_line(key, "UNIQUE", dialect) for key in table.unique_constraints]
    lines += [
        f"CONSTRAINT {quote_name(item.name, dialect)} {item.definition}"
        for item in table.constraints
    ]
    lines += [_foreign_key_line(key, dialect) for key in table.foreign_keys]
    kind = "FOREIGN TABLE" if table.kind == "foreign_table" else "TABLE"
    body = ",\n".join(f"    {line}" for line in lines)
    partitioning = f"\nPARTITION BY {table.partition_key}" if table.partition_key else ""
    return f"CREATE {kind} {_qualified(table, dialect)} (\n{body}\n){partitioning}"


def _view_statement(table: Table, dialect: str) -> str:
    kind = "MATERIALIZED VIEW" if table.kind == "materialized_view" else "VIEW"
    columns = ", ".join(quote_name(column.name, dialect) for column in table.columns)
    query = (table.definition or "").strip().rstrip(";")
    return f"CREATE {kind} {_qualified(table, dialect)} ({columns}) AS\n{query}"


def _column_line(column: Column, dialect: str) -> str:
    parts = [quote_name(column.name, dialect), column.type]
    if column.collation:
        parts.append(f"COLLATE {column.collation}")
    if column.generated is not None:
        how = "VIRTUAL" if column.virtual else "STORED"
        parts.append(f"GENERATED ALWAYS AS ({column.generated}) {how}")
    elif column.identity and dialect == "mysql":
        parts.append("AUTO_INCREMENT")
    elif column.identity:
        parts.append(f"GENERATED {column.identity.upper()} AS IDENTITY")
    elif column.default is not None:
        parts.append(f"DEFAULT {column.default}")
    if not column.nullable:
        parts.append("NOT NULL")
    return " ".join(parts)


def _key_line(key: Key, kind: str, dialect: str) -> str:
    return _constraint_name(key.name, dialect) + f"{kind} ({_names(key.columns, dialect)})"


def _foreign_key_line(key: ForeignKey, dialect: str) -> str:
    target = f"{quote_name(key.referenced_schema, dialect)}." if key.referenced_schema else ""
    target += quote_name(key.referenced_table, dialect)
    line = (
        _constraint_name(key.name, dialect)
        + f"FOREIGN KEY ({_names(key.columns, dialect)}) REFERENCES {target}"
        + (f" ({_names(key.referenced_columns, dialect)})" if key.referenced_columns else "")
    )
    for event, action in (("UPDATE", key.on_update), ("DELETE", key.on_delete)):
        if action != "NO ACTION":
            line += f" ON {event} {action}"
    if key.deferrable:
        line += " DEFERRABLE" + (" INITIALLY DEFERRED" if key.initially_deferred else "")
    return line


def _comment_statements(table: Table) -> list[str]:
    name = _qualified(table, "postgresql")
    kind = {
        "view": "VIEW",
        "materialized_view": "MATERIALIZED VIEW",
        "foreign_table": "FOREIGN TABLE",
    }.get(table.kind, "TABLE")
    statements = [f"COMMENT ON {kind} {name} IS {_literal(table.comment)}"] if table.comment else []
    statements += [
        f"COMMENT ON COLUMN {name}.{quote_name(column.name)} IS {_literal(column.comment)}"
        for column in table.columns
        if column.comment
    ]
    return statements


def _constraint_name(name: str | None, dialect: str) -> str:
    return f"CONSTRAINT {quote_name(name, dialect)} " if name else ""


def _qualified(table: Table, dialect: str) -> str:
    name = quote_name(table.name, dialect)
    return f"{quote_name(table.schema, dialect)}.{name}" if table.schema else name


def _names(names: tuple[str, ...], dialect: str) -> str:
    return ", ".join(quote_name(name, dialect) for name in names)


def _literal(text: str) -> str:
    quoted = "'" + text.replace("'", "''") + "'"
    return f"E{quoted.replace(chr(92), chr(92) * 2)}" if "\\" in text else quoted
