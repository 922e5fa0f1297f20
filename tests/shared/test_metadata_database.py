"""Transactions on the metadata database: what a reading one sees, and what it may do."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa

from twd_shared.errors import MetadataRefused, MetadataUnavailable
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase

from .severed_link import SeveredLink

NAME = sa.text("select database_name from twd.connections")
RENAME = sa.text("update twd.connections set database_name = 'other'")


def test_all_statements_of_a_reading_transaction_see_the_same_moment(
    database: MetadataDatabase, registry: ConnectionRegistry
) -> None:
    with database.read() as reading:
        before = reading.execute(NAME).scalar_one()
        with database.begin() as writing:
            writing.execute(RENAME)
        assert reading.execute(NAME).scalar_one() == before


def test_a_reading_transaction_writes_nothing(
    database: MetadataDatabase, registry: ConnectionRegistry
) -> None:
    with (
        pytest.raises(sa.exc.DBAPIError, match="read-only transaction"),
        database.read() as reading,
    ):
        reading.execute(RENAME)


def test_a_transaction_after_a_reading_one_can_write(
    database: MetadataDatabase, registry: ConnectionRegistry
) -> None:
    with database.read() as reading:
        reading.execute(NAME)
    with database.begin() as writing:
        writing.execute(RENAME)
    assert registry.known()[0].database_name == "other"


def test_a_server_that_is_away_is_named_without_its_password() -> None:
    database = MetadataDatabase("postgresql://u:secret@127.0.0.1:1/meta")
    with pytest.raises(MetadataUnavailable, match=r"127\.0\.0\.1:1") as caught, database.read():
        pass
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"password": "hush"}, "wrong user or password"),
        ({"username": "hush"}, "wrong user or password"),
        ({"database": "not_there"}, "there is no such database"),
        ({"host": "no-such-host.invalid"}, "the host name is not known"),
        ({"port": 1}, "nothing listens there"),
    ],
)
def test_why_a_database_is_not_available_is_told(
    metadata_dsn: str, change: dict[str, Any], cause: str
) -> None:
    dsn = sa.make_url(metadata_dsn).set(**change).render_as_string(hide_password=False)
    with (
        closing(MetadataDatabase(dsn)) as database,
        pytest.raises(MetadataUnavailable, match=rf"not available \({cause}") as caught,
        database.read(),
    ):
        pass
    assert "hush" not in str(caught.value)


def test_a_server_that_is_cut_off_in_a_transaction_is_waited_for_within_a_limit(
    severed_link: SeveredLink, metadata_dsn: str
) -> None:
    def use(database: MetadataDatabase) -> None:
        with database.begin() as transaction:
            severed_link.sever()
            transaction.execute(NAME)

    with (
        closing(_behind(severed_link, metadata_dsn)) as database,
        pytest.raises(MetadataUnavailable, match="no answer in time"),
    ):
        use(database)


def test_a_session_that_was_cut_off_while_nobody_used_it_is_replaced_within_a_limit(
    severed_link: SeveredLink, metadata_dsn: str
) -> None:
    with closing(_behind(severed_link, metadata_dsn)) as database:
        for _ in range(2):
            with database.read() as reading:
                reading.execute(NAME)
            severed_link.sever()


def test_the_limits_of_silence_in_an_address_go_before_ours(metadata_dsn: str) -> None:
    url = sa.make_url(metadata_dsn).update_query_dict({"tcp_user_timeout": "7000"})
    database = MetadataDatabase(url.render_as_string(hide_password=False))
    with closing(database), closing(database.open_session()) as session:
        driver = session.connection.driver_connection
        assert driver is not None
        told = driver.info.dsn_parameters
    assert (told["tcp_user_timeout"], told["keepalives_idle"]) == ("7000", "30")


def _behind(link: SeveredLink, dsn: str) -> MetadataDatabase:
    url = sa.make_url(dsn).set(port=link.port)
    return MetadataDatabase(url.render_as_string(hide_password=False), silent_seconds=2)


def test_a_database_without_our_tables_is_named_with_what_to_do(services: Any) -> None:
    dsn = services.database()
    with closing(MetadataDatabase(dsn)) as database, pytest.raises(MetadataUnavailable) as caught:
        ConnectionRegistry(database).known()
    said = str(caught.value)
    assert f"{sa.make_url(dsn).database} does not hold the tables of this release" in said
    assert 'relation "twd.connections" does not exist' in said
    assert "make up" in said


def test_a_role_that_may_not_read_our_tables_is_told_so(
    database: MetadataDatabase, registry: ConnectionRegistry
) -> None:
    # A role that comes with every server and was granted nothing of ours.
    reading = sa.text(f"set local role pg_monitor; {NAME}")
    with (
        pytest.raises(MetadataRefused, match="permission denied for schema twd"),
        database.begin() as transaction,
    ):
        transaction.execute(reading)


def test_what_is_too_long_for_the_server_is_refused_and_not_tried_again(
    database: MetadataDatabase, registry: ConnectionRegistry
) -> None:
    # Of no use to compress.
    name = "select string_agg(md5(n::text), '') from generate_series(1, 300) n"
    with (
        pytest.raises(MetadataRefused, match="cannot keep what was to be written: index row"),
        database.begin() as transaction,
    ):
        transaction.execute(sa.text(f"update twd.connections set partition_key = ({name})"))


def test_a_mistake_in_a_statement_is_no_refusal(database: MetadataDatabase) -> None:
    with pytest.raises(sa.exc.ProgrammingError), database.begin() as transaction:
        transaction.execute(sa.text("select from where"))
