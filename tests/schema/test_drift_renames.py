"""Renames on a real database: one change each, with its evidence, and nothing that follows."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import psycopg2
import pytest
import sqlalchemy as sa

from twd_schema.drift import similarity
from twd_schema.drift.changes import Change, SchemaDiff
from twd_schema.drift.diff import changes_since, diff_snapshots
from twd_shared.clients.catalog import Connection
from twd_shared.schema_model.models import Column, EnumType, Snapshot, Table
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.snapshots import SnapshotStore

SHOP = """
create schema s;
create type s.mood as enum ('sad', 'ok');
create domain s.word as text constraint filled check (value <> '');
create table s.customers (
    id integer primary key, name s.word not null default 'new', email text unique,
    mood s.mood not null default 'ok', moods s.mood[], check (length(email) > 3));
create index customers_lower_idx on s.customers (lower(email)) where mood = 'ok';
create index customers_mood_idx on s.customers (mood);
create table s.orders (
    id serial primary key, customer_id integer not null references s.customers (id),
    total numeric(10, 2), tax numeric generated always as (total / 10) stored,
    check (total > 0));
create table s.lines (
    order_id integer references s.orders on delete cascade, position integer,
    primary key (order_id, position));
create view s.sums as
    select c.name, c.email, sum(o.total) as total from s.customers c
    join s.orders o on o.customer_id = c.id where c.mood = 'ok' group by c.name, c.email;
create view s.open as select id, total from s.orders where total > 5;
create table s.days (at date not null, note text, check (note <> '')) partition by range (at);
create table s.days_2025 partition of s.days for values from ('2025-01-01') to ('2026-01-01');
create index on s.days (note);
create table s.past (
    at date not null, note text, constraint days_note_check check (note <> ''));
