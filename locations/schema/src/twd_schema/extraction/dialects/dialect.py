"""What one dialect has to say for the shared reflection to read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.types import UserDefinedType

from twd_schema.extraction.deadline import Deadline
from twd_shared.schema_model.models import (
    Sequence,
    TableKind,
    TableStatistics,
    UnknownFact,
)
from twd_shared.sources.address import SourceAddress
from twd_shared.sources.limits import ReadLimits


class Spelled(UserDefinedType[Any]):
    """A column's type exactly as its server spells it, known to SQLAlchemy or not."""

    cache_ok = True

    def __init__(self, spelling: str, collation: str | None = None) -> None:
        """`collation` only where it is not the one that the column would have anyway."""
        self.spelling = spelling
        self.collation = collation

    def get_col_spec(self, **_: Any) -> str:
        """The spelling."""
        return self.spelling


class ReadingOvertaken(Exception):
    """The schema was being changed: what was read so far has gaps or does not fit together."""


@dataclass(frozen=True, kw_only=True)
class Details:
    """What SQLAlchemy's reflection has no place for; mappings are by table name."""

    schema: str
    server_version: str
    kinds: Mapping[str, TableKind]
    """All tables and views that there are to read, and nothing else."""
    definitions: Mapping[str, str] = field(default_factory=dict[str, str])
    """Queries of views."""
    partition_keys: Mapping[str, str] = field(default_factory=dict[str, str])
    storage: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """What stands behind a table's columns, in the dialect's own words, if it is not usual."""
    statistics: tuple[TableStatistics, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    granted: tuple[tuple[str, str], ...] | None = None
    unread: tuple[tuple[str, str], ...] = ()
    """(schema, table) of those that the server lists and cannot open."""
    unknown: tuple[UnknownFact, ...]


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a dialect is reached and read.

    `catalog` answers SQLAlchemy's `get_multi_*`; where SQLAlchemy itself reads a dialect exactly
    and in bulk, that is its own class. An index may carry its whole statement in its
    `dialect_options` as `definition`, and its condition as `where`; a primary key its definition
    where its columns do not say it all.
    """

    catalog: type[DefaultDialect]
    connect: Callable[[SourceAddress, ReadLimits, Deadline], DBAPIConnection]
    prepare: Callable[[sa.Connection, ReadLimits], None]
    """Makes the session read-only and sets its limits."""
    details: Callable[[sa.Inspector], Details]
    confirm: Callable[[sa.Inspector], None]
    """Called last; raises ReadingOvertaken where the dialect has no snapshot of a whole schema."""
    refusal: Callable[[SourceAddress, object], str | None]
    """Why the server refuses, by the driver's code; None if it did not."""
    is_late: Callable[[object], bool]
    """Whether the driver's code says that the server itself gave up waiting or computing."""
    remedy: str
    silence: str = ""
    """What else to check where a server says nothing at all, as an end of a sentence."""
