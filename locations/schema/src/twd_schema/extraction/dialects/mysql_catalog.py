"""SQLAlchemy's bulk reflection of MySQL and MariaDB from their information_schema.

SQLAlchemy's own asks once for each table and takes the answer apart line by line: it loses names
with a line break or a backtick, and the spelling of types. Here a fixed number of statements reads
the whole database; a table's own statement is asked for only where the catalog hides something
from a role that may only SELECT.

Each method answers for all objects of the database, whatever it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from pymysql.cursors import Cursor
from sqlalchemy.dialects.mysql.pymysql import MySQLDialect_pymysql
from sqlalchemy.engine import reflection
from sqlalchemy.engine.interfaces import (
    ReflectedCheckConstraint,
    ReflectedColumn,
    ReflectedForeignKeyConstraint,
    ReflectedIndex,
    ReflectedPrimaryKeyConstraint,
    ReflectedTableComment,
    ReflectedUniqueConstraint,
)
from sqlalchemy.exc import DBAPIError

from twd_schema.extraction.dialects.create_table import DeclaredTable, declared_table
from twd_schema.extraction.dialects.dialect import ReadingOvertaken, Spelled
from twd_schema.extraction.dialects.mysql_grants import granted_tables

Row = Mapping[str, Any]
_Facts = TypeVar("_Facts")
_Answer = Generator[tuple[tuple[str | None, str], _Facts], Any, None]

_CHECKS_SINCE = (8, 0, 16)
_ROLES_SINCE = (8, 0)
_WAITED_TOO_LONG = 1205
# MariaDB's information_schema holds three bytes a character: of a longer one this is left.
_LOST = "????"
_LOST_OR_LONG = re.compile(r"[\U00010000-\U0010ffff]|\?{4}")
_ON_UPDATE = re.compile(r"on update (\w+(?:\(\d*\))?)")


def quoted(name: str) -> str:
    """`name` as an identifier, always in backticks."""
    return "`" + name.replace("`", "``") + "`"


class MySQLCatalog(MySQLDialect_pymysql):
    """Answers `Inspector.get_multi_*` of the current database."""

    supports_statement_cache = True

    def rows(self, connection: sa.Connection, statement: str) -> list[Row]:
        """The rows by column name in small letters; `:database` stands for the database's name.

        Raises ReadingOvertaken if a table is missing in them because somebody had it locked.
        """
        # As a value: the server looks into this database alone only if it need not compute it.
        values = {"database": self.default_schema_name} if ":database" in statement else {}
        result = connection.execute(sa.text(statement), values)
        is_warned = cast("Cursor", result.cursor).warning_count > 0
        found = _rows(result)
        # MariaDB opens each table for its information_schema, and leaves out what it cannot open.
        if is_warned and any(
            row["code"] == _WAITED_TOO_LONG for row in self.rows_of(connection, "show warnings")
        ):
            raise ReadingOvertaken
        return found

    def rows_of(self, connection: sa.Connection, statement: str) -> list[Row]:
        """The rows of a statement with hostile names in it, sent exactly as it is."""
        return _rows(
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
        )

    @property
    def tells_checks(self) -> bool:
        """Whether this server keeps check constraints and lists them."""
        return self.is_mariadb or (self.server_version_info or ()) >= _CHECKS_SINCE

    @reflection.cache
    def tables(self, connection: sa.Connection, **_: Any) -> list[Row]:
        """Tables, views and sequences."""
        return self.rows(
            connection, "select * from information_schema.tables where table_schema = :database"
        )

    @reflection.cache
    def granted(self, connection: sa.Connection, **_: Any) -> tuple[tuple[str, str], ...] | None:
        """The tables that the role was granted with all columns; None if it sees all."""
        statement = "show grants"
        if not self.is_mariadb and (self.server_version_info or ()) >= _ROLES_SINCE:
            roles = connection.exec_driver_sql("select current_role()").scalar_one()
            if roles != "NONE":
                statement += f" for current_user() using {roles}"
        lines = connection.exec_driver_sql(statement).scalars().all()
        return granted_tables(lines, self.default_schema_name or "")

    @reflection.cache
    def columns(self, connection: sa.Connection, **_: Any) -> dict[str, list[Row]]:
        """The columns by table, in their order, as far as the role may see them."""
        rows = self.rows(
            connection,
            "select * from information_schema.columns where table_schema = :database",
        )
        return {
            table: sorted(found, key=itemgetter("ordinal_position"))
            for table, found in _grouped(rows, "table_name")
        }

    def get_multi_columns(
        self, connection: sa.Connection, **kw: Any
    ) -> _Answer[list[ReflectedColumn]]:
        """Columns, with their types as the server spells them."""
        cache = kw.get("info_cache")
        columns = self.columns(connection, info_cache=cache)
        for table in self.tables(connection, info_cache=cache):
            name = table["table_name"]
            yield (
                (None, name),
                [self._column(connection, row, table, cache) for row in columns.get(name, ())],
            )

    def _column(
        self, connection: sa.Connection, row: Row, table: Row, cache: Any
    ) -> ReflectedColumn:
        # A view has no collation that its columns' could differ from, and no defaults of its own.
        is_view = table["table_type"] == "VIEW"
        differs = not is_view and row["collation_name"] != table["table_collation"]
        column: ReflectedColumn = {
            "name": row["column_name"],
            "type": Spelled(row["column_type"], row["collation_name"] if differs else None),
            "nullable": row["is_nullable"] == "YES",
            "default": None if is_view else self._default(row),
            "comment": _comment(row["column_comment"]),
        }
        extra = row["extra"].upper()
        if "AUTO_INCREMENT" in extra:
            column["autoincrement"] = True
        if "INVISIBLE" in extra:
            column["dialect_options"] = {"invisible": True}
        if generated := row["generation_expression"]:
            if self._is_short(generated):
                declared = self._declared(connection, table["table_name"], info_cache=cache)
                known = declared.columns.get(row["column_name"])
                generated = _restored(generated, (known and known.generated) or "")
            column["computed"] = {
                "sqltext": self._expression(generated),
                "persisted": "VIRTUAL" not in extra,
            }
        return column

    def _default(self, row: Row) -> str | None:
        written: str | None = row["column_default"]
        extra: str = row["extra"]
        if row["generation_expression"]:
            return None
        if self.is_mariadb:
            # An expression as it was written; a literal is quoted, NULL is a word.
            written = None if written == "NULL" else written
        elif written is not None and "DEFAULT_GENERATED" in extra:
            is_time = written.upper().startswith("CURRENT_TIMESTAMP")
            written = written if is_time else f"({self._expression(written)})"
        elif written is not None and not written.startswith(("b'", "0x")):
            written = literal(written)
        # What else is said of the column may follow: that it is invisible.
        on_update = _ON_UPDATE.search(extra)
        return f"{written or 'NULL'} ON UPDATE {on_update[1]}" if on_update else written

    def _expression(self, text: str) -> str:
        # MySQL alone escapes quotes in its information_schema once more.
        return text if self.is_mariadb else text.replace("\\'", "'")

    @reflection.cache
    def _index_parts(self, connection: sa.Connection, **_: Any) -> list[list[Row]]:
        rows = self.rows(
            connection,
            "select * from information_schema.statistics where table_schema = :database",
        )
        return [
            sorted(parts, key=itemgetter("seq_in_index"))
            for _, of_table in _grouped(rows, "table_name")
            for _, parts in _grouped(of_table, "index_name")
        ]

    def get_multi_pk_constraint(
        self, connection: sa.Connection, **kw: Any
    ) -> _Answer[ReflectedPrimaryKeyConstraint]:
        """Primary keys; they have no name of their own."""
        for parts in self._index_parts(connection, info_cache=kw.get("info_cache")):
            if parts[0]["index_name"] == "PRIMARY":
                key: ReflectedPrimaryKeyConstraint = {
                    "name": None,
                    "constrained_columns": [row["column_name"] for row in parts],
                }
                if any(row["sub_part"] for row in parts):
                    listed = ", ".join(self._index_part(row, False) for row in parts)
                    key["dialect_options"] = {"definition": f"PRIMARY KEY ({listed})"}
                yield (None, parts[0]["table_name"]), key

    def get_multi_unique_constraints(
        self, connection: sa.Connection, **kw: Any
    ) -> _Answer[list[ReflectedUniqueConstraint]]:
        """Unique keys that are nothing but their columns."""
        found: dict[str, list[ReflectedUniqueConstraint]] = {}
        for parts in self._index_parts(connection, info_cache=kw.get("info_cache")):
            if _is_constraint(parts):
                found.setdefault(parts[0]["table_name"], []).append(
                    {
                        "name": parts[0]["index_name"],
                        "column_names": [row["column_name"] for row in parts],
                    }
                )
        for table, keys in found.items():
            yield (None, table), keys

    def get_multi_indexes(
        self, connection: sa.Connection, **kw: Any
    ) -> _Answer[list[ReflectedIndex]]:
        """Indexes that are neither of these, with the statement that makes them."""
        found: dict[str, list[ReflectedIndex]] = {}
        for parts in self._index_parts(connection, info_cache=kw.get("info_cache")):
            if parts[0]["index_name"] != "PRIMARY" and not _is_constraint(parts):
                found.setdefault(parts[0]["table_name"], []).append(self._index(parts))
        for table, indexes in found.items():
            yield (None, table), indexes

    def _index(self, parts: list[Row]) -> ReflectedIndex:
        first = parts[0]
        comment: str | None = _comment(first.get("index_comment"))
        unique = not int(first["non_unique"])
        special = first["index_type"] in ("FULLTEXT", "SPATIAL")
        words = ["CREATE"]
        if unique:
            words.append("UNIQUE")
        if special:
            words.append(first["index_type"])
        words += ["INDEX", quoted(first["index_name"])]
        if not special and first["index_type"] != "BTREE":
            words += ["USING", first["index_type"]]
        listed = ", ".join(self._index_part(row, special) for row in parts)
        words += ["ON", f"{quoted(first['table_schema'])}.{quoted(first['table_name'])}"]
        words.append(f"({listed})")
        if comment:
            words += ["COMMENT", literal(comment)]
        if first.get("ignored") == "YES":
            words.append("IGNORED")
        if first.get("is_visible") == "NO":
            words.append("INVISIBLE")
        return {
            "name": first["index_name"],
            "column_names": [row["column_name"] for row in parts],
            "expressions": [
                row["column_name"] or self._expression(row["expression"]) for row in parts
            ],
            "unique": unique,
            "dialect_options": {"definition": " ".join(words), "comment": comment},
        }

    def _index_part(self, row: Row, special: bool) -> str:
        if row["column_name"] is None:
            part = f"({self._expression(row['expression'])})"
        else:
            part = quoted(row["column_name"])
            if row["sub_part"] and not special:
                part += f"({row['sub_part']})"
        return part + (" DESC" if row["collation"] == "D" else "")

    def get_multi_foreign_keys(
        self, connection: sa.Connection, **kw: Any
    ) -> _Answer[list[ReflectedForeignKeyConstraint]]:
        """Foreign keys, with the schema of what they refer to."""
        parts = self.rows(
            connection,
            "select * from information_schema.key_column_usage"
            " where table_schema = :database and referenced_table_name is not null",
        )
        rules = {
            (row["table_name"], row["constraint_name"]): row
            for row in self.rows(
                connection,
                "select * from information_schema.referential_constraints"
                " where constraint_schema = :database",
            )
        }
        cache = kw.get("info_cache")
        for table, rows in _grouped(parts, "table_name"):
            keys: list[ReflectedForeignKeyConstraint] = []
            for name, columns in _grouped(rows, "constraint_name"):
                listed = sorted(columns, key=itemgetter("ordinal_position"))
                rule = rules.get((table, name)) or self._declared_rule(
                    connection, table, name, cache
                )
                keys.append(
                    {
                        "name": name,
                        "constrained_columns": [row["column_name"] for row in listed],
                        "referred_schema": listed[0]["referenced_table_schema"],
                        "referred_table": listed[0]["referenced_table_name"],
                        "referred_columns": [row["referenced_column_name"] for row in listed],
                        "options": {
                            "onupdate": _action(rule["update_rule"]),
                            "ondelete": _action(rule["delete_rule"]),
                        },
                    }
                )
            yield (None, table), keys

    def _declared_rule(self, connection: sa.Connection, table: str, name: str, cache: Any) -> Row:
        # MariaDB hides these rows from a role that may only SELECT, and shows it the statement.
        declared = self._declared(connection, table, info_cache=cache)
        key = next((item for item in declared.foreign_keys if item.name == name), None)
        return {
            "update_rule": key and key.on_update,
            "delete_rule": key and key.on_delete,
        }

    @reflection.cache
    def _declared(self, connection: sa.Connection, table: str, **_: Any) -> DeclaredTable:
        return declared_table(self._shown(connection, "table", table), backslashes=True)

    def _shown(self, connection: sa.Connection, kind: str, name: str) -> str:
        """The statement that makes a table or view, or '' if it is not to be had."""
        try:
            [shown] = self.rows_of(connection, f"show create {kind} {quoted(name)}")
        except DBAPIError as error:
            # 1142 and 1146: not allowed after all, or dropped in between.
            if error.orig and error.orig.args and error.orig.args[0] in (1142, 1146):
                return ""
            raise
        return shown.get(f"create {kind}") or ""

    def queries(self, connection: sa.Connection) -> list[Row]:
        """Views with their queries, or '' where the role may not see one."""
        found = self.rows(
            connection, "select * from information_schema.views where table_schema = :database"
        )
        return [
            {
                **row,
                "view_definition": _restored(
                    row["view_definition"], self._shown(connection, "view", row["table_name"])
                ),
            }
            if self._is_short(row["view_definition"])
            else row
            for row in found
        ]

    def _is_short(self, text: str) -> bool:
        return self.is_mariadb and _LOST in text

    def get_multi_check_constraints(
        self, connection: sa.Connection, **kw: Any
    ) -> _Answer[list[ReflectedCheckConstraint]]:
        """Check constraints; one in a column's line has the column's name."""
        found: dict[str, list[ReflectedCheckConstraint]] = {}
        for table, name, condition in self._checks(connection, kw.get("info_cache")):
            found.setdefault(table, []).append({"name": name, "sqltext": condition})
        for table, checks in found.items():
            yield (None, table), checks

    def _checks(self, connection: sa.Connection, cache: Any) -> Iterator[tuple[str, str, str]]:
        if not self.tells_checks:
            return
        if self.is_mariadb and self.granted(connection, info_cache=cache) is not None:
            # MariaDB lists them only to who was granted the whole database.
            columns = self.columns(connection, info_cache=cache)
            for row in self.tables(connection, info_cache=cache):
                table = row["table_name"]
                # The statement of one that cannot be opened would be an error.
                if row["table_type"] in ("BASE TABLE", "SYSTEM VERSIONED") and table in columns:
                    for check in self._declared(connection, table, info_cache=cache).checks:
                        yield table, check.name or check.column or "", check.condition
            return
        statement = (
            "select * from information_schema.check_constraints where constraint_schema = :database"
            if self.is_mariadb
            else "select table_name, constraint_name, check_clause, enforced"
            " from information_schema.check_constraints"
            " join information_schema.table_constraints"
            " using (constraint_schema, constraint_name)"
            " where constraint_schema = :database and constraint_type = 'CHECK'"
        )
        for row in self.rows(connection, statement):
            # One that is not enforced says nothing about the data.
            if row.get("enforced") != "NO":
                table, name = row["table_name"], row["constraint_name"]
                condition = self._expression(row["check_clause"])
                if self._is_short(condition):
                    declared = self._declared(connection, table, info_cache=cache)
                    known = [c.condition for c in declared.checks if (c.name or c.column) == name]
                    condition = _restored(condition, "".join(known[:1]))
                yield table, name, condition

    def get_multi_table_comment(
        self, connection: sa.Connection, **kw: Any
    ) -> _Answer[ReflectedTableComment]:
        """Comments of tables; what stands in that place for a view is the server's own word."""
        for row in self.tables(connection, info_cache=kw.get("info_cache")):
            if row["table_type"] != "VIEW":
                yield (None, row["table_name"]), {"text": _comment(row["table_comment"])}


