"""The registry's partition keys: readable, unique, frozen."""

from __future__ import annotations

import re

import pytest
from dagster._core.definitions.partitions.utils import (
    raise_error_on_invalid_partition_key_substring,
)
from hypothesis import example, given
from hypothesis import strategies as st

from twd_shared.clients.catalog import Connection
from twd_shared.errors import UnknownConnection
from twd_shared.store.connections import ConnectionRegistry, free_partition_key
from twd_shared.store.database import MetadataDatabase


def listed(connection_id: str, name: str, is_active: bool = True) -> Connection:
    return Connection(connection_id, name, "postgresql", is_active, "postgresql://u:p@h/d")


@given(name=st.text(max_size=100) | st.text(alphabet="ab./…"))
@example(name="a...b")
def test_a_key_of_any_name_is_plain_and_short(name: str) -> None:
    key = free_partition_key(name, set())
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,63}", key)
    raise_error_on_invalid_partition_key_substring([key])


@given(names=st.lists(st.sampled_from(["shop", "Shop", "shop-2", "", "cửa hàng", "x" * 70])))
def test_keys_of_any_names_differ(names: list[str]) -> None:
    taken: set[str] = set()
    for name in names:
        key = free_partition_key(name, taken)
        assert key not in taken
        taken.add(key)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("shop", "shop"),
        ("Cửa hàng Đà Nẵng", "Cua-hang-Da-Nang"),
        ("a/b c", "a-b-c"),
        ("💥", "database"),
        ("..", "database"),
        ("v1.2", "v1.2"),
        ("shop...old", "shop.old"),
        ("shop…old", "shop.old"),
    ],
)
def test_a_key_stays_readable(name: str, key: str) -> None:
    assert free_partition_key(name, set()) == key


def test_a_name_that_is_taken_gets_a_number(database: MetadataDatabase) -> None:
    registry = ConnectionRegistry(database)
    registry.register([listed("1", "shop"), listed("2", "shop")])
    assert {item.connection_id: item.partition_key for item in registry.known()} == {
        "1": "shop",
        "2": "shop-2",
    }


def test_a_renamed_connection_keeps_its_key(registry: ConnectionRegistry) -> None:
    [renamed] = registry.register([listed("7", "warehouse")])
    assert (renamed.partition_key, renamed.database_name) == ("shop", "warehouse")


def test_a_connection_that_went_away_keeps_its_key_from_others(
    registry: ConnectionRegistry,
) -> None:
    registry.deactivate("7")
    [other] = registry.register([listed("8", "shop")])
    assert other.partition_key == "shop-2"


def test_registering_keeps_the_status(registry: ConnectionRegistry) -> None:
    registry.set_status("7", "failing", "wrong password")
    [known] = registry.register([listed("7", "shop")])
    assert (known.status, known.status_reason) == ("failing", "wrong password")


def test_a_partition_that_nobody_registered_is_an_error_with_a_remedy(
    registry: ConnectionRegistry,
) -> None:
    with pytest.raises(UnknownConnection, match=r"'nope'.*new_connection_sensor"):
        registry.by_partition("nope")
