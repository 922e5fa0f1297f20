"""The statements of one table: CREATE with everything inside, then its indexes and comments.

Names are always quoted where the dialect needs it. Only what the snapshot knows is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from twd_shared.schema_model.ddl.constraints import (
    ON_CONFLICT,
    foreign_key_definition,
    is_validated,
    key_definition,
    named,
)
from twd_shared.schema_model.ddl.names import (
    comment_on,
    literal,
    qualified,
    quote_name,
    quote_names,
    quote_type,
)
from twd_shared.schema_model.ddl.types import (
    identity_kinds,
    object_statements,
    ownership_statements,
)
from twd_shared.schema_model.models import (
    Column,
    Constraint,
    ForeignKey,
    Index,
    Key,
    Sequence,
    Table,
)

_COMMENTED_KINDS = {
    "view": "VIEW",
    "materialized_view": "MATERIALIZED VIEW",
    "foreign_table": "FOREIGN TABLE",
}

_OF_ROW = ("ROW START", "ROW END")


def table_ddl(table: Table, dialect: str) -> str:
    """The statements of the table as one text for people and models, each ended by a semicolon.

    '' where a view's query is not shown.
    """
    statements = table_statements(table, dialect)
    return ";\n".join(statements) + ";" if statements else ""


def table_statements(
    table: Table, dialect: str = "postgresql", sequences: Iterable[Sequence] = ()
) -> list[str]:
    """Statements that create the table with its keys, indexes and comments, one in each string.

    With the snapshot's `sequences`, those that the table owns are made exactly as they are;
    without, as the server makes them by itself. Its foreign keys are inside: where tables refer to
    each other in a circle, use `schema_script`.
    """
    if table.is_view:
        if table.definition is None:
            # Not shown to the role that reads: better no statement than a wrong one.
            return []
        statements = [view_statement(table, dialect), *view_default_statements(table)]
    else:
        keys = [
            (named(key.name, definition, dialect), is_validated(definition))
            for key in table.foreign_keys
            for definition in (foreign_key_definition(key, dialect),)
        ]
        inside = [key for key, is_valid in keys if is_valid]
        place = (table.schema, table.name)
        own = [
            item
            for item in sequences
            if item.owner and (item.owner.schema, item.owner.table) == place
        ]
        statements = [text for item in own for text in object_statements(item)]
        # A partition gets its parent's identity when it is attached, and may not bring one.
        with_identity = not own and table.partition_of is None
        statements.append(create_statement(table, table.columns, inside, dialect, with_identity))
        if own:
            kinds = identity_kinds([table])
            statements += [text for item in own for text in ownership_statements(item, kinds)]
        later = [*unvalidated_constraints(table), *(key for key, is_valid in keys if not is_valid)]
        statements += [f"ALTER TABLE {_name(table, dialect)} ADD {text}" for text in later]
    statements += [
        index_statement(table, index, dialect)
        for index in table.indexes
        if not _inline_index(table, index, dialect)
    ]
    if dialect == "postgresql":
        statements += attach_statements(table)
        statements += comment_statements(table)
    return statements


def create_statement(
    table: Table,
    columns: tuple[Column, ...],
    foreign_keys: list[str],
    dialect: str,
    with_identity: bool,
) -> str:
    """CREATE TABLE with these columns, the table's keys and validated constraints."""
    # A NOT NULL that has a constraint of its own is written there.
    separate = {
        constraint.definition.removeprefix("NOT NULL ").removesuffix(" NO INHERIT")
        for constraint in table.constraints
        if constraint.definition.startswith("NOT NULL ")
    }
    lines = [
        _column_line(
            column,
            dialect,
            with_identity,
            not (separate and quote_name(column.name) in separate),
            table.primary_key,
        )
        for column in columns
    ]
    if table.primary_key and not _has_inline_key(table, dialect):
        definition = key_definition(table.primary_key, "PRIMARY KEY", dialect)
        lines.append(named(table.primary_key.name, definition, dialect))
    lines += [
        named(key.name, key_definition(key, "UNIQUE", dialect), dialect)
        for key in table.unique_constraints
    ]
    lines += [
        named(item.name, item.definition, dialect)
        for item in table.constraints
        if is_validated(item.definition)
    ]
    if dialect == "mysql":
        lines += _mysql_lines(table)
    lines += foreign_keys
    body = ",\n    ".join(lines)
    return (
        f"CREATE {_kind(table)} {_name(table, dialect)} (\n{'    ' if lines else ''}{body}\n)"
        + "".join(_endings(table, dialect))
    )


