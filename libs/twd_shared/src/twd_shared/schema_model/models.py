"""The snapshot of one database's schema as immutable values, the same for every dialect.

A fact that a dialect cannot tell is named in `Snapshot.unknown`; it is not the same as absent.
Field order is part of the fingerprint: add fields at the end, with a default.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from twd_shared.schema_model.identities import Identities

TableKind = Literal["table", "partitioned_table", "view", "materialized_view", "foreign_table"]

ObjectKind = Literal[
    "table",
    "enum",
    "domain",
    "partition",
    "composite",
    "range",
    "sequence",
    "routine",
    "extension",
    "namespace",
    "collation",
]

RELATION_KINDS: tuple[ObjectKind, ...] = ("table", "partition")
"""What has rows, and shares its names: a view is of kind `table`."""

ObjectKey = tuple[str, str, str]
"""(kind, schema, name) of a schema object; a routine's name ends in its argument types.

Where those are too long for a key, in a hash of them."""

UnknownFact = Literal[
    "comments",
    "check_constraints",
    "composites",
    "definitions",
    "domains",
    "enums",
    "extensions",
    "identity",
    "partitions",
    "ranges",
    "routines",
    "samples",
    "sequences",
    "statistics",
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
    inherited: bool = False
    """Whether only a parent table declares it (PostgreSQL's INHERITS)."""
    not_null_inherited: bool = False
    """Whether only a parent table makes it NOT NULL, though the column is declared here."""
    options: tuple[str, ...] = ()
    """A foreign table's options of this column, as `name 'value'`."""
    invisible: bool = False
    """Whether SELECT * leaves it out (MySQL, MariaDB)."""


class Key(_Value, frozen=True):
    """A primary key or unique constraint; `columns` in key order.

    `definition` is the server's own, and given only where the columns alone would not say it all:
    INCLUDE, NULLS NOT DISTINCT, DEFERRABLE, WITHOUT OVERLAPS, in SQLite ON CONFLICT.
    """

    name: str | None
    columns: tuple[str, ...]
    definition: str | None = None
    comment: str | None = None


class ForeignKey(_Value, frozen=True):
    """A reference to another table, which may stand in another schema.

    `definition` is the server's own, and given only where the fields would not say it all:
    MATCH FULL, NOT VALID, SET NULL of some columns, PERIOD.
    """

    name: str | None
    columns: tuple[str, ...]
    referenced_schema: str
    referenced_table: str
    referenced_columns: tuple[str, ...]
    on_update: str = "NO ACTION"
    on_delete: str = "NO ACTION"
    deferrable: bool = False
    initially_deferred: bool = False
    definition: str | None = None
    comment: str | None = None


class Constraint(_Value, frozen=True):
    """A check or exclusion constraint; `definition` as the server deparses it.

    A NOT NULL is one too where a column's `nullable` does not say it all: it has a name that a
    server would not choose, a comment, or does not hold for all rows or children.
    """

    name: str
    definition: str
    comment: str | None = None


class Index(_Value, frozen=True):
    """An index that no constraint owns; `definition` is a whole statement or None if unknown."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    definition: str | None = None
    predicate: str | None = None
    """The condition of a partial index."""
    comment: str | None = None


class PartitionOf(_Value, frozen=True):
    """Where a partition belongs: its direct parent, and the values that it takes."""

    schema: str
    table: str
    bound: str


class Table(_Value, frozen=True, tag_field="object", tag="table"):
    """A relation that can be asked: table, partitioned table, view, foreign table or partition."""

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
    partition_of: PartitionOf | None = None
    inherits: tuple[tuple[str, str], ...] = ()
    """(schema, table) of the parents, in their order."""
    unlogged: bool = False
    storage: tuple[str, ...] = ()
    """Storage parameters and view options, as `name=value`."""
    server: tuple[str, str] | None = None
    """A foreign table's (server, foreign-data wrapper)."""
    options: tuple[str, ...] = ()
    """A foreign table's options, as `name 'value'`."""
    depends_on: tuple[ObjectKey, ...] = ()
    """User-made objects that its definition names: a view's tables, types, routines."""

    @property
    def label(self) -> str:
        """`schema.name`, for people; not quoted."""
        return f"{self.schema}.{self.name}"

    @property
    def is_view(self) -> bool:
        """Whether it is made of a query, materialized or not."""
        return self.kind in ("view", "materialized_view")


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
    collation: str | None = None
    depends_on: tuple[ObjectKey, ...] = ()


class CompositeType(_Value, frozen=True, tag_field="object", tag="composite"):
    """A stand-alone row type; of its attributes only name, type, collation and comment count."""

    schema: str
    name: str
    attributes: tuple[Column, ...]
    comment: str | None = None
    depends_on: tuple[ObjectKey, ...] = ()


class RangeType(_Value, frozen=True, tag_field="object", tag="range"):
    """A range type; `options` as CREATE TYPE takes them: `subtype = integer`."""

    schema: str
    name: str
    options: tuple[str, ...]
    comment: str | None = None
    depends_on: tuple[ObjectKey, ...] = ()


class ColumnReference(_Value, frozen=True):
    """A column of a table."""

    schema: str
    table: str
    column: str


class Sequence(_Value, frozen=True, tag_field="object", tag="sequence"):
    """A sequence; `owner` is the column that it is dropped with, `identity` if it feeds one."""

    schema: str
    name: str
    type: str
    start: int
    increment: int
    minimum: int
    maximum: int
    cache: int = 1
    cycle: bool = False
    owner: ColumnReference | None = None
    identity: bool = False
    unlogged: bool = False
    comment: str | None = None


class Routine(_Value, frozen=True, tag_field="object", tag="routine"):
    """A function or aggregate that other objects need; `definition` is the whole statement."""

    schema: str
    name: str
    kind: Literal["function", "procedure", "aggregate", "window"]
    arguments: str
    """Types of the arguments as they identify the routine."""
    definition: str
    comment: str | None = None
    depends_on: tuple[ObjectKey, ...] = ()


class Extension(_Value, frozen=True, tag_field="object", tag="extension"):
    """An installed extension; what it brought is not part of the snapshot."""

    schema: str
    name: str
    version: str
    comment: str | None = None
    depends_on: tuple[ObjectKey, ...] = ()


class Namespace(_Value, frozen=True, tag_field="object", tag="namespace"):
    """A schema of the database."""

    name: str
    comment: str | None = None

    @property
    def schema(self) -> str:
        """Itself: what stands in it has this as its schema."""
        return self.name


class Collation(_Value, frozen=True, tag_field="object", tag="collation"):
    """A collation that a user made: how texts are compared and sorted.

    `locale` decides how they are sorted, and what is a letter too where `ctype` says nothing else.
    """

    schema: str
    name: str
    provider: Literal["builtin", "icu", "libc"]
    locale: str
    ctype: str | None = None
    deterministic: bool = True
    """Whether only texts of the same bytes are equal."""
    rules: str | None = None
    """What ICU is told besides its locale."""
    comment: str | None = None


OtherObject = (
    EnumType
    | DomainType
    | CompositeType
    | RangeType
    | Sequence
    | Routine
    | Extension
    | Namespace
    | Collation
)
"""An object that is no table."""

SchemaObject = Table | OtherObject


class TableStatistics(_Value, frozen=True):
    """What the server estimates of a table; None = not known, or never analyzed."""

    schema: str
    table: str
    row_estimate: int | None = None
    size_bytes: int | None = None
    categories: dict[str, tuple[str, ...]] = {}
    """The few values of a column, by column; only where the connection allows samples."""


class Snapshot(_Value, frozen=True):
    """One reading of a database's schema; objects sorted by (kind, schema, name).

    `tables` are what people ask; a partition stands in `partitions`, folded under its parent.
    """

    dialect: str
    database_name: str
    server_version: str
    tables: tuple[Table, ...] = ()
    enums: tuple[EnumType, ...] = ()
    domains: tuple[DomainType, ...] = ()
    unknown: tuple[UnknownFact, ...] = ()
    partitions: tuple[Table, ...] = ()
    composites: tuple[CompositeType, ...] = ()
    ranges: tuple[RangeType, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    routines: tuple[Routine, ...] = ()
    extensions: tuple[Extension, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    statistics: tuple[TableStatistics, ...] = ()
    """Of the tables, in no promised order; no part of the fingerprint: they always change."""
    granted: tuple[tuple[str, str], ...] | None = None
    """Where the server shows a role only what it was granted: the (schema, table) pairs that it
    was, with all columns. An absent table that is not among them is unknown, not dropped; one that
    was read and is not among them was shown in part. None = the server shows all."""
    identities: Identities | None = None
    """By which ids the server knows the objects; no part of the fingerprint. None = it has none."""
    unread: tuple[tuple[str, str], ...] = ()
    """(schema, table) of those that the server lists and cannot open: unknown, not dropped."""
    collations: tuple[Collation, ...] = ()

    @property
    def objects(self) -> tuple[SchemaObject, ...]:
        """All objects: tables first, then types and what else there is."""
        return (
            *self.tables,
            *self.enums,
            *self.domains,
            *self.partitions,
            *self.composites,
            *self.ranges,
            *self.sequences,
            *self.routines,
            *self.extensions,
            *self.namespaces,
            *self.collations,
        )

    @property
    def relations(self) -> tuple[Table, ...]:
        """All that a statement can name: the tables, and their partitions behind them."""
        return (*self.tables, *self.partitions)

    @property
    def column_count(self) -> int:
        """Columns over all tables."""
        return sum(len(table.columns) for table in self.tables)


def kind_of(schema_object: SchemaObject) -> ObjectKind:
    """The object's kind as the snapshot store keys it."""
    if isinstance(schema_object, Table):
        return "table" if schema_object.partition_of is None else "partition"
    return type(schema_object).__struct_config__.tag  # pyright: ignore[reportReturnType]


def snapshot_of(
    objects: tuple[SchemaObject, ...] | list[SchemaObject],
    *,
    dialect: str,
    database_name: str,
    server_version: str,
    unknown: tuple[UnknownFact, ...] = (),
) -> Snapshot:
    """The snapshot that these objects make, each kind in its own field, in the given order."""
    by_kind: dict[str, list[SchemaObject]] = {}
    for item in objects:
        by_kind.setdefault(f"{kind_of(item)}s", []).append(item)
    return Snapshot(
        dialect=dialect,
        database_name=database_name,
        server_version=server_version,
        unknown=unknown,
        **{name: tuple(items) for name, items in by_kind.items()},  # pyright: ignore[reportArgumentType]
    )


def encode(value: msgspec.Struct) -> bytes:
    """Canonical JSON of a model value: the same value gives the same bytes."""
    return _encoder.encode(value)


def encode_into(value: msgspec.Struct, canonical: bytearray) -> None:
    """Put the same JSON in the place of what `canonical` holds."""
    _encoder.encode_into(value, canonical)


def decode_object(body: bytes | str) -> SchemaObject:
    """The schema object whose canonical JSON is `body`."""
    return _object_decoder.decode(body)


# Making them takes longer than using them.
_encoder = msgspec.json.Encoder(order="deterministic")
_object_decoder = msgspec.json.Decoder(SchemaObject)
