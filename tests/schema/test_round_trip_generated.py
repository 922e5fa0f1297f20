"""Generated schemas, with hostile names and odd types, come back from their DDL as they were.

A snapshot is generated, written as DDL, loaded and read: what the server made of it is the original
of a round trip like that of the real schemas.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

import msgspec
import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twd_shared.clients.catalog import Connection
from twd_shared.schema_model.ddl import schema_script
from twd_shared.schema_model.models import (
    Collation,
    Column,
    CompositeType,
    Constraint,
    DomainType,
    EnumType,
    ForeignKey,
    Index,
    Key,
    Namespace,
    PartitionOf,
    RangeType,
    Sequence,
    Snapshot,
    Table,
)

HOSTILE = [
    "x'; drop table y; --", 'a"b', "a.b", "two\nlines", "\u202eright to left", "💥", "%s", "\\",
]  # fmt: skip
letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
# PostgreSQL cuts names at 63 bytes; a letter takes four at most.
names = st.one_of(
    st.sampled_from([*HOSTILE, "Bảng Khách", "select", "user", "Order", "position", "_", "ü" * 31]),
    st.text(letters, min_size=1, max_size=15),
)
# Generated texts are at times constants of the code under test, which knows these by their names.
SYSTEM_COLUMNS = {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}
column_names = names.filter(lambda name: name not in SYSTEM_COLUMNS)
comments = st.one_of(st.none(), st.sampled_from(HOSTILE), st.text(letters, min_size=1))
TYPES = [
    "integer", "bigint", "smallint", "text", "character varying(7)", "character(3)", "boolean",
    "numeric", "numeric(6,2)", "numeric(3,5)", "double precision", "date", "uuid", "jsonb", "bytea",
    "timestamp with time zone", "timestamp(0) without time zone", "time(3) with time zone",
    "interval day to second(2)", "bit(4)", "bit varying", "inet", "point", "tsvector", "xml",
    "money", "oid", "regclass", "int4range", "datemultirange", "name", '"char"', "integer[]",
    "text[]", "numeric(4,1)[]",
]  # fmt: skip
# A type, and an expression of it that the server keeps as it is.
DEFAULTS = {
    "integer": ["42", "'-1'::integer"],
    "text": ["'it''s'::text", "E'\\\\'::text", "CURRENT_USER"],
    "boolean": ["true"],
    "date": ["CURRENT_DATE"],
    "jsonb": ["'{}'::jsonb"],
    "integer[]": ["'{1,2}'::integer[]"],
    "timestamp with time zone": ["now()"],
}


SYSTEM_COLLATION = 'pg_catalog."C"'


@st.composite
def columns(
    draw: st.DrawFn, types: list[str], collations: tuple[str, ...] = (SYSTEM_COLLATION,)
) -> tuple[Column, ...]:
    made: list[Column] = []
    count = draw(st.integers(0, 3))
    for name in draw(st.lists(column_names, min_size=count, max_size=6, unique=True)):
        kind = draw(st.sampled_from(types))
        default = draw(st.one_of(st.none(), st.sampled_from(DEFAULTS.get(kind, ["NULL"]))))
        made.append(
            Column(
                name=name,
                type=kind,
                nullable=draw(st.booleans()),
                default=None if default == "NULL" else default,
                comment=draw(comments),
                collation=draw(st.sampled_from([None, *collations])) if kind == "text" else None,
            )
        )
    return tuple(made)


@st.composite
def tables(
    draw: st.DrawFn,
    schema: str,
    name: str,
    number: int,
    types: list[str],
    collations: tuple[str, ...],
) -> Table:
    """A table with keys over its integers, perhaps partitioned by the first of them."""
    table_columns = draw(columns(types, collations))
    integers = [column.name for column in table_columns if column.type == "integer"]
    key = bool(integers) and draw(st.integers(0, 3)) > 0
    partitioned = bool(integers) and draw(st.integers(0, 3)) == 0
    nullable = {name for name in integers if not key}
    table_columns = tuple(
        msgspec.structs.replace(column, nullable=column.nullable and column.name in nullable)
        if column.name in integers
        else column
        for column in table_columns
    )
    return Table(
        schema=schema,
        name=name,
        kind="partitioned_table" if partitioned else "table",
        columns=table_columns,
        primary_key=Key(name=f"k{number}", columns=tuple(integers)) if key else None,
        partition_key=f"RANGE ({_quoted(integers[0])})" if partitioned else None,
        constraints=(Constraint(name="c", definition=f"CHECK (({_quoted(integers[0])} > 0))"),)
        if integers and draw(st.booleans())
        else (),
        comment=draw(comments),
        unlogged=not partitioned and draw(st.integers(0, 5)) == 0,
    )


@st.composite
def schemas(draw: st.DrawFn) -> Snapshot:
    """Types, collations, sequences and tables in two schemas; tables may refer to earlier ones."""
    spaces = draw(st.lists(names.filter(lambda name: not name.startswith("pg_")), min_size=1,
                           max_size=2, unique=True))  # fmt: skip
    chosen = draw(
        st.lists(st.tuples(st.sampled_from(spaces), names), min_size=4, max_size=9, unique=True)
    )
    enums, domains, composites, ranges, sequences, made, partitions = [], [], [], [], [], [], []
    collations = [
        Collation(schema=draw(st.sampled_from(spaces)), name=name, provider="libc",
                  locale=draw(st.sampled_from(["C", "POSIX"])),
                  ctype=draw(st.sampled_from([None, "C", "POSIX"])), comment=draw(comments))
        for name in draw(st.lists(names, max_size=2, unique=True))
    ]  # fmt: skip
    collated = (
        SYSTEM_COLLATION, *(f"{_quoted(one.schema)}.{_quoted(one.name)}" for one in collations)
    )  # fmt: skip
    # Keys and references need integers.
    types = ["integer"] * 30 + TYPES
    for number, (schema, name) in enumerate(chosen):
        kind = draw(
            st.sampled_from(["table"] * 4 + ["enum", "domain", "composite", "range", "seq"])
        )
        if kind == "enum":
            labels = tuple(draw(st.lists(names, min_size=1, max_size=3, unique=True)))
            enums.append(EnumType(schema=schema, name=name, labels=labels, comment=draw(comments)))
        elif kind == "domain":
            check = Constraint(name=draw(names), definition="CHECK ((VALUE > 0))")
            domains.append(
                DomainType(schema=schema, name=name, type="integer", nullable=draw(st.booleans()),
                           default=draw(st.sampled_from([None, "7"])), constraints=(check,),
                           comment=draw(comments))
            )  # fmt: skip
        elif kind == "composite":
            fields = draw(columns(TYPES))
            attributes = tuple(
                Column(name=field.name, type=field.type, comment=field.comment) for field in fields
            )
            composites.append(CompositeType(schema=schema, name=name, attributes=attributes))
        elif kind == "range":
            multirange = f"multirange_type_name = {_quoted(schema)}.m{number}"
            options = ("subtype = double precision", multirange)
            ranges.append(RangeType(schema=schema, name=name, options=options))
        elif kind == "seq":
            sequences.append(
                Sequence(schema=schema, name=name, type="bigint", start=5, increment=-3,
                         minimum=-90, maximum=10, cycle=draw(st.booleans()),
                         comment=draw(comments))
            )  # fmt: skip
        else:
            made.append(draw(tables(schema, name, number, types, collated)))
            continue
        if kind != "seq":
            types.append(f"{_quoted(schema)}.{_quoted(name)}")
    made = [_referring(draw, table, number, made) for number, table in enumerate(made)]
    made = [_indexed(draw, table, number) for number, table in enumerate(made)]
    partitions = [
        _partition(table, number)
        for number, table in enumerate(made)
        if table.partition_key and draw(st.booleans())
    ]
    return Snapshot(
        dialect="postgresql", database_name="", server_version="",
        namespaces=tuple(Namespace(name=name, comment=draw(comments)) for name in spaces),
        tables=tuple(made), partitions=tuple(partitions), enums=tuple(enums),
        domains=tuple(domains), composites=tuple(composites), ranges=tuple(ranges),
        sequences=tuple(sequences), collations=tuple(collations),
    )  # fmt: skip


def _referring(draw: st.DrawFn, table: Table, number: int, others: list[Table]) -> Table:
    targets = [other for other in others if other.primary_key]
    integers = tuple(column.name for column in table.columns if column.type == "integer")
    if not targets or table.unlogged or not draw(st.booleans()):
        return table
    target = draw(st.sampled_from(targets))
    assert target.primary_key is not None
    width = len(target.primary_key.columns)
    if len(integers) < width or target.unlogged:
        return table
    key = ForeignKey(
        name=f"f{number}", columns=integers[:width], referenced_schema=target.schema,
        referenced_table=target.name, referenced_columns=target.primary_key.columns,
        on_delete=draw(st.sampled_from(["NO ACTION", "CASCADE", "RESTRICT"])),
        deferrable=draw(st.booleans()), comment=draw(comments),
    )  # fmt: skip
    return msgspec.structs.replace(table, foreign_keys=(key,))


def _indexed(draw: st.DrawFn, table: Table, number: int) -> Table:
    texts = [column.name for column in table.columns if column.type in ("integer", "text", "date")]
    if not texts or not draw(st.booleans()):
        return table
    place = f"{_quoted(table.schema)}.{_quoted(table.name)}"
    order = draw(st.sampled_from(["", " DESC", " NULLS FIRST", " DESC NULLS LAST"]))
    where = draw(st.sampled_from(["", f" WHERE ({_quoted(texts[0])} IS NOT NULL)"]))
    statement = f'CREATE INDEX "i{number}" ON ONLY {place} ({_quoted(texts[0])}{order}){where}'
    index = Index(name=f"i{number}", columns=(texts[0],), definition=statement)
    return msgspec.structs.replace(table, indexes=(index,))


def _partition(table: Table, number: int) -> Table:
    bound = "FOR VALUES FROM (1) TO (10)"
    return Table(
        schema=table.schema,
        name=f"partition {number}",
        kind="table",
        columns=tuple(msgspec.structs.replace(column, comment=None) for column in table.columns),
        constraints=table.constraints,
        partition_of=PartitionOf(schema=table.schema, table=table.name, bound=bound),
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class Server:
    """Two databases that are filled and emptied again and again."""

    def __init__(self, services: Any, reader: Any) -> None:
        self._dsns = [services.database(), services.database()]
        self._reader = reader

    def load(self, number: int, script: list[str]) -> None:
        """Empty a database and run the script in it."""
        with closing(psycopg2.connect(self._dsns[number])) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(
                    "select quote_ident(nspname) from pg_namespace"
                    " where nspname <> 'information_schema' and nspname !~ '^pg_'"
                )
                for (schema,) in cursor.fetchall():
                    cursor.execute(f"drop schema {schema} cascade")
                # A reading without any table is an error; this one is in both.
                cursor.execute("create schema public; create table public.always ()")
                for statement in script:
                    cursor.execute(statement)

    def read(self, number: int) -> Snapshot:
        """What stands in a database now, without what a copy has of its own."""
        dsn = self._dsns[number]
        snapshot = self._reader.read(Connection("7", "shop", "postgresql", True, dsn))
        tables = tuple(table for table in snapshot.tables if table.name != "always")
        return msgspec.structs.replace(
            snapshot, tables=tables, database_name="", statistics=(), identities=None
        )


@pytest.fixture(scope="module")
def server(services: Any, reader: Any) -> Server:
    return Server(services, reader)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(schema=schemas())
def test_a_generated_schema_comes_back_the_same(server: Server, schema: Snapshot) -> None:
    server.load(0, schema_script(schema))
    original = server.read(0)
    expected = {(item.schema, item.name, len(item.columns)) for item in schema.tables}
    assert {(item.schema, item.name, len(item.columns)) for item in original.tables} == expected
    server.load(1, schema_script(original))
    assert server.read(1) == original
    assert schema_script(server.read(1)) == schema_script(original)


@pytest.mark.parametrize("count", [0, 1, 1600])
def test_a_table_of_any_width_comes_back_the_same(server: Server, count: int) -> None:
    wide = Table(
        schema="public",
        name="wide",
        kind="table",
        columns=tuple(Column(name=f"c{number}", type="boolean") for number in range(count)),
    )
    server.load(
        0, schema_script(Snapshot(dialect="postgresql", database_name="", server_version="",
                                  tables=(wide,)))
    )  # fmt: skip
    original = server.read(0)
    assert original.tables == (wide,)
    server.load(1, schema_script(original))
    assert server.read(1) == original