def view_statement(table: Table, dialect: str = "postgresql", with_data: bool = True) -> str:
    """CREATE VIEW or CREATE MATERIALIZED VIEW."""
    query = (table.definition or "").strip().rstrip(";")
    # With whose rights MySQL reads it stands in front.
    options = "".join(f"{item} " for item in table.storage) if dialect == "mysql" else ""
    head = f"CREATE {options}{_COMMENTED_KINDS[table.kind]} {_name(table, dialect)}"
    # PostgreSQL's own text of a query names its columns; that of others may not.
    if dialect != "postgresql" and table.columns:
        head += f" ({quote_names((column.name for column in table.columns), dialect)})"
    if table.storage and dialect != "mysql":
        head += f" WITH ({_parameters(table)})"
    return f"{head} AS\n{query}" + ("" if with_data else "\nWITH NO DATA")


def view_default_statements(table: Table) -> list[str]:
    """ALTER VIEW for each column with a default, which an insert through the view gets."""
    name = _name(table, "postgresql")
    return [
        f"ALTER VIEW {name} ALTER COLUMN {quote_name(column.name)} SET DEFAULT {column.default}"
        for column in table.columns
        if column.default is not None
    ]


def index_statement(table: Table, index: Index, dialect: str = "postgresql") -> str:
    """CREATE INDEX: the server's own statement, or one composed of what is known."""
    if index.definition:
        return index.definition
    names = {column.name for column in table.columns}
    columns = [quote_name(item, dialect) if item in names else item for item in index.columns]
    return (
        f"CREATE {'UNIQUE ' if index.unique else ''}INDEX {quote_name(index.name, dialect)} "
        f"ON {_name(table, dialect)} ({', '.join(columns)})"
        + (f" WHERE {index.predicate}" if index.predicate else "")
    )


def unvalidated_constraints(table: Table) -> list[str]:
    """Check and NOT NULL constraints that existing rows need not keep, for ALTER TABLE … ADD."""
    return [
        named(item.name, item.definition)
        for item in table.constraints
        if not is_validated(item.definition)
    ]


def attach_statements(table: Table) -> list[str]:
    """ALTER TABLE that makes a partition part of its parent; none for another table."""
    if table.partition_of is None:
        return []
    parent = qualified(table.partition_of.schema, table.partition_of.table)
    child = qualified(table.schema, table.name)
    return [f"ALTER TABLE ONLY {parent} ATTACH PARTITION {child} {table.partition_of.bound}"]


def comment_statements(table: Table) -> list[str]:
    """COMMENT ON the table, its columns, constraints and indexes, in PostgreSQL's words."""
    name = _name(table, "postgresql")
    comments: list[str] = []
    if table.comment:
        kind = _COMMENTED_KINDS.get(table.kind, "TABLE")
        comments.append(comment_on(f"{kind} {name}", table.comment))
    comments += [
        comment_on(f"COLUMN {name}.{quote_name(column.name)}", column.comment)
        for column in table.columns
        if column.comment
    ]
    if table.primary_key and table.primary_key.comment:
        comments.append(_constraint_comment(name, table.primary_key))
    for constraints in (table.unique_constraints, table.constraints, table.foreign_keys):
        comments += [_constraint_comment(name, item) for item in constraints if item.comment]
    comments += [
        comment_on(f"INDEX {qualified(table.schema, index.name)}", index.comment)
        for index in table.indexes
        if index.comment
    ]
    return comments


def _constraint_comment(table: str, item: Key | ForeignKey | Constraint) -> str:
    return comment_on(f"CONSTRAINT {quote_name(item.name or '')} ON {table}", item.comment or "")


def _kind(table: Table) -> str:
    if table.kind == "foreign_table":
        return "FOREIGN TABLE"
    return "UNLOGGED TABLE" if table.unlogged else "TABLE"


