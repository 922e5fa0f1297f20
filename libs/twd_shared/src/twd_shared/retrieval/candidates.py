"""What a search found of each table, before anything is ranked. Pure functions.

A wide table has several points; the best of them speaks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twd_shared.clients.index_layout import Hit

TableName = tuple[str, str]
"""(schema, table)."""


def label(name: TableName) -> str:
    """`schema.table`, for people; the table alone where a dialect has no schemas."""
    return ".".join(part for part in name if part)


@dataclass(frozen=True, slots=True)
class Relationship:
    """A foreign key: pairs of columns that join the table it stands in with the one it names."""

    source: TableName
    target: TableName
    columns: tuple[tuple[str, str], ...]

    def other(self, table: TableName) -> TableName:
        """The table at its other end."""
        return self.target if table == self.source else self.source

    @property
    def condition(self) -> str:
        """The condition of the join, as people read it; not quoted."""
        own, other = label(self.source), label(self.target)
        return " and ".join(f"{own}.{left} = {other}.{right}" for left, right in self.columns)


@dataclass(slots=True)
class Candidate:
    """A table that was found: cosine, sum of term weights, its words and its relationships."""

    name: TableName
    kind: str
    dense: float | None = None
    terms: float | None = None
    words: frozenset[str] = frozenset()
    relationships: tuple[Relationship, ...] = ()


def candidates_of(dense: Sequence[Hit], terms: Sequence[Hit]) -> dict[TableName, Candidate]:
    """The tables of both lists of hits, each list best first."""
    found: dict[TableName, Candidate] = {}
    for hit in dense:
        candidate = _candidate(found, hit.payload)
        if candidate.dense is None:
            candidate.dense = hit.score
    for hit in terms:
        candidate = _candidate(found, hit.payload)
        if candidate.terms is None:
            candidate.terms = hit.score
    return found


def _candidate(found: dict[TableName, Candidate], payload: Mapping[str, Any]) -> Candidate:
    name = (str(payload["schema_name"]), str(payload["table_name"]))
    candidate = found.get(name)
    if candidate is None:
        candidate = found[name] = Candidate(
            name, str(payload["kind"]), relationships=tuple(_relationships(name, payload))
        )
    candidate.words |= set(payload.get("words", ()))
    return candidate


def _relationships(name: TableName, payload: Mapping[str, Any]) -> Iterable[Relationship]:
    for key in payload.get("foreign_keys", ()):
        target = (str(key["referenced_schema"]), str(key["referenced_table"]))
        if target != name:
            pairs = zip(key["columns"], key["referenced_columns"], strict=False)
            yield Relationship(name, target, tuple(pairs))
    for key in payload.get("referenced_by", ()):
        source = (str(key["schema_name"]), str(key["table_name"]))
        if source != name:
            pairs = zip(key["columns"], key["referenced_columns"], strict=False)
            yield Relationship(source, name, tuple(pairs))
