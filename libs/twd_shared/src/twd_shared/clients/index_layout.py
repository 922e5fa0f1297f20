"""What a point of the schema index is made of: its id, its vectors, its payload's keys.

Belongs here: what writers and readers must agree on. Not here: requests.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from twd_shared.terms.sparse import TERMS_REVISION, SparseTerms

_T = TypeVar("_T")

DENSE = "dense"
"""Name of the vector that an embedding model made."""

TERMS = "terms"
"""Name of the sparse vector of words and n-grams, weighted by Qdrant's modifier `idf`."""

LAYOUT = f"1.{TERMS_REVISION}"
"""Revision of what this module says, and of the terms: points of two layouts are not compared."""

# The namespace of our point ids; frozen, as another one would orphan every point.
_NAMESPACE = uuid.UUID("6f1d3a52-5c0e-5b6e-9a53-0f7a8d0c7d11")

RANKING_KEYS = (
    "schema_name",
    "table_name",
    "chunk",
    "kind",
    "foreign_keys",
    "referenced_by",
    "words",
)
"""The payload that ranking needs of many points; the rest is read of the few that are answered."""


@dataclass(frozen=True, slots=True)
class Point:
    """One chunk of one table: its id, both vectors and its payload."""

    point_id: str
    dense: Sequence[float]
    terms: SparseTerms
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rewriting:
    """New terms and payload of a point whose dense vector stays."""

    point_id: str
    terms: SparseTerms
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Hit:
    """A found point with its score: a cosine, or a sum of term weights; higher is nearer."""

    score: float
    payload: Mapping[str, Any]


def point_id(connection_id: str, schema: str, table: str, chunk: int = 0) -> str:
    """UUIDv5 of (connection, schema, table, chunk), unambiguous whatever the names hold."""
    parts = (connection_id, schema, table, str(chunk))
    return str(uuid.uuid5(_NAMESPACE, "".join(f"{len(part)}:{part}" for part in parts)))


def mark_of(content_hash: str) -> str:
    """The first two digits of a hash, by which points are counted without reading each of them."""
    return content_hash[:2]


def read_payload(payload: Mapping[str, Any], kind: type[_T]) -> _T | None:
    """What `kind` names of a payload; None if it is not all there: nothing of ours wrote that."""
    try:
        return msgspec.convert(payload, kind)
    except msgspec.ValidationError:
        return None