create index on s.past (note);
create function s.moody(m s.mood) returns boolean language sql immutable as 'select m is null';
create table s.feelings (m s.mood check (s.moody(m)));
create table s.twins (a integer, b integer);
create table s.pairs (c text, d text);
"""

Told = set[tuple[str, str, str, str]]


def told(diff: SchemaDiff) -> Told:
    """(rule, subject, before, after) of each change."""
    return {(item.rule, item.subject, item.before, item.after) for item in diff.changes}


RENAMES: dict[str, Told] = {
    "alter table s.orders rename to sales": {
        ("table_renamed", "s.sales", "s.orders", "s.sales"),
    },
    "alter table s.customers rename to people": {
        ("table_renamed", "s.people", "s.customers", "s.people"),
    },
    "alter table s.orders rename total to amount": {
        ("column_renamed", "s.orders.amount", "total", "amount"),
    },
    "alter table s.customers rename id to number": {
        ("column_renamed", "s.customers.number", "id", "number"),
    },
    "alter table s.customers rename mood to feeling": {
        ("column_renamed", "s.customers.feeling", "mood", "feeling"),
    },
    "alter table s.orders rename to sales; alter table s.sales rename customer_id to buyer": {
        ("table_renamed", "s.sales", "s.orders", "s.sales"),
        ("column_renamed", "s.sales.buyer", "customer_id", "buyer"),
    },
    "alter table s.orders rename to a; alter table s.a rename to b;"
    "alter table s.b rename to sales": {("table_renamed", "s.sales", "s.orders", "s.sales")},
    "alter table s.orders rename to other; alter table s.other rename to orders": set(),
    "alter table s.twins rename to x; alter table s.pairs rename to twins;"
    "alter table s.x rename to pairs": {
        ("table_renamed", "s.twins", "s.pairs", "s.twins"),
        ("table_renamed", "s.pairs", "s.twins", "s.pairs"),
    },
    "alter table s.twins rename a to x; alter table s.twins rename b to a;"
    "alter table s.twins rename x to b": {
        ("column_replaced", "s.twins.a", "b", "a"),
        ("column_replaced", "s.twins.b", "a", "b"),
    },
    "alter type s.mood rename to feeling": {
        ("enum_renamed", "s.feeling", "s.mood", "s.feeling"),
    },
    "alter type s.mood rename value 'ok' to 'it''s fine'": {
        ("enum_label_renamed", "s.mood", "ok", "it's fine"),
    },
    "alter type s.mood rename to feeling; alter type s.feeling rename value 'ok' to 'fine'": {
        ("enum_renamed", "s.feeling", "s.mood", "s.feeling"),
        ("enum_label_renamed", "s.feeling", "ok", "fine"),
    },
    "alter domain s.word rename to term": {("domain_renamed", "s.term", "s.word", "s.term")},
    "alter function s.moody rename to has_mood": {
        ("routine_renamed", "s.has_mood(s.mood)", "s.moody(s.mood)", "s.has_mood(s.mood)"),
    },
    "alter view s.open rename to waiting": {
        ("table_renamed", "s.waiting", "s.open", "s.waiting"),
    },
    "alter view s.open rename column total to amount": {
        ("column_renamed", "s.open.amount", "total", "amount"),
    },
    "alter table s.days rename to dates": {("table_renamed", "s.dates", "s.days", "s.dates")},
    "alter table s.days rename note to remark": {
        ("column_renamed", "s.days.remark", "note", "remark"),
    },
    "alter table s.days rename at to day": {("column_renamed", "s.days.day", "at", "day")},
    "alter table s.days_2025 rename to last_year": {
        ("partition_renamed", "s.last_year", "s.days_2025", "s.last_year"),
    },
    "alter table s.days detach partition s.days_2025; alter table s.days_2025 rename to old": {
        ("partition_renamed", "s.old", "s.days_2025", "s.old"),
        ("partition_detached", "s.old", "", ""),
    },
    "alter table s.days detach partition s.days_2025; alter table s.days_2025 rename to old;"
    "create table s.days_2025 partition of s.days"
    " for values from ('2025-01-01') to ('2026-01-01')": {
        ("partition_renamed", "s.old", "s.days_2025", "s.old"),
        ("partition_detached", "s.old", "", ""),
        ("partition_added", "s.days_2025", "", ""),
    },
    "create schema t; alter table s.days detach partition s.days_2025;"
    "alter table s.days_2025 set schema t; alter table t.days_2025 rename note to remark": {
        ("namespace_added", "t", "", ""),
        ("partition_renamed", "t.days_2025", "s.days_2025", "t.days_2025"),
        ("partition_detached", "t.days_2025", "", ""),
        ("column_renamed", "t.days_2025.remark", "note", "remark"),
    },
    "drop table s.pairs; alter table s.days detach partition s.days_2025;"
    "alter table s.days_2025 rename to pairs": {
        ("table_removed", "s.pairs", "", ""),
        ("partition_renamed", "s.pairs", "s.days_2025", "s.pairs"),
        ("partition_detached", "s.pairs", "", ""),
    },
    # Partitioned in use: whoever asks the name is answered as before.
    "alter table s.pairs rename to pairs_a;"
    "create table s.pairs (c text, d text) partition by list (c);"
    "alter table s.pairs attach partition s.pairs_a for values in ('a')": {
        ("table_kind_changed", "s.pairs", "table", "partitioned_table"),
        ("partitioning_changed", "s.pairs", "", "LIST (c)"),
        ("partition_added", "s.pairs_a", "", ""),
    },
    "alter table s.past rename to days_2024; alter table s.days attach partition s.days_2024"
    " for values from ('2024-01-01') to ('2025-01-01')": {
        ("table_renamed", "s.days_2024", "s.past", "s.days_2024"),
        ("partition_attached", "s.days_2024", "", ""),
    },
    "create schema t; alter table s.customers set schema t": {
        ("namespace_added", "t", "", ""),
        ("table_renamed", "t.customers", "s.customers", "t.customers"),
    },
    'alter table s.orders rename to "a.b""c\'; drop";'
    'alter table s."a.b""c\'; drop" rename total to "select ""x"" -- $$"': {
        ("table_renamed", "s.a.b\"c'; drop", "s.orders", "s.a.b\"c'; drop"),
        ("column_renamed", 's.a.b"c\'; drop.select "x" -- $$', "total", 'select "x" -- $$'),
    },
    "alter table s.orders rename to sales; create table s.orders (id integer)": {
        ("table_renamed", "s.sales", "s.orders", "s.sales"),
        ("table_added", "s.orders", "", ""),
    },
    "drop table s.pairs; alter table s.twins rename to pairs": {
        ("table_removed", "s.pairs", "", ""),
        ("table_renamed", "s.pairs", "s.twins", "s.pairs"),
    },
    "alter table s.twins drop b; alter table s.twins rename a to b": {
        ("column_replaced", "s.twins.b", "integer", ""),
        ("column_renamed", "s.twins.b", "a", "b"),
    },
    "alter table s.twins rename a to z; alter table s.twins add a integer": {
        ("column_replaced", "s.twins.z", "a", "z"),
        ("column_added", "s.twins.a", "", "integer"),
    },
    "create table s.other (a integer, b integer);"
    "drop table s.twins; alter table s.other rename to twins": set(),
    "alter table s.pairs drop d; alter table s.pairs rename c to d;"
    "alter table s.pairs rename to x;"
    "create view s.pairs as select null::integer as c, d from s.x": {
        ("table_renamed", "s.x", "s.pairs", "s.x"),
        ("table_added", "s.pairs", "", ""),
        ("column_replaced", "s.x.d", "text", ""),
        ("column_renamed", "s.x.d", "c", "d"),
    },
    "drop table s.twins; create table s.twins2 (a integer, b integer)": {
        ("table_removed", "s.twins", "", ""),
        ("table_added", "s.twins2", "", ""),
    },
    "drop table s.twins; create table s.twins (a integer, b integer)": set(),
    "alter table s.twins drop b; alter table s.twins add c integer": {
        ("column_removed", "s.twins.b", "integer", ""),
        ("column_added", "s.twins.c", "", "integer"),
    },
    "alter table s.pairs rename c to e; alter table s.pairs alter e type varchar(9)": {
        ("column_renamed", "s.pairs.e", "c", "e"),
        ("column_type_changed", "s.pairs.e", "text", "character varying(9)"),
    },
    "alter table s.pairs rename to duos; alter table s.duos add constraint k unique (c);"
    "alter table s.duos alter d set not null": {
        ("table_renamed", "s.duos", "s.pairs", "s.duos"),
        ("unique_constraint_added", "s.duos.k", "", "(c)"),
        ("column_nullability_changed", "s.duos.d", "null", "not null"),
    },
}


ODD = """
create schema s;
create type s.mood as enum ('sad', 'ok');
create type s.pair as (a integer, b text);
create domain s.feeling as s.mood default 'ok' check (value <> 'sad');
create sequence s.numbers;
create function s.next() returns integer language sql as 'select 1';
create table s.parents (id integer default nextval('s.numbers'), mood s.mood, p s.pair,
    f s.feeling, n integer default s.next(), unique nulls not distinct (id, n));
