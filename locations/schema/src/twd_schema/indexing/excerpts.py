"""Parts of a table for the texts of the index: some of its columns with all that concerns them.

A part is a range of columns. Each key, constraint and index is in the part of the last column that
it names, so that over all parts it stands once. What names no column, as the query of a view or
how a table is partitioned, is in the part that starts at `REST`, before the first column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from twd_schema.documentation.cards import column_lines, surroundings
from twd_schema.documentation.facts import TableFacts
from twd_schema.documentation.spelling import Spelling
from twd_shared.schema_model.ddl import table_ddl
from twd_shared.schema_model.lengths import without_comments
from twd_shared.schema_model.models import Table
from twd_shared.schema_model.wording import relationship

REST = -1
"""Where the part of a table starts that belongs to no column."""

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class ToldTable:
    """A table with all that its texts tell of it."""

    table: Table
    facts: TableFacts
    spelling: Spelling
    dialect: str


class TableParts:
    """A table that is told in parts; made once, as finding what belongs where takes a while."""

    def __init__(self, told: ToldTable, longest_comment: int) -> None:
        """Of a comment `longest_comment` characters are told."""
        table, facts = told.table, told.facts
        self._table = table
        self._silent = without_comments(table)
        self._facts = facts
        self._spelling = told.spelling
        self._dialect = told.dialect
        self._longest_comment = longest_comment
        place = {column.name: number for number, column in enumerate(table.columns)}

        def last(columns: Iterable[str]) -> int:
            return max((place.get(name, REST) for name in columns), default=REST)

        self._relationships = [last(key.columns) for key in facts.keys]
        self._foreign_keys = [last(key.columns) for key in table.foreign_keys]
        self._unique = [last(key.columns) for key in table.unique_constraints]
        self._primary = last(table.primary_key.columns) if table.primary_key else REST
        self._indexes = [last(_named(place, *index.columns)) for index in table.indexes]
        self._constraints = [last(_named(place, item.definition)) for item in table.constraints]

    def frame(self) -> str:
        """What stands around the columns and keys of any part."""
        return "Columns:\n\n" + (
            "" if self._table.is_view else table_ddl(self._part(0, 0), self._dialect)
        )

    def text(self, start: int, stop: int) -> str:
        """Sentences and DDL of the columns from `start` to before `stop`."""
        lines: list[str] = []
        columns = self._table.columns[max(start, 0) : stop]
        if columns:
            lines.append("Columns:")
            lines += column_lines(
                self._table, columns, self._facts, self._spelling, self._longest_comment
            )
        keys = _within(self._facts.keys, self._relationships, start, stop)
        lines += [relationship(self._table, key) for key in keys]
        if start == REST:
            lines += surroundings(self._facts)
        ddl = self._ddl(start, stop)
        return "\n".join(lines) + (f"\n\n{ddl}" if ddl else "")

    def _ddl(self, start: int, stop: int) -> str:
        if self._table.is_view:
            # A view's statement is its query: none of it belongs to a column.
            return table_ddl(self._silent, self._dialect) if start == REST else ""
        part = self._part(start, stop)
        return "" if part == self._part(0, 0) else table_ddl(part, self._dialect)

    def _part(self, start: int, stop: int) -> Table:
        table = self._silent
        part = msgspec.structs.replace(
            table,
            columns=table.columns[max(start, 0) : stop],
            primary_key=table.primary_key if start <= self._primary < stop else None,
            unique_constraints=tuple(_within(table.unique_constraints, self._unique, start, stop)),
            foreign_keys=tuple(_within(table.foreign_keys, self._foreign_keys, start, stop)),
            constraints=tuple(_within(table.constraints, self._constraints, start, stop)),
            indexes=tuple(_within(table.indexes, self._indexes, start, stop)),
        )
        if start == REST:
            return part
        return msgspec.structs.replace(
            part, partition_key=None, inherits=(), storage=(), server=None, options=()
        )


def _within(items: Sequence[_Item], homes: Sequence[int], start: int, stop: int) -> Iterator[_Item]:
    return (item for item, home in zip(items, homes, strict=True) if start <= home < stop)


def _named(place: dict[str, int], *texts: str) -> list[str]:
    """The columns that a definition names; an expression is looked through for them."""
    if all(text in place for text in texts):
        return list(texts)
    whole = " ".join(texts)
    plain = set(re.findall(r"\w+", whole))
    return [name for name in place if name in plain or (not name.isidentifier() and name in whole)]
