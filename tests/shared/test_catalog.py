"""The application's catalog: what it may look like, and what is said when it looks wrong."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import sqlalchemy as sa

from twd_shared.clients.catalog import (
    ApiCatalog,
    Connection,
    DatabaseCatalog,
    Listing,
    connection_of,
    dialect_of,
)
from twd_shared.clients.extraction_options import ExtractionOptions
from twd_shared.clients.training_options import TrainingOptions
from twd_shared.errors import CatalogUnavailable, ConfigurationError, UnknownConnection

from ..local_server import LocalServer
from .severed_link import SeveredLink
from .strict_pooler import StrictPooler

ROW = {"id": 7, "database_name": "shop", "connection_string": "postgresql://u:pw@h/shop"}


@pytest.mark.parametrize("body", [{"connections": [ROW]}, [ROW]])
def test_a_list_is_accepted_with_and_without_its_envelope(http_server: Any, body: object) -> None:
    http_server.answer(body)
    assert ApiCatalog(http_server.url).listing() == Listing(
        (Connection("7", "shop", "postgresql", True, "postgresql://u:pw@h/shop"),)
    )


@pytest.mark.parametrize(
    ("fields", "db_type"),
    [
        ({"db_type": "postgres"}, "postgresql"),
        ({"db_type": "MariaDB"}, "mysql"),
        ({"db_type": "postgresql+asyncpg"}, "postgresql"),
        ({"db_type": None}, "postgresql"),
        ({"connection_string": "mysql+pymysql://u:pw@h/shop"}, "mysql"),
        ({"connection_string": "pw-without-a-scheme"}, "unknown"),
    ],
)
def test_a_database_type_is_told_by_its_field_or_by_the_scheme(
    http_server: Any, fields: dict[str, Any], db_type: str
) -> None:
    http_server.answer([{**ROW, **fields}])
    [connection] = ApiCatalog(http_server.url).listing().connections
    assert connection.db_type == db_type


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("postgres", "postgresql"),
        (" PostgreSQL+asyncpg ", "postgresql"),
        ("mariadb+pymysql", "mysql"),
        ("sqlite", "sqlite"),
        ("Oracle", "oracle"),
    ],
)
def test_a_database_type_has_one_name(name: str, dialect: str) -> None:
    assert dialect_of(name) == dialect


def test_extraction_options_come_with_their_connection(http_server: Any) -> None:
    http_server.answer([{**ROW, "extraction": {"exclude": ["audit"]}}, {**ROW, "id": 8}])
    first, second = ApiCatalog(http_server.url).listing().connections
    assert first.extraction == ExtractionOptions(exclude=("audit",))
    assert second.extraction == ExtractionOptions()


def test_an_id_may_be_a_uuid(http_server: Any) -> None:
    identity = "0a8f6cbe-54b1-4c0e-8b0f-3d6f2a0c7a11"
    http_server.answer([{**ROW, "id": identity}])
    [connection] = ApiCatalog(http_server.url).listing().connections
    assert connection.connection_id == identity


@pytest.mark.parametrize(("value", "is_active"), [(None, True), (0, False), (False, False)])
def test_a_connection_is_active_unless_it_says_otherwise(
    http_server: Any, value: object, is_active: bool
) -> None:
    http_server.answer([{**ROW, "is_active": value}])
    [connection] = ApiCatalog(http_server.url).listing().connections
    assert connection.is_active is is_active


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"connections": "none"}, "without a list"),
        ({"error": "x"}, "without a list"),
    ],
)
def test_an_answer_that_is_no_list_of_connections_is_explained(
    http_server: Any, body: object, said: str
) -> None:
    http_server.answer(body)
    with pytest.raises(CatalogUnavailable, match=said) as raised:
        ApiCatalog(http_server.url).listing()
    assert http_server.url in str(raised.value)


@pytest.mark.parametrize(
    ("rows", "identity", "said"),
    [
        ([1], None, "not an object"),
        ([{**ROW, "id": None}], None, "without id"),
        ([{"id": 0, "connection_string": "x"}], "0", "connection '0' without database_name"),
        ([{**ROW, "connection_string": ""}], "7", "connection '7' without connection_string"),
        ([{**ROW, "database_name": "a\x00b"}], "7", "a name of unprintable characters"),
        ([{**ROW, "is_active": "false"}], "7", "is_active that is not true or false"),
        (
            [{**ROW, "connection_string": "postgresql://u:canary\ud83d@h/shop"}],
            "7",
            "connection '7' with a connection string that holds a NUL or half of a character",
        ),
        ([{**ROW, "connection_string": "canary\0"}], "7", "with a connection string that holds"),
        ([{**ROW, "db_type": "postgresql\0"}], "7", "with a type that holds a NUL or half"),
        ([{**ROW, "db_type": "\udead"}], "7", "with a type that holds a NUL or half"),
        ([{**ROW, "id": "\ud83d"}] * 2, "\ud83d", r"connection '\ud83d' twice"),
        ([ROW, ROW], "7", "connection '7' twice"),
        (
            [{**ROW, "training": {"listen": True}}],
            "7",
            "connection '7' with a training that cannot be followed: Object contains unknown field",
        ),
        (
            [{**ROW, "extraction": {"exclude": "audit"}}],
            "7",
            "connection '7' with an extraction that cannot be followed: Expected `array`",
        ),
    ],
)
def test_a_row_that_cannot_be_used_is_explained_and_spoils_no_other(
    http_server: Any, rows: list[object], identity: str | None, said: str
) -> None:
    http_server.answer([*rows, {**ROW, "id": 8}])
    listing = ApiCatalog(http_server.url).listing()
    assert [item.connection_id for item in listing.connections] == ["8"]
    assert {row.connection_id for row in listing.unreadable} == {identity}
    assert said in listing.unreadable[0].reason
    assert listing.unreadable[0].reason.isprintable()
    assert "canary" not in listing.unreadable[0].reason


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [(500, b"{}", "answered 500"), (200, b"<html>", "did not answer with JSON")],
)
def test_a_failing_api_is_named_with_a_remedy(
    http_server: Any, status: int, body: bytes, said: str
) -> None:
    http_server.status, http_server.body = status, body
    with pytest.raises(CatalogUnavailable, match=said):
        ApiCatalog(http_server.url).listing()


class _Dripping(BaseHTTPRequestHandler):
    """Answers a blank every tenth of a second, and comes to no end."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):
            for _ in range(100):
                self.wfile.write(b" ")
                time.sleep(0.1)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_an_answer_that_comes_to_no_end_is_given_up() -> None:
    with closing(LocalServer(_Dripping)) as server:
        catalog = ApiCatalog(server.url, answer_seconds=0.5)
        with closing(catalog), pytest.raises(CatalogUnavailable, match=r"no end within 0\.5 s"):
            catalog.listing()


