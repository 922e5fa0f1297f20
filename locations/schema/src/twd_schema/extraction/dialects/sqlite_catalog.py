"""SQLAlchemy's bulk reflection of SQLite from its pragmas and the text of its statements.

SQLAlchemy's own asks for each table and matches patterns on that text: it loses expressions, types
and names that it does not expect. Here one statement reads a kind of fact of all tables, and the
text is taken apart by its tokens.

Each method answers for all objects of the file, whatever it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import reflection
from sqlalchemy.engine.interfaces import (
    ReflectedCheckConstraint,
    ReflectedColumn,
    ReflectedForeignKeyConstraint,
    ReflectedIndex,
    ReflectedPrimaryKeyConstraint,
    ReflectedUniqueConstraint,
)
from sqlalchemy.exc import OperationalError

from twd_schema.extraction.dialects.create_table import (
    DeclaredColumn,
    DeclaredForeignKey,
    DeclaredKey,
    DeclaredTable,
    declared_table,
)
from twd_schema.extraction.dialects.dialect import Spelled
from twd_schema.extraction.dialects.sql_text import enclosable, items, tokens
from twd_shared.schema_model.ddl.constraints import ON_CONFLICT
from twd_shared.schema_model.ddl.names import quote_names, unquoted

SCHEMA = "main"

_Facts = TypeVar("_Facts")
_Answer = Generator[tuple[tuple[str | None, str], _Facts], Any, None]

# Anything else is an expression, which stands in parentheses.
_SIMPLE_DEFAULT = re.compile(
    r"""[+-]?\s*(?:\w+|\d*\.?\d*(?:e[+-]?\d+)?)|x?'(?:[^']|'')*'|"(?:[^"]|"")*\"|\[[^\]]*\]"""
    r"|`(?:[^`]|``)*`",
    re.IGNORECASE,
)
_COUNT = re.compile(r"[0-9]{1,18}")
# `hidden` of pragma table_xinfo
_OF_VIRTUAL_TABLE, _VIRTUAL, _STORED = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, virtual table or view, and its statement."""

    name: str
    type: str
    sql: str
    without_rowid: bool
    strict: bool


class SQLiteCatalog(SQLiteDialect_pysqlite):
    """Answers `Inspector.get_multi_*` of the file."""

    supports_statement_cache = True

    @reflection.cache
    def relations(self, connection: sa.Connection, **_: Any) -> list[Relation]:
        """What can be asked; a virtual table's inner tables belong to it."""
        rows = connection.exec_driver_sql(
            "select l.name, l.type, s.sql, l.wr, l.strict from pragma_table_list() l"
            " join main.sqlite_schema s on s.name = l.name and s.type in ('table', 'view')"
            " where l.schema = 'main' and l.type <> 'shadow' and substr(l.name, 1, 7) <> 'sqlite_'"
        )
        return [Relation(*row) for row in rows]

    def row_estimates(self, connection: sa.Connection) -> dict[str, int]:
        """Rows by table, as the last ANALYZE counted them; without one, nothing."""
        if not connection.exec_driver_sql(
            "select count(*) from main.sqlite_schema where name = 'sqlite_stat1'"
        ).scalar_one():
            return {}
        rows = connection.exec_driver_sql(
            "select tbl, stat from main.sqlite_stat1 where typeof(tbl) = 'text'"
        )
        # The first number is the count of the index's, or the table's, rows.
        counts = ((table, str(stat).partition(" ")[0]) for table, stat in rows)
        # Anybody can write there: only what a bigint holds is a count.
        known = ((table, int(first)) for table, first in counts if _COUNT.fullmatch(first))
        # An index may be partial: the largest count is the table's.
        return dict(sorted(known))

    @reflection.cache
    def _declared(self, connection: sa.Connection, **kw: Any) -> dict[str, DeclaredTable]:
        relations = self.relations(connection, info_cache=kw.get("info_cache"))
        return {item.name: declared_table(item.sql) for item in relations if item.type == "table"}

    def _of_tables(self, connection: sa.Connection, columns: str, pragma: str) -> Iterator[Any]:
        return iter(
            connection.exec_driver_sql(
                f"select s.name, {columns}"  # noqa: S608, constants alone
                f" from main.sqlite_schema s, pragma_{pragma}(s.name, 'main') p"
                " where s.type = 'table' and s.sql not like 'create virtual%'"
            )
        )

    @reflection.cache
    def _column_rows(self, connection: sa.Connection, **kw: Any) -> dict[str, list[Any]]:
        listed = 'p.name, p.type, p."notnull", p.dflt_value, p.pk, p.hidden'
        found: dict[str, list[Any]] = {}
        for table, *column in self._of_tables(connection, listed, "table_xinfo"):
            found.setdefault(table, []).append(column)
        for relation in self.relations(connection, info_cache=kw.get("info_cache")):
            if relation.name not in found:
                found[relation.name] = self._alone(connection, listed, relation.name)
        return found

    def _alone(self, connection: sa.Connection, columns: str, name: str) -> list[Any]:
        # A view of a table that is gone, or a virtual table of a module that is not here, fails,
        # and would fail all others with it.
        try:
            return list(
                connection.exec_driver_sql(
                    f"select {columns} from pragma_table_xinfo(?, 'main') p",  # noqa: S608, constants alone
                    (name,),
                )
            )
        except OperationalError:
            return []

    def get_multi_columns(
        self, connection: sa.Connection, **kw: Any
    ) -> _Answer[list[ReflectedColumn]]:
        """Columns, with their types as they were written."""
        cache = kw.get("info_cache")
        declared = self._declared(connection, info_cache=cache)
        for table, rows in self._column_rows(connection, info_cache=cache).items():
            own = declared.get(table, DeclaredTable()).columns
            yield (
                (None, table),
                [
                    _column(row, own.get(row[0], DeclaredColumn()))
                    for row in rows
                    if row[5] != _OF_VIRTUAL_TABLE
                ],
            )

    def get_multi_pk_constraint(
        self, connection: sa.Connection, **kw: Any
    ) -> _Answer[ReflectedPrimaryKeyConstraint]:
        """Primary keys with the name that was written."""
        declared = self._declared(connection, info_cache=kw.get("info_cache"))
        for table, columns in self._key_columns(connection, kw.get("info_cache")).items():
            if columns and table in declared:
                key = declared[table].primary_key
                yield (
                    (None, table),
                    {
                        "name": key.name,
                        "constrained_columns": columns,
                        "dialect_options": _definition("PRIMARY KEY", columns, key),
                    },
                )

    def _key_columns(self, connection: sa.Connection, cache: Any) -> dict[str, list[str]]:
        return {
            table: [row[0] for row in sorted(rows, key=lambda row: row[4]) if row[4]]
            for table, rows in self._column_rows(connection, info_cache=cache).items()
        }

    @reflection.cache
    def _index_rows(
        self, connection: sa.Connection, **_: Any
    ) -> list[tuple[str, str, bool, str, bool, list[str | None], str | None]]:
        rows = connection.exec_driver_sql(
            'select t.name, l.name, l."unique", l.origin, l.partial, i.sql, p.name'
            " from main.sqlite_schema t, pragma_index_list(t.name, 'main') l,"
            " pragma_index_xinfo(l.name, 'main') p"
            " left join main.sqlite_schema i on i.type = 'index' and i.name = l.name"
            " where t.type = 'table' and t.sql not like 'create virtual%' and p.key"
            " order by t.name, l.name, p.seqno"
        )
        found: dict[tuple[str, str], Any] = {}
        for table, name, unique, origin, partial, sql, column in rows:
            index = found.setdefault(
                (table, name), (table, name, bool(unique), origin, bool(partial), [], sql)
            )
            index[5].append(column)
        return list(found.values())

    def get_multi_unique_constraints(
        self, connection: sa.Connection, **kw: Any
    ) -> _Answer[list[ReflectedUniqueConstraint]]:
        """Unique constraints with the names that were written."""
        cache = kw.get("info_cache")
        declared = self._declared(connection, info_cache=cache)
        found: dict[str, list[ReflectedUniqueConstraint]] = {}
        for table, _, _, origin, _, columns, _ in self._index_rows(connection, info_cache=cache):
            if origin == "u" and table in declared:
                listed = [column or "" for column in columns]
                key = _unique(declared[table], listed)
                found.setdefault(table, []).append(
                    {
                        "name": key.name,
                        "column_names": listed,
                        "dialect_options": _definition("UNIQUE", listed, key),
                    }
                )
        for table, keys in found.items():
            yield (None, table), keys

    def get_multi_indexes(
        self, connection: sa.Connection, **kw: Any
    ) -> _Answer[list[ReflectedIndex]]:
        """Indexes that were created by a statement, with it."""
        found: dict[str, list[ReflectedIndex]] = {}
        cache = kw.get("info_cache")
        for table, name, unique, origin, partial, columns, sql in self._index_rows(
            connection, info_cache=cache
        ):
            if origin == "c" and sql:
                written, where = _index_parts(sql)
                expressions = [
                    column or (written[place] if place < len(written) else "")
                    for place, column in enumerate(columns)
                ]
                options = {"definition": sql, "where": where if partial else None}
                found.setdefault(table, []).append(
                    {
                        "name": name,
                        "column_names": columns,
                        "expressions": expressions,
                        "unique": unique,
                        "dialect_options": options,
                    }
                )
        for table, indexes in found.items():
            yield (None, table), indexes

    def get_multi_foreign_keys(
        self, connection: sa.Connection, **kw: Any
    ) -> _Answer[list[ReflectedForeignKeyConstraint]]:
        """Foreign keys; one that names no columns refers to the other table's primary key.

        What is referred to is told as it is called, in whatever case the reference writes it.
        """
        cache = kw.get("info_cache")
        declared = self._declared(connection, info_cache=cache)
        primary = self._key_columns(connection, cache)
        table_as = {unquoted(name): name for name in primary}
        column_as = {
            name: {unquoted(row[0]): row[0] for row in rows}
            for name, rows in self._column_rows(connection, info_cache=cache).items()
        }
        found: dict[str, dict[int, ReflectedForeignKeyConstraint]] = {}
        rows = self._of_tables(
            connection,
            'p.id, p."table", p."from", p."to", p.on_update, p.on_delete',
            "foreign_key_list",
        )
        for table, number, written, column, to, on_update, on_delete in rows:
            target = _called(table_as, written)
            key = found.setdefault(table, {}).setdefault(
                number,
                {
                    "name": None,
                    "constrained_columns": [],
                    "referred_schema": None,
                    "referred_table": target,
                    "referred_columns": [],
                    "options": {"onupdate": on_update, "ondelete": on_delete},
                },
            )
            key["constrained_columns"].append(column)
            if to is None:
                key["referred_columns"] = primary.get(target, [])
            else:
                key["referred_columns"].append(_called(column_as.get(target, {}), to))
        for table, keys in found.items():
            for key in keys.values():
                if len(key["referred_columns"]) != len(key["constrained_columns"]):
                    # It fails where it is used, but only one that names no columns can be made.
                    key["referred_columns"] = []
            _say_as_declared(keys, declared.get(table, DeclaredTable()).foreign_keys)
            yield (None, table), list(keys.values())

    def get_multi_check_constraints(
        self, connection: sa.Connection, **kw: Any
    ) -> _Answer[list[ReflectedCheckConstraint]]:
        """Check constraints as they were written."""
        declared = self._declared(connection, info_cache=kw.get("info_cache"))
        for table, said in declared.items():
            yield (
                (None, table),
                [{"name": check.name, "sqltext": check.condition} for check in said.checks],
            )