create table s.children (extra text) inherits (s.parents);
create table s.refs (a integer, b integer, foreign key (a, b) references s.parents (id, n)
    match full on delete set null (a));
create table s.a (id integer primary key, shared integer, text text);
create table s.b (id integer primary key, shared integer, text text);
create table s.used (id integer references s.a, during int4range,
    exclude using gist (during with &&) where (id > 0));
create view s.joined as select a.id, b.text, shared from s.a join s.b using (shared);
create view s.cte as with x as (select shared as y, text from s.a where id > 1)
    select x.y, x.text, (select count(*) from s.b bb where bb.shared = x.y) as n from x
    union all select id, text, row_number() over (partition by text order by id) from s.b;
create view s.over as select id as number, text, case when shared > 1 then 'shared' end as k
    from s.joined;
create view s.whole as select a, a.text from s.a;
create materialized view s.kept as select shared, array_agg(text order by id) as texts
    from s.a group by shared having count(*) > 1;
create unique index on s.kept (shared);
create index on s.a ((shared + 1), text desc nulls last) include (id) where shared > 0;
create table s.moods (m s.mood) partition by list (m);
create table s.moods_ok partition of s.moods for values in ('ok');
create collation s.bytes (locale = 'C');
create domain s.word as text collate s.bytes check (value <> 'a' collate s.bytes);
create type s.names as (given text collate s.bytes);
create type s.letters as range (subtype = text, collation = s.bytes);
create table s.words (w text collate s.bytes, check (w collate s.bytes > 'a'))
    partition by list (lower(w collate s.bytes));