def test_an_application_database_that_is_cut_off_is_given_up(
    severed_link: SeveredLink, application_dsn: str
) -> None:
    url = sa.make_url(application_dsn).set(port=severed_link.port)
    catalog = DatabaseCatalog(url.render_as_string(hide_password=False), silent_seconds=1)

    def cut(*_: object) -> None:
        severed_link.sever()

    sa.event.listen(sa.Engine, "after_cursor_execute", cut)
    try:
        with closing(catalog), pytest.raises(CatalogUnavailable, match="cannot be read"):
            catalog.listing()
    finally:
        sa.event.remove(sa.Engine, "after_cursor_execute", cut)


def test_an_api_that_is_down_is_named_with_a_remedy() -> None:
    with pytest.raises(CatalogUnavailable, match=r"127\.0\.0\.1:9/.*TWD_API_URL"):
        ApiCatalog("http://127.0.0.1:9").listing()


def test_an_api_address_with_a_login_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match="TWD_API_URL") as raised:
        ApiCatalog("http://user:canary@127.0.0.1:9")
    assert "canary" not in str(raised.value)


def test_the_database_catalog_reads_the_applications_table(application_dsn: str) -> None:
    engine = sa.create_engine(application_dsn, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "insert into database_connections (name, connection_string, db_type, is_active)"
            " values ('shop', 'postgresql://u:pw@h/shop', 'postgres', false)"
        )
    [listed] = DatabaseCatalog(application_dsn).listing().connections
    assert (listed.database_name, listed.db_type, listed.is_active) == ("shop", "postgresql", False)


