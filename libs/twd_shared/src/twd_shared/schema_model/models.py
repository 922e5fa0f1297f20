"""The snapshot of one database's schema as immutable values, the same for every dialect.

A fact that a dialect cannot tell is named in `Snapshot.unknown`; it is not the same as absent.
Field order is part of the fingerprint: add fields at the end, with a default.
"""

from __future__ import annotations

from typing import Literal

import msgspec

TableKind = Literal["table", "partitioned_table", "view", "materialized_view", "foreign_table"]

UnknownFact = Literal[
    "comments", "check_constraints", "enums", "domains", "identity", "partitions", "definitions"
]


class _Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False): ...


class Column(_Value, frozen=True):
    """A column; `type` is the exact spelling of the source's own dialect."""

    name: str
    type: str
    nullable: bool = True
    default: str | None = None
    identity: Literal["always", "by default"] | None = None
    generated: str | None = None
    collation: str | None = None
    comment: str | None = None
    virtual: bool = False
    """Whether a generated value is computed when read, not stored."""


class Key(_Value, frozen=True):
    """A primary key or unique constraint; `columns` in key order."""

    name: str | None
    columns: tuple[str, ...]


class ForeignKey(_Value, frozen=True):
    """A reference to another table, which may stand in another schema."""

    name: str | None
    columns: tuple[str, ...]
    referenced_schema: str
    referenced_table: str
    referenced_columns: tuple[str, ...]
    on_update: str = "NO ACTION"
    on_delete: str = "NO ACTION"
    deferrable: bool = False
    initially_deferred: bool = False


class Constraint(_Value, frozen=True):
    """A check or exclusion constraint; `definition` as the server deparses it."""

    name: str
    definition: str


class Index(_Value, frozen=True):
    """An index that no constraint owns; `definition` is a whole statement or None if unknown."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    definition: str | None = None


class Table(_Value, frozen=True, tag_field="object", tag="table"):
    """A relation that can be asked: table, partitioned table, view or foreign table."""

    schema: str
    name: str
    kind: TableKind
    columns: tuple[Column, ...] = ()
    primary_key: Key | None = None
    unique_constraints: tuple[Key, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    definition: str | None = None
    partition_key: str | None = None
    comment: str | None = None

    @property
    def label(self) -> str:
        """`schema.name`, for people; not quoted."""
        return f"{self.schema}.{self.name}"


class EnumType(_Value, frozen=True, tag_field="object", tag="enum"):
    """An enumerated type; `labels` in sort order."""

    schema: str
    name: str
    labels: tuple[str, ...]
    comment: str | None = None


class DomainType(_Value, frozen=True, tag_field="object", tag="domain"):
    """A domain: a base type with constraints."""

    schema: str
    name: str
    type: str
    nullable: bool = True
    default: str | None = None
    constraints: tuple[Constraint, ...] = ()
    comment: str | None = None


SchemaObject = Table | EnumType | DomainType


class Snapshot(_Value, frozen=True):
    """One reading of a database's schema; objects sorted by (kind, schema, name)."""

    dialect: str
    database_name: str
    server_version: str
    tables: tuple[Table, ...] = ()
    enums: tuple[EnumType, ...] = ()
    domains: tuple[DomainType, ...] = ()
    unknown: tuple[UnknownFact, ...] = ()

    @property
    def objects(self) -> tuple[SchemaObject, ...]:
        """All objects: tables, then enums, then domains."""
        return (*self.tables, *self.enums, *self.domains)

    @property
    def column_count(self) -> int:
        """Columns over all tables."""
        return sum(len(table.columns) for table in self.tables)


def kind_of(schema_object: SchemaObject) -> str:
    """The object's kind as the snapshot store keys it: `table`, `enum` or `domain`."""
    if isinstance(schema_object, Table):
        return "table"
    return "enum" if isinstance(schema_object, EnumType) else "domain"


def encode(value: msgspec.Struct) -> bytes:
    """Canonical JSON of a model value: the same value gives the same bytes."""
    return msgspec.json.encode(value, order="deterministic")


def decode_object(body: bytes | str) -> SchemaObject:
    """The schema object whose canonical JSON is `body`."""
    return msgspec.json.decode(body, type=SchemaObject)