create index on s.words (w desc, lower(w) collate s.bytes);
create view s.sorted as select w from s.words order by lower(w) collate s.bytes;
"""

ODD_RENAMES = {
    "alter table s.parents rename to elders": {"table_renamed s.elders"},
    "alter table s.parents rename n to number": {
        "column_renamed s.parents.number",
        "column_renamed s.children.number",
    },
    "alter table s.refs rename a to first": {"column_renamed s.refs.first"},
    "alter table s.used rename during to span": {"column_renamed s.used.span"},
    "alter table s.a rename to alpha": {"table_renamed s.alpha"},
    "alter table s.a rename id to number": {"column_renamed s.a.number"},
    "alter table s.a rename text to shown": {"column_renamed s.a.shown"},
    "alter table s.b rename text to shown": {"column_renamed s.b.shown"},
    "alter table s.a rename shared to common": {"column_renamed s.a.common"},
    "alter table s.b rename shared to common": {"column_renamed s.b.common"},
    "alter view s.joined rename id to key": {"column_renamed s.joined.key"},
    "alter view s.joined rename to combined": {"table_renamed s.combined"},
    "alter view s.cte rename y to z": {"column_renamed s.cte.z"},
    "alter materialized view s.kept rename shared to common": {"column_renamed s.kept.common"},
    "alter type s.mood rename to temper": {"enum_renamed s.temper"},
    "alter type s.mood rename value 'ok' to 'fine'": {"enum_label_renamed s.mood"},
    "alter type s.pair rename to couple": {"composite_renamed s.couple"},
    "alter domain s.feeling rename to sense": {"domain_renamed s.sense"},
    "alter sequence s.numbers rename to counter": {"sequence_renamed s.counter"},
    "alter function s.next rename to following": {"routine_renamed s.following()"},
    "alter collation s.bytes rename to octets": {"collation_renamed s.octets"},
}


class Source:
    """The shop, with its connection; each test gets one of its own."""

    def __init__(self, dsn: str, read: Callable[[], Snapshot]) -> None:
        self.dsn = dsn
        self.read = read
        self.connect()

    def connect(self) -> None:
        self._connection = psycopg2.connect(self.dsn)
        self._connection.autocommit = True

    def run(self, statement: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def made(services: Any, reader: Any, connection_to: Any) -> Iterator[Source]:
    dsn = services.database()
    source = Source(dsn, lambda: reader.read(connection_to(dsn)))
    yield source
    source.close()


@pytest.fixture
def source(made: Source) -> Source:
    made.run("drop schema if exists s, t, u cascade")
    made.run(SHOP)
    return made


@pytest.mark.parametrize("statement", RENAMES)
def test_a_rename_is_one_change_and_what_follows_from_it_is_none(
    source: Source, statement: str
) -> None:
    before = source.read()
    source.run(statement)
    assert told(diff_snapshots(before, source.read(), 1, 2)) == RENAMES[statement]


@pytest.mark.parametrize("statement", ODD_RENAMES)
def test_a_rename_in_an_odd_schema_is_one_change(made: Source, statement: str) -> None:
    made.run("drop schema if exists s, t, u cascade")
    made.run(ODD)
    before = made.read()
    made.run(statement)
    changes = diff_snapshots(before, made.read(), 1, 2).changes
    assert {f"{change.rule} {change.subject}" for change in changes} == ODD_RENAMES[statement]


def test_a_renamed_schema_is_told_once_for_each_object_in_it(source: Source) -> None:
    before = source.read()
    source.run("alter schema s rename to u")
    after = source.read()
    diff = diff_snapshots(before, after, 1, 2)
    assert {change.rule.rpartition("_")[2] for change in diff.changes} == {"renamed"}
    assert len(diff.changes) == len(after.objects) - len(
        [item for item in after.objects if item.name == "public"]
    )
    assert {change.evidence for change in diff.changes} == {"server"}


def test_a_rename_says_both_names_and_that_the_server_proves_it(source: Source) -> None:
    before = source.read()
    source.run("alter table s.orders rename to sales; alter table s.sales rename total to sum")
    changes = diff_snapshots(before, source.read(), 1, 2).changes
    assert [change.sentence for change in changes] == [
        "Table s.orders was renamed to s.sales.",
        "Column s.sales.total was renamed to sum.",
    ]
    assert {(change.evidence, change.severity) for change in changes} == {("server", "breaking")}
    assert [(c.schema, c.name, c.member) for c in changes] == [
        ("s", "sales", ""),
        ("s", "sales", "sum"),
    ]


def test_a_view_that_is_also_rewritten_is_told(source: Source) -> None:
    before = source.read()
    source.run("alter table s.orders rename total to amount")
    source.run("create or replace view s.open as select id, amount as total from s.orders")
    assert told(diff_snapshots(before, source.read(), 1, 2)) >= {
        ("column_renamed", "s.orders.amount", "total", "amount")
    }
    rules = {change.rule for change in diff_snapshots(before, source.read(), 1, 2).changes}
    assert rules == {"column_renamed", "view_definition_changed"}


def test_what_the_table_under_an_old_name_lacks_is_told(source: Source) -> None:
    source.run("create table s.kept (id integer primary key, a varchar(5) not null unique)")
    before = source.read()
    source.run("alter table s.kept rename to kept_old; create table s.kept (id bigint, a text)")
    changes = diff_snapshots(before, source.read(), 1, 2).changes
    assert {(change.severity, change.rule, change.subject) for change in changes} == {
        ("risky", "table_replaced", "s.kept_old"),
        ("safe", "table_added", "s.kept"),
        ("risky", "column_nullability_changed", "s.kept.a"),
        ("risky", "column_nullability_changed", "s.kept.id"),
        ("risky", "column_type_promoted", "s.kept.id"),
        ("risky", "primary_key_removed", "s.kept.kept_pkey"),
        ("risky", "unique_constraint_removed", "s.kept.kept_a_key"),
    }


def test_a_view_under_an_old_name_lacks_no_keys(source: Source) -> None:
    before = source.read()
    source.run(
        "alter table s.lines rename to old;"
        "create view s.lines as select order_id::bigint, position from s.old"
    )
    changes = diff_snapshots(before, source.read(), 1, 2).changes
    assert {(change.rule, change.subject) for change in changes} == {
        ("table_replaced", "s.old"),
        ("table_added", "s.lines"),
        ("column_type_promoted", "s.lines.order_id"),
    }


def test_a_column_of_a_wider_type_under_an_old_name_is_told_with_it(source: Source) -> None:
    before = source.read()
    source.run("alter table s.twins rename a to z; alter table s.twins add a bigint")
    assert [change.sentence for change in diff_snapshots(before, source.read(), 1, 2).changes] == [
        "Column s.twins.a was renamed to z, and its old name means another column of the wider"
        " type bigint now.",
        "Column s.twins.a was added as bigint.",
    ]


def test_what_sql_does_not_find_under_the_old_name_of_a_table_is_named(source: Source) -> None:
    before = source.read()
    source.run(
        "alter table s.customers rename to people;"
        "create view s.customers as select id, name, mood, moods[1] as moods from s.people"
    )
    [change] = diff_snapshots(before, source.read(), 1, 2).breaking
    assert (change.rule, change.subject) == ("table_renamed", "s.people")
    assert change.sentence == (
        "Table s.customers was renamed to s.people, and its old name means another table now,"
        " in which email and moods are missing or of another type."
    )
    assert change.columns == (("email", "text"), ("moods", "s.mood[]"))


def test_what_sql_does_not_find_in_what_took_the_name_of_a_lost_table_is_named(
    source: Source,
) -> None:
    source.run("create table s.others (a integer, c integer)")
    before = source.read()
    source.run("drop table s.twins; alter table s.others rename to twins")
    [lost, *_] = [c for c in diff_snapshots(before, source.read(), 1, 2).breaking if not c.after]
    assert (lost.rule, lost.subject) == ("table_removed", "s.twins")
    assert lost.sentence == (
        "Table s.twins was removed, and its name means another table now, in which b is missing"
        " or of another type."
    )


# --- another database ------------------------------------------------------------------------


@pytest.fixture
def restored(services: Any, reader: Any, connection_to: Any) -> Callable[[Source], Snapshot]:
    """What is read of a dump of a source that was restored into another database."""

    def run(source: Source) -> Snapshot:
        dsn = services.database()
        tools = services.postgres_bin
        dump = subprocess.run(
            [tools / "pg_dump", "-d", source.dsn], text=True, capture_output=True, check=True
        )
        # The pg_dump of a new release writes \\restrict, which its own psql knows.
        subprocess.run(
            [tools / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn],
            input=dump.stdout,
            text=True,
            capture_output=True,
            check=True,
        )
        return reader.read(connection_to(dsn))

    return run


def test_a_dump_that_was_restored_elsewhere_is_no_change(source: Source, restored: Any) -> None:
    assert not diff_snapshots(source.read(), restored(source), 1, 2).has_changes


def test_in_another_database_equal_ids_prove_nothing(
    services: Any, source: Source, reader: Any, connection_to: Any
) -> None:
    # A copy by template has the same ids, and goes its own way from then on.
    before = source.read()
    name = source.dsn.rpartition("/")[2]
    source.close()
    connection = psycopg2.connect(services.postgres)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f'create database "{name}_copy" template "{name}"')
    connection.close()
    source.connect()
    dsn = f"{source.dsn}_copy"
    copy = Source(dsn, lambda: reader.read(connection_to(dsn)))
    copy.run("drop table s.lines; alter table s.twins rename to quite; ")
    after = copy.read()
    copy.close()
    assert after.identities is not None
    assert before.identities is not None
    assert after.identities.origin != before.identities.origin
    renamed = [c for c in diff_snapshots(before, after, 1, 2).changes if "renamed" in c.rule]
    assert {change.evidence for change in renamed} <= {"similarity"}


def test_a_role_that_may_not_ask_for_the_servers_identifier_sees_renames_too(
    source: Source, reader: Any, connection_to: Any
) -> None:
    known = source.read().identities
    source.run("revoke execute on function pg_control_system() from public")
    source.run("create role asks_little login password 'x'")
    try:
        url = sa.make_url(source.dsn).set(username="asks_little", password="x")
        dsn = url.render_as_string(hide_password=False)
        reading = reader.read(connection_to(dsn))
        source.run("alter table s.twins rename to couple")
        after = reader.read(connection_to(dsn))
    finally:
        source.run("grant execute on function pg_control_system() to public")
        source.run("drop role asks_little")
    assert reading.identities is not None
    assert known is not None
    assert reading.identities.origin != known.origin
    assert told(diff_snapshots(reading, after, 1, 2)) == {
        ("table_renamed", "s.couple", "s.twins", "s.couple")
    }


# --- likeness --------------------------------------------------------------------------------


def likeness(before: Snapshot, after: Snapshot) -> tuple[Change, ...]:
    """The changes as they are told of a dialect that has no ids."""
    return diff_snapshots(msgspec.structs.replace(before, identities=None), after, 1, 2).changes


def test_without_ids_a_table_that_looks_alike_was_probably_renamed(source: Source) -> None:
    before = source.read()
    source.run("alter table s.customers rename to people")
    [change] = likeness(before, source.read())
    assert (change.rule, change.evidence) == ("table_renamed", "similarity")
    assert change.sentence == (
        "Table s.customers was probably renamed to s.people, which looks like it."
    )


def test_without_ids_a_column_in_the_same_place_was_probably_renamed(source: Source) -> None:
    before = source.read()
    source.run("alter table s.orders rename total to worth")
    [change] = likeness(before, source.read())
    assert (change.rule, change.before, change.after) == ("column_renamed", "total", "worth")
    assert change.sentence == (
        "Column s.orders.total was probably renamed to worth, which looks like it."
    )


def test_without_ids_the_columns_of_partitions_follow_those_of_their_table(
    source: Source,
) -> None:
    before = source.read()
    source.run("alter table s.days rename note to notes")
    [change] = likeness(before, source.read())
    assert (change.rule, change.subject) == ("column_renamed", "s.days.notes")


NO_RENAMES = {
    "fewer than two columns": "create table s.one (a integer); ",
    "another type": "alter table s.twins drop b; alter table s.twins add b2 text",
    "two that look alike": "alter table s.twins rename to x; create table s.y (a int, b int)",
    "another place and name": "alter table s.days drop note; alter table s.days add a text;"
    "alter table s.days add b text",
    "gone and come somewhere else": "alter table s.pairs drop c; alter table s.pairs add e text",
}


@pytest.mark.parametrize("reason", NO_RENAMES)
def test_without_ids_what_could_be_something_else_is_not_called_a_rename(
    source: Source, reason: str
) -> None:
    before = source.read()
    source.run(NO_RENAMES[reason])
    changes = likeness(before, source.read())
    assert changes
    assert not [change for change in changes if change.rule.endswith("_renamed")]


def test_thousands_of_tables_that_moved_are_matched_in_seconds() -> None:
    def tables(schema: str) -> Snapshot:
        made = tuple(
            Table(
                schema=schema,
                name=f"t{number}",
                kind="table",
                columns=tuple(
                    Column(name=name, type="integer")
                    for name in ("id", "created_at", "note", f"c{number}")
                ),
            )
            for number in range(3000)
        )
        return Snapshot(dialect="mysql", database_name="d", server_version="8", tables=made)

    changes = diff_snapshots(tables("a"), tables("b"), 1, 2).changes
    assert {change.rule for change in changes} == {"table_renamed"}
    assert len(changes) == 3000


def with_labels(*labels: str) -> Snapshot:
    enum = EnumType(schema="s", name="e", labels=labels)
    return Snapshot(dialect="mysql", database_name="d", server_version="8", enums=(enum,))


def test_the_labels_of_a_large_enum_are_not_compared_each_with_each() -> None:
    compared = 0

    class Label(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    # Equal labels that are not the same objects, as two readings give them.
    before, after = ([Label(f"label {number}") for number in range(2000)] for _ in range(2))
    [change] = diff_snapshots(with_labels(*before), with_labels(*after, "new"), 1, 2).changes
    assert change.rule == "enum_label_added"
    assert compared < 20 * len(before)


def test_names_of_columns_are_compared_so_long_as_a_diff_has_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def tables(*names: str) -> Snapshot:
        # Beside each other, so that no place tells which is which.
        columns = tuple(Column(name=name, type="integer") for name in names)
        made = tuple(
            Table(schema="s", name=f"t{number}", kind="table", columns=columns)
            for number in range(3)
        )
        return Snapshot(dialect="mysql", database_name="d", server_version="8", tables=made)

    monkeypatch.setattr(similarity, "_MOST_NAME_PAIRS_OF_A_DIFF", 8)
    before, after = tables("total", "customer_id"), tables("totals", "customer_ids")
    changes = diff_snapshots(before, after, 1, 2).changes
    assert {change.subject for change in changes if change.rule == "column_renamed"} == {
        "s.t0.totals",
        "s.t0.customer_ids",
        "s.t1.totals",
        "s.t1.customer_ids",
    }


# --- over versions ---------------------------------------------------------------------------


class History:
    """A source whose readings are saved, each as the version that it makes."""

    def __init__(self, source: Source, store: SnapshotStore) -> None:
        self.source, self.store = source, store
        self.save()

    def save(self, *statements: str) -> int:
        for statement in statements:
            self.source.run(statement)
        return self.store.save("7", self.source.read()).version.version

    def told(self, first: int, last: int) -> Told:
        renames = self.store.renames("7", first, last)
        before, after = self.store.load("7", first), self.store.load("7", last)
        return told(diff_snapshots(before, after, first, last, renames))


@pytest.fixture
def history(source: Source, metadata_dsn: str) -> Iterator[History]:
    database = MetadataDatabase(metadata_dsn)
    ConnectionRegistry(database).register([Connection("7", "shop", "postgresql", True, "")])
    yield History(source, SnapshotStore(database))
    database.close()


def test_a_chain_over_versions_is_one_rename(history: History) -> None:
    history.save("alter table s.twins rename to a")
    history.save("alter table s.a rename a to z")
    last = history.save("alter table s.a rename to b", "alter table s.b rename z to y")
    assert history.told(1, last) == {
        ("table_renamed", "s.b", "s.twins", "s.b"),
        ("column_renamed", "s.b.y", "a", "y"),
    }


def test_a_partition_that_was_renamed_then_detached_then_renamed_is_one_rename(
    history: History,
) -> None:
    history.save("alter table s.days_2025 rename to a")
    history.save("alter table s.days detach partition s.a")
    last = history.save("alter table s.a rename to b", "alter table s.b rename note to remark")
    assert history.told(1, last) == {
        ("partition_renamed", "s.b", "s.days_2025", "s.b"),
        ("partition_detached", "s.b", "", ""),
        ("column_renamed", "s.b.remark", "note", "remark"),
    }


def test_what_was_renamed_and_renamed_back_is_no_change(history: History) -> None:
    history.save("alter table s.twins rename to a", "alter table s.a rename b to z")
    last = history.save("alter table s.a rename to twins", "alter table s.twins rename z to b")
    assert last == 3
    assert history.told(1, last) == set()


def test_names_that_were_swapped_over_versions_are_two_renames(history: History) -> None:
    history.save("alter table s.twins rename to x")
    history.save("alter table s.pairs rename to twins")
    last = history.save("alter table s.x rename to pairs")
    assert history.told(1, last) == {
        ("table_renamed", "s.pairs", "s.twins", "s.pairs"),
        ("table_renamed", "s.twins", "s.pairs", "s.twins"),
    }


def test_what_a_rename_led_to_and_was_dropped_and_made_again_is_new(history: History) -> None:
    history.save("alter table s.twins rename to a")
    history.save("drop table s.a")
    last = history.save("create table s.a (a integer, b integer)")
    assert history.told(1, last) == {
        ("table_removed", "s.twins", "", ""),
        ("table_added", "s.a", "", ""),
    }


def test_what_a_rename_led_to_and_was_replaced_within_a_version_is_new(history: History) -> None:
    history.save("alter table s.twins rename to a")
    last = history.save("drop table s.a", "create table s.a (a integer, b integer, c integer)")
    assert history.told(1, last) == {
        ("table_removed", "s.twins", "", ""),
        ("table_added", "s.a", "", ""),
    }


def test_a_new_table_that_took_over_a_name_before_it_was_renamed_is_new(history: History) -> None:
    history.save("drop table s.twins")
    history.save("create table s.twins (a integer, b integer)")
    last = history.save("alter table s.twins rename to a")
    assert history.told(1, last) == {
        ("table_removed", "s.twins", "", ""),
        ("table_added", "s.a", "", ""),
    }


def test_a_column_that_a_rename_led_to_and_that_was_made_again_is_new(history: History) -> None:
    history.save("alter table s.twins rename b to c")
    history.save("alter table s.twins rename to duo", "alter table s.duo drop c")
    last = history.save("alter table s.duo add c integer")
    assert history.told(1, last) == {
        ("table_renamed", "s.duo", "s.twins", "s.duo"),
        ("column_removed", "s.duo.b", "integer", ""),
        ("column_added", "s.duo.c", "", "integer"),
    }


def test_a_new_column_that_took_over_a_name_before_it_was_renamed_is_new(
    history: History,
) -> None:
    history.save("alter table s.twins drop b")
    history.save("alter table s.twins add b integer")
    last = history.save("alter table s.twins rename b to c")
    assert history.told(1, last) == {
        ("column_removed", "s.twins.b", "integer", ""),
        ("column_added", "s.twins.c", "", "integer"),
    }


def test_a_save_is_told_with_the_renames_that_it_brought(history: History) -> None:
    history.source.run("alter table s.twins rename to a")
    snapshot = history.source.read()
    saved = history.store.save("7", snapshot)
    diff = changes_since(history.store, snapshot, saved)
    assert diff is not None
    assert told(diff) == {("table_renamed", "s.a", "s.twins", "s.a")}
