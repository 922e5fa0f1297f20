"""Where a connection allows it, its source says of each pair whether it would run; nothing runs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import msgspec
import psycopg2
import pytest
import sqlalchemy as sa

from twd_shared.clients.catalog import Connection
from twd_shared.clients.training_options import TrainingOptions
from twd_shared.errors import SourceBusy, SourceRefused
from twd_shared.sources.access import SourceAccess
from twd_shared.store.host_readings import HostReadings
from twd_training.examples.changes import wishes_of
from twd_training.examples.collecting import Collected
from twd_training.examples.planning import SourcePlanner
from twd_training.examples.store import TrainingSet

from ..lock_waits import wait_for_a_waiting_session
from ..statements import execute
from .conftest import CUSTOMER, Location, snapshot_of

pytestmark = pytest.mark.integration

TABLES = """
create table customer (customer_id integer primary key, full_name text);
create table invoice (invoice_id integer, customer_id integer, total_amount numeric(10,2));
create schema stock;
create table stock.warehouse (warehouse_id integer, city text);
create sequence counted;
create function shout(text) returns text language sql as 'select upper($1)';
"""
SUM = "select sum(total_amount) from invoice"


@pytest.fixture
def source(services: Any) -> str:
    """Address of a database with the tables of the location's snapshot."""
    dsn = services.database()
    execute(dsn, TABLES)
    return dsn


def with_login(dsn: str, role: str, password: str) -> str:
    return sa.make_url(dsn).set(username=role, password=password).render_as_string(False)


def asked(dsn: str) -> Connection:
    return Connection("7", "shop", "postgresql", True, dsn, training=TrainingOptions(explain=True))


def collect(location: Location, dsn: str) -> Collected:
    return location.collect(asked(dsn))


def refusals(location: Location, dsn: str, *statements: str) -> dict[str, str]:
    return SourcePlanner(location.access, asked(dsn)).refusals(statements)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("select sum(full_name) from customer", "function sum(text) does not exist"),
        ("select nope(full_name) from customer", "function nope(text) does not exist"),
        (
            "select customer_id from customer c join invoice i on c.customer_id = i.customer_id",
            'column reference "customer_id" is ambiguous',
        ),
        (
            "select full_name, count(*) from customer",
            'column "customer.full_name" must appear in the GROUP BY clause or be used in an '
            "aggregate function",
        ),
        ("select * from customer where full_name > 3", "operator does not exist: text > integer"),
        ("select nowhere.nope(1) from customer", 'schema "nowhere" does not exist'),
        ("select full_name from customer where customer_id = $1", "it has parameters"),
        ("select 1; drop table customer", "cannot insert multiple commands into a prepared"),
    ],
)
def test_what_the_source_would_not_run_is_refused_in_its_words(
    location: Location, source: str, statement: str, reason: str
) -> None:
    assert refusals(location, source, statement)[statement].startswith(reason)


@pytest.mark.parametrize(
    "statement",
    [
        SUM,
        "select shout(full_name) from customer;",
        "select city from stock.warehouse -- where?",
        "with x as (select * from invoice) select count(*) from x",
    ],
)
def test_what_it_would_run_is_not(location: Location, source: str, statement: str) -> None:
    assert refusals(location, source, statement) == {}


def test_a_statement_that_is_refused_spoils_no_other(location: Location, source: str) -> None:
    refused = refusals(location, source, "select nowhere.nope(1)", "select $1", SUM)
    assert SUM not in refused
    assert len(refused) == 2


OF_MYSQL = "select full_name from customer limit 5, 10"


@pytest.mark.parametrize(
    "sql",
    [
        OF_MYSQL,
        "select full_name from customer,",
        "select full_name from customer where customer_id in ()",
        "select [full_name] from customer",
    ],
)
def test_what_postgresql_cannot_parse_is_rejected_though_the_source_is_not_asked(
    location: Location, sql: str
) -> None:
    location.teach(sql, "Who?")
    location.teach(SUM, "How much?")
    told = {item.question: item.reason for item in location.collect().items}
    assert told == {"Who?": "PostgreSQL cannot parse it", "How much?": ""}


@pytest.mark.parametrize(
    "sql",
    [
        "select extract(year from full_name) from customer",
        "select full_name from customer where full_name ilike 'x'",
        "select customer_id::text from customer",
    ],
)
def test_what_sqlite_cannot_parse_is_rejected(location: Location, sql: str) -> None:
    snapshot = snapshot_of(CUSTOMER, dialect="sqlite")
    location.store.snapshots.save(location.connection_id, snapshot)
    location.teach(sql, "Who?")
    location.teach("select full_name from customer limit 5, 10", "How much?")
    told = {item.question: item.reason for item in location.collect().items}
    assert told == {"Who?": "SQLite cannot parse it", "How much?": ""}


@pytest.mark.parametrize("other", [{"dialect": "mysql"}, {"server_version": "99.1"}])
def test_the_grammar_of_an_older_server_or_another_dialect_is_not_asked(
    location: Location, other: dict[str, str]
) -> None:
    snapshot = msgspec.structs.replace(snapshot_of(CUSTOMER), **other)
    location.store.snapshots.save("7", snapshot)
    location.teach(OF_MYSQL, "Who?")
    assert [item.accepted for item in location.collect().items] == [True]


