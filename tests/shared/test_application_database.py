"""The application's database, as it is reached."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
import sqlalchemy as sa

from twd_shared.clients.application import ApplicationDatabase
from twd_shared.errors import ApplicationRefused, ConfigurationError

pytestmark = pytest.mark.integration

OF_LIBPQ = "channel_binding=prefer&connect_timeout=5&gssencmode=disable&keepalives_idle=30"


def test_an_address_may_hold_what_only_libpq_understands(application_dsn: str) -> None:
    database = ApplicationDatabase(f"{application_dsn}?{OF_LIBPQ}")
    assert database.fetch("select 1")[0][0] == 1
    # A driver that is built on libpq heeds it.
    assert OF_LIBPQ in database.dsn


@pytest.mark.parametrize("demand", ["channel_binding=require", "gssencmode=require"])
def test_a_proof_that_one_of_the_drivers_cannot_ask_for_is_not_dropped(demand: str) -> None:
    with pytest.raises(ConfigurationError, match=f"TWD_APPLICATION_DSN demands {demand}"):
        ApplicationDatabase(f"postgresql://u:p@h/d?{demand}")


@pytest.fixture
def guest(application_dsn: str) -> Iterator[ApplicationDatabase]:
    """The application's database to a role that may read two columns of one table."""
    name = f"guest_{uuid.uuid4().hex[:8]}"
    _run(
        application_dsn,
        f"create role {name} login password 'hush'",
        f"grant select (id, role) on messages to {name}",
    )
    address = sa.make_url(application_dsn).set(username=name, password="hush")
    yield ApplicationDatabase(address.render_as_string(hide_password=False))
    _run(application_dsn, f"drop owned by {name}", f"drop role {name}")


def _run(dsn: str, *statements: str) -> None:
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def test_columns_that_are_kept_from_the_role_are_as_good_as_missing(
    guest: ApplicationDatabase,
) -> None:
    assert guest.columns("messages") == {"id": "bigint", "role": "text"}
    assert guest.columns_with("messages", "role") == guest.columns("messages")


def test_what_may_not_be_read_is_told_apart_from_what_is_missing(
    guest: ApplicationDatabase,
) -> None:
    with pytest.raises(ApplicationRefused, match=r"may not read content, error of table 'messages"):
        guest.columns_with("messages", "id", "content", "error")
    with pytest.raises(ApplicationRefused, match="has no column nope in table 'messages'"):
        guest.columns_with("messages", "nope")
    with pytest.raises(ApplicationRefused, match="has no table 'nope'"):
        guest.columns_with("nope", "id")


def test_a_table_of_which_nothing_may_be_read_is_not_taken_for_none(
    guest: ApplicationDatabase,
) -> None:
    assert guest.columns("nope") == {}
    with pytest.raises(ApplicationRefused, match=r"may not read id, .* of table 'conversations'"):
        guest.columns("conversations")