def _endings(table: Table, dialect: str) -> Iterator[str]:
    if dialect == "sqlite":
        # STRICT, WITHOUT ROWID
        yield f" {', '.join(table.storage)}" if table.storage else ""
        return
    if dialect == "mysql":
        # ENGINE=…, COLLATE=…; how it is partitioned is not read as far as CREATE TABLE needs it.
        yield "".join(f" {parameter}" for parameter in table.storage)
        yield f" COMMENT = {literal(table.comment, dialect)}" if table.comment else ""
        return
    if table.inherits:
        parents = ", ".join(qualified(*parent) for parent in table.inherits)
        yield f"\nINHERITS ({parents})"
    if table.partition_key:
        yield f"\nPARTITION BY {table.partition_key}"
    if table.server:
        yield f"\nSERVER {quote_name(table.server[0])}"
    if table.options:
        yield f"\nOPTIONS ({', '.join(table.options)})"
    if table.storage:
        yield f"\nWITH ({_parameters(table)})"


def _mysql_lines(table: Table) -> Iterator[str]:
    """The indexes and the period of a versioned table that CREATE TABLE must hold."""
    for index in table.indexes:
        if line := _inline_index(table, index, "mysql"):
            yield line
    period = {item.generated: item.name for item in table.columns if _is_of_row(item, "mysql")}
    if period:
        listed = quote_names((period[word] for word in _OF_ROW if word in period), "mysql")
        yield f"PERIOD FOR SYSTEM_TIME ({listed})"


def _has_inline_key(table: Table, dialect: str) -> bool:
    """Whether the key stands in its column's line: only there SQLite takes AUTOINCREMENT."""
    return dialect == "sqlite" and any(column.identity for column in table.columns)


def _inline_index(table: Table, index: Index, dialect: str) -> str:
    """The index as a line of CREATE TABLE, if MySQL must have it there: a counting column's key."""
    if dialect != "mysql" or not index.definition:
        return ""
    if not any(column.identity and column.name in index.columns for column in table.columns):
        return ""
    # Its names are always in backticks, so that no name can hold this text.
    marked = (name.replace("`", "``") for name in (table.schema, table.name))
    return index.definition.removeprefix("CREATE ").replace(" ON `{}`.`{}`".format(*marked), "", 1)


def _column_line(
    column: Column, dialect: str, with_identity: bool, with_not_null: bool, key: Key | None
) -> str:
    line = f"{quote_name(column.name, dialect)} {quote_type(column.type, dialect)}"
    if column.options:
        line += f" OPTIONS ({', '.join(column.options)})"
    if column.collation:
        # PostgreSQL's comes quoted, with its schema.
        is_bare = dialect == "sqlite"
        line += f" COLLATE {quote_name(column.collation, dialect) if is_bare else column.collation}"
    if column.generated is not None:
        how = "VIRTUAL" if column.virtual else "STORED"
        is_of_row = _is_of_row(column, dialect)
        value = column.generated if is_of_row else f"({column.generated}) {how}"
        line += f" GENERATED ALWAYS AS {value}"
    elif column.identity and dialect == "mysql":
        line += " AUTO_INCREMENT"
    elif column.identity and dialect == "sqlite":
        _, on_conflict, action = ((key and key.definition) or "").rpartition(ON_CONFLICT)
        definition = f"PRIMARY KEY{on_conflict}{action if on_conflict else ''} AUTOINCREMENT"
        line += f" {named(key and key.name, definition, dialect)}"
    elif column.identity and with_identity:
        line += f" GENERATED {column.identity.upper()} AS IDENTITY"
    elif column.default is not None:
        line += f" DEFAULT {column.default}"
    if with_not_null and not column.nullable and not column.not_null_inherited:
        line += " NOT NULL"
    if column.invisible:
        line += " INVISIBLE"
    if dialect == "mysql" and column.comment:
        line += f" COMMENT {literal(column.comment, dialect)}"
    return line


def _is_of_row(column: Column, dialect: str) -> bool:
    """Whether the column says since or until when MariaDB knew a row of a versioned table."""
    return dialect == "mysql" and column.generated in _OF_ROW


def _parameters(table: Table) -> str:
    pairs = (item.partition("=") for item in table.storage)
    return ", ".join(f"{name}={literal(value)}" for name, _, value in pairs)


def _name(table: Table, dialect: str) -> str:
    return qualified(table.schema, table.name, dialect)