def test_nothing_runs(location: Location, source: str) -> None:
    refusals(location, source, "select nextval('counted')", "select pg_sleep(30)")
    connection = psycopg2.connect(source)
    with connection, connection.cursor() as cursor:
        cursor.execute("select is_called from counted")
        assert cursor.fetchone() == (False,)
    connection.close()


def test_no_function_of_the_source_is_run(location: Location, source: str) -> None:
    execute(
        source,
        "create function boom(integer) returns integer immutable language plpgsql"
        " as 'begin raise exception ''it ran''; end'",
        "create view exploding as select boom(1) as x",
    )
    statements = ("select boom(1)", "select x from exploding", "select 1 where boom(2) = 3")
    assert refusals(location, source, *statements) == {}


def test_a_table_that_the_role_may_not_read_is_no_fault_of_the_statement(
    location: Location, source: str
) -> None:
    execute(source, "create role reader_of_nothing login password 'x'")
    try:
        weak = with_login(source, "reader_of_nothing", "x")
        assert refusals(location, weak, SUM) == {}
    finally:
        execute(source, "drop role reader_of_nothing")


def test_a_pair_that_types_break_is_put_into_quarantine_and_comes_back(
    location: Location, source: str
) -> None:
    location.teach(SUM, "How much?")
    assert collect(location, source).items[0].accepted
    execute(source, "alter table invoice alter total_amount type text")
    broken = collect(location, source)
    assert broken.items[0].is_quarantined
    assert broken.items[0].reason == "function sum(text) does not exist"
    execute(
        source, "alter table invoice alter total_amount type numeric using total_amount::numeric"
    )
    assert collect(location, source).outcome.restored == 1


def test_a_connection_that_does_not_allow_it_is_not_asked(location: Location) -> None:
    location.teach("select sum(full_name) from customer", "How much?")
    collected = location.collect(
        Connection("7", "shop", "postgresql", True, "postgresql://nobody@127.0.0.1:9/none")
    )
    assert (collected.items[0].accepted, collected.asked_source) == (True, False)


def test_a_source_that_is_down_gives_nothing_back_and_is_asked_again(
    location: Location, source: str
) -> None:
    location.teach(SUM, "How much?")
    location.teach("select sum(full_name) from customer", "Who?")
    collect(location, source)
    away = collect(location, "postgresql://nobody:hidden@127.0.0.1:9/none")
    assert [item.accepted for item in away.items] == [True, False]
    assert away.unplanned.startswith("connection 7 (shop) at 127.0.0.1:9/none cannot be reached")
    assert "hidden" not in away.unplanned
    training_set = TrainingSet(location.database)
    training_set.mark_published("7", training_set.marker("7"))
    wishes = wishes_of(
        [location.connection],
        now={"7": away.reading.marker},
        published=training_set.published_markers(),
        live={"7": 1},
        indexed={"7": 1},
        vanished=(),
        trained={},
        model=None,
    )
    assert wishes == {"7": f"training data {away.reading.marker}"}


def test_a_wrong_password_is_told_without_it(
    location: Location, services: Any, source: str
) -> None:
    with pytest.raises(SourceRefused) as refusal:
        refusals(location, with_login(source, "twd_nobody", "hidden"), SUM)
    assert "hidden" not in str(refusal.value)


def test_a_host_that_may_not_be_reached_is_not_asked(location: Location, source: str) -> None:
    access = SourceAccess.configured("postgresql", "public", "", 5)
    with pytest.raises(Exception, match="may not be reached"):
        SourcePlanner(access, asked(source)).refusals([SUM])


def test_a_source_whose_host_is_busy_is_not_asked(location: Location, source: str) -> None:
    # No reading at once: each would be one too many, and nobody needs to be asked.
    busy = HostReadings(location.database, 0, 0)
    access = SourceAccess.configured("postgresql", "loopback", "", 5, busy)
    with pytest.raises(SourceBusy):
        SourcePlanner(access, asked(source)).refusals([SUM])


def test_a_table_that_is_locked_is_no_fault_of_the_statement(
    location: Location, source: str
) -> None:
    connection = psycopg2.connect(source)
    try:
        with connection.cursor() as cursor:
            cursor.execute("lock table invoice")
            access = SourceAccess.configured("postgresql", "loopback", "", 1)
            assert SourcePlanner(access, asked(source)).refusals([SUM]) == {}
    finally:
        connection.close()


def test_a_table_that_is_locked_for_a_moment_does_not_hide_a_fault(
    location: Location, source: str
) -> None:
    access = SourceAccess.configured("postgresql", "loopback", "", 20)
    wrong = "select total_amount || 1 + 'x' from invoice"
    with ThreadPoolExecutor(1) as aside, closing(psycopg2.connect(source)) as migration:
        migration.cursor().execute("lock table invoice")
        asking = aside.submit(SourcePlanner(access, asked(source)).refusals, [wrong])
        wait_for_a_waiting_session(source)
        migration.rollback()
        assert asking.result().keys() == {wrong}


def test_new_pairs_wait_for_a_source_that_is_down(location: Location, source: str) -> None:
    location.teach(SUM, "How much?")
    collect(location, source)
    location.teach("select count(*) from invoice", "How many?")
    away = collect(location, "postgresql://nobody@127.0.0.1:9/none")
    reasons = {item.question: item.reason for item in away.items}
    assert reasons == {"How much?": "", "How many?": "the source could not be asked yet"}
    assert all(item.accepted for item in collect(location, source).items)
