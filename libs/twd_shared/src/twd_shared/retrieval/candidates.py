"""What a search found of each table, before anything is ranked. Pure functions.

A wide table has several points; the best of them speaks for it. A point whose payload is not as
the index's layout says is none of ours and no table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from twd_shared.clients.index_layout import Hit, read_payload
from twd_shared.schema_model.keys import TableName


def label(name: TableName) -> str:
    """`schema.table`, for people; the table alone where a dialect has no schemas."""
    return ".".join(part for part in name if part)


@dataclass(frozen=True, slots=True)
class Relationship:
    """A foreign key: pairs of columns that join the table it stands in with the one it names."""

    source: TableName
    target: TableName
    columns: tuple[tuple[str, str], ...]

    @property
    def condition(self) -> str:
        """The condition of the join, as people read it; not quoted."""
        own, other = label(self.source), label(self.target)
        if not self.columns:
            return f"{own} refers to {other}"
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


class _ForeignKey(msgspec.Struct, frozen=True):
    columns: list[str]
    referenced_schema: str
    referenced_table: str
    referenced_columns: list[str]


class _Reference(msgspec.Struct, frozen=True):
    schema_name: str
    table_name: str
    columns: list[str]
    referenced_columns: list[str]


class _Payload(msgspec.Struct, frozen=True):
    """Those of `RANKING_KEYS` that a candidate is made of."""

    schema_name: str
    table_name: str
    kind: str
    words: list[str] = []
    foreign_keys: list[_ForeignKey] = []
    referenced_by: list[_Reference] = []


def candidates_of(dense: Sequence[Hit], terms: Sequence[Hit]) -> dict[TableName, Candidate]:
    """The tables of both lists of hits, each list best first."""
    found: dict[TableName, Candidate] = {}
    for hit in dense:
        candidate = _candidate(found, hit)
        if candidate is not None and candidate.dense is None:
            candidate.dense = hit.score
    for hit in terms:
        candidate = _candidate(found, hit)
        if candidate is not None and candidate.terms is None:
            candidate.terms = hit.score
    return found


def _candidate(found: dict[TableName, Candidate], hit: Hit) -> Candidate | None:
    payload = read_payload(hit.payload, _Payload)
    if payload is None:
        return None
    name = (payload.schema_name, payload.table_name)
    candidate = found.get(name)
    if candidate is None:
        relationships = tuple(_relationships(name, payload))
        candidate = found[name] = Candidate(name, payload.kind, relationships=relationships)
    candidate.words |= set(payload.words)
    return candidate


def keys_of(name: TableName, payload: Mapping[str, Any]) -> tuple[Relationship, ...]:
    """All foreign keys of a table as the payload of its point tells them, one to itself as well."""
    told = read_payload(payload, _Payload)
    return tuple(_keys(name, told)) if told else ()


def _relationships(name: TableName, payload: _Payload) -> Iterator[Relationship]:
    """The foreign keys that join the table with others, of either end."""
    yield from (key for key in _keys(name, payload) if key.target != name)
    for key in payload.referenced_by:
        source = (key.schema_name, key.table_name)
        if source != name:
            pairs = zip(key.columns, key.referenced_columns, strict=False)
            yield Relationship(source, name, tuple(pairs))


def _keys(name: TableName, payload: _Payload) -> Iterator[Relationship]:
    for key in payload.foreign_keys:
        pairs = zip(key.columns, key.referenced_columns, strict=False)
        yield Relationship(name, (key.referenced_schema, key.referenced_table), tuple(pairs))