def _rows(result: sa.CursorResult[Any]) -> list[Row]:
    # Servers differ in the case of these names.
    return [{name.lower(): value for name, value in row.items()} for row in result.mappings()]


def _grouped(rows: Iterable[Row], column: str) -> Iterator[tuple[str, list[Row]]]:
    # Sorted here: for the server, names that differ only in case or accents are the same.
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(row[column], []).append(row)
    return iter(sorted(by_name.items(), key=itemgetter(0)))


def _restored(short: str, shown: str) -> str:
    """The text with the characters that it has lost, as they come in the statement `shown`."""
    there = iter(_LOST_OR_LONG.findall(shown))
    return _LOST_OR_LONG.sub(lambda found: next(there, found[0]), short)


def _comment(written: str | None) -> str | None:
    # It may hold a NUL, which PostgreSQL, where snapshots are stored, takes in no text.
    return (written or "").replace("\0", "\ufffd") or None


def _action(written: str | None) -> str:
    # Two words for the same here, of which each server writes another one where none was said.
    return "NO ACTION" if written in (None, "RESTRICT") else written


def _is_constraint(parts: list[Row]) -> bool:
    return all(
        row["index_name"] != "PRIMARY"
        and not int(row["non_unique"])
        and row["index_type"] == "BTREE"
        and row["column_name"] is not None
        and not row["sub_part"]
        and row["collation"] == "A"
        and not row.get("index_comment")
        and row.get("ignored") != "YES"
        and row.get("is_visible") != "NO"
        for row in parts
    )


def literal(text: str) -> str:
    """`text` as a string literal, with backslashes as escapes."""
    escaped = text.replace("\\", "\\\\").replace("'", "''").replace("\0", "\\0")
    return f"'{escaped}'"