def _column(row: Any, declared: DeclaredColumn) -> ReflectedColumn:
    name, spelling, not_null, default, _, hidden = row
    column: ReflectedColumn = {
        "name": name,
        "type": Spelled(spelling, declared.collation),
        "nullable": not not_null,
        "default": default
        if default is None or _SIMPLE_DEFAULT.fullmatch(default)
        else f"({enclosable(default)})",
    }
    if declared.autoincrement:
        column["autoincrement"] = True
    if hidden in (_VIRTUAL, _STORED):
        # SQLite takes the first words of the clause for the type's last.
        spelling = re.sub(r"\s*\bGENERATED ALWAYS\Z", "", spelling, flags=re.IGNORECASE)
        column["type"] = Spelled(spelling, declared.collation)
        column["computed"] = {
            "sqltext": declared.generated or "",
            "persisted": hidden == _STORED,
        }
    return column


def _unique(declared: DeclaredTable, columns: list[str]) -> DeclaredKey:
    folded = [column.lower() for column in columns]
    return next(
        (key for key in declared.uniques if [item.lower() for item in key.columns] == folded),
        DeclaredKey(),
    )


def _definition(kind: str, columns: list[str], key: DeclaredKey) -> dict[str, str]:
    if not key.conflict:
        return {}
    listed = quote_names(columns, "sqlite")
    return {"definition": f"{kind} ({listed}){ON_CONFLICT}{key.conflict}"}


def _called(names: Mapping[str, str], written: str) -> str:
    """What is called so in another case; letters beyond ASCII are the same in none."""
    return names.get(unquoted(written), written)


def _say_as_declared(
    keys: dict[int, ReflectedForeignKeyConstraint], declared: list[DeclaredForeignKey]
) -> None:
    # SQLite numbers them from the last one that was written to the first.
    if len(keys) != len(declared):
        return
    for number, said in zip(sorted(keys, reverse=True), declared, strict=True):
        key = keys[number]
        key["name"] = said.name
        options = key.setdefault("options", {})
        options["deferrable"] = said.deferrable
        options["initially"] = "DEFERRED" if said.initially_deferred else None


def _index_parts(sql: str) -> tuple[list[str], str | None]:
    """The texts between the parentheses of CREATE INDEX, and its condition."""
    found = tokens(sql)
    body = next(token for token in found if token.kind == "group")
    parts = [body.text[item[0].start : item[-1].end] for item in items(tokens(body.text))]
    where = next((token for token in found if token.keyword == "WHERE"), None)
    return parts, sql[where.end :].strip() if where else None
