"""Transactions on the metadata database: what a reading one sees, and what it may do."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from twd_shared.errors import MetadataUnavailable
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase

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