@pytest.mark.parametrize("column_type", ["jsonb", "json", "text"])
def test_the_database_catalog_reads_extraction_options(services: Any, column_type: str) -> None:
    dsn = services.database()
    engine = sa.create_engine(dsn, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "create table database_connections (id int, name text, connection_string text,"
            f" db_type text, is_active boolean, extraction {column_type})"
        )
        connection.exec_driver_sql(
            "insert into database_connections values"
            """ (1, 'shop', 'postgresql://h/shop', null, true, '{"partitions": "listed"}'),"""
            " (2, 'shop', 'postgresql://h/shop', null, true, null)"
        )
    first, second = DatabaseCatalog(dsn).listing().connections
    assert first.extraction == ExtractionOptions(partitions="listed")
    assert second.extraction == ExtractionOptions()


def test_training_options_come_with_their_connection(http_server: Any) -> None:
    http_server.answer([{**ROW, "training": {"explain": True}}, {**ROW, "id": 8}])
    first, second = ApiCatalog(http_server.url).listing().connections
    assert first.training == TrainingOptions(explain=True)
    assert second.training == TrainingOptions()


def test_an_application_without_extraction_options_is_read(services: Any) -> None:
    dsn = services.database()
    engine = sa.create_engine(dsn, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "create table database_connections as select 1 as id, 'shop' as name, true as"
            " is_active, 'postgresql' as db_type, 'postgresql://h/shop' as connection_string"
        )
    [listed] = DatabaseCatalog(dsn).listing().connections
    assert listed.extraction == ExtractionOptions()


@pytest.mark.parametrize("is_pooled", [False, True])
def test_it_is_read_in_a_transaction_that_writes_nothing_and_ends_in_time(
    services: Any, is_pooled: bool
) -> None:
    dsn = services.database()
    engine = sa.create_engine(dsn, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "create view database_connections as select 1 as id, true as is_active,"
            " 'postgresql' as db_type, 'postgresql://h/shop' as connection_string,"
            " concat_ws(' ', current_setting('transaction_read_only'),"
            " current_setting('statement_timeout')) as name"
        )
    url = sa.make_url(dsn)
    with closing(StrictPooler(url.port or 5432)) as pooler:
        reached = url.set(port=pooler.port) if is_pooled else url
        [listed] = (
            DatabaseCatalog(reached.render_as_string(hide_password=False)).listing().connections
        )
    assert listed.database_name == "on 10s"


def test_a_database_without_the_table_is_named_with_a_remedy(services: Any) -> None:
    with pytest.raises(CatalogUnavailable, match=r"database_connections at .*TWD_APPLICATION_DSN"):
        DatabaseCatalog(services.database()).listing()


@pytest.mark.parametrize(
    "dsn", ["", "x", "mysql://h/d", "postgresql://u:a@b@h/d", "postgresql://u:p@h:a/b@c/d"]
)
def test_an_address_of_ours_that_cannot_be_used_is_not_repeated(dsn: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        DatabaseCatalog(dsn)
    assert str(raised.value).startswith("TWD_APPLICATION_DSN is not a connection string")
    assert "b@" not in str(raised.value)


def test_a_connection_never_prints_its_connection_string(http_server: Any) -> None:
    http_server.answer([ROW])
    [connection] = ApiCatalog(http_server.url).listing().connections
    assert "pw" not in repr(connection)


def test_a_paused_connection_is_not_handed_out(http_server: Any) -> None:
    http_server.answer([{**ROW, "is_active": False}])
    with pytest.raises(UnknownConnection, match=r"connection 7 \(shop\) is paused"):
        connection_of(ApiCatalog(http_server.url), "7")


def test_a_connection_that_is_not_listed_is_an_error_with_a_remedy(http_server: Any) -> None:
    http_server.answer([ROW])
    with pytest.raises(UnknownConnection, match=r"no connection 8.*TWD_API_URL"):
        connection_of(ApiCatalog(http_server.url), "8")
