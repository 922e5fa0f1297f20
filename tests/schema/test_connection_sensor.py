"""The application's list of connections, followed on real servers tick by tick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from twd_shared.clients.index_layout import Point
from twd_shared.contract import CONNECTION_TAG, TRIGGER_TAG
from twd_shared.resources.servers import QdrantResource
from twd_shared.resources.stores import CatalogResource
from twd_shared.store.index_locks import IndexLocks
from twd_shared.store.tables import schema_diffs
from twd_shared.terms.sparse import SparseTerms

from .daemon import Daemon, found


def test_a_new_connection_gets_a_partition_and_an_import(
    daemon: Daemon, catalog: Any, shop: str
) -> None:
    catalog.add(7, "shop", shop)
    [request] = daemon.tick("new_connection_sensor").run_requests or ()
    assert {key.to_user_string() for key in request.asset_selection or ()} == {
        "schema/raw_schema_metadata",
        "schema/schema_documentation",
        "schema/schema_embeddings",
        "sync/schema_diff",
        "sync/updated_embeddings",
    }
    assert (request.partition_key, request.run_key) == ("shop", None)
    assert request.tags[CONNECTION_TAG] == "7"
    assert request.tags[TRIGGER_TAG] == "new_connection_sensor"
    assert daemon.partitions() == ["shop"]


def test_only_the_first_try_of_an_import_goes_before_what_else_waits_in_the_queue(
    daemon: Daemon, catalog: Any, clock: Callable[[float], None]
) -> None:
    catalog.add(7, "shop", "postgresql://u:p@127.0.0.1:9/shop")
    [first] = daemon.tick("new_connection_sensor").run_requests or ()
    clock(60)
    [second] = daemon.tick("new_connection_sensor").run_requests or ()
    assert int(first.tags["dagster/priority"]) > 0
    assert "dagster/priority" not in second.tags


def test_a_run_request_holds_no_secret(daemon: Daemon, catalog: Any, shop: str) -> None:
    catalog.add(7, "shop", shop)
    result = daemon.tick("new_connection_sensor")
    password = shop.partition("@")[0].rpartition(":")[2]
    assert password not in f"{result.run_requests}{result.cursor}"


def test_an_imported_connection_asks_for_nothing_more(daemon: Daemon, imported: str) -> None:
    assert "all that are active are imported" in daemon.reason("new_connection_sensor")


def test_a_connection_that_cannot_be_read_is_told_beside_those_that_are_imported(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    catalog.add(8, "sealed", "secret:gone")
    assert daemon.reason("new_connection_sensor") == (
        "1 connection listed, all that are active are imported. "
        "1 other cannot be read: this tick's log says why."
    )


def test_a_second_connection_of_the_same_name_gets_a_partition_of_its_own(
    daemon: Daemon, catalog: Any, shop: str
) -> None:
    catalog.add(7, "shop", shop)
    catalog.add("0a8f6cbe-54b1-4c0e-8b0f-3d6f2a0c7a11", "shop", shop)
    assert sorted(daemon.requested("new_connection_sensor")) == ["shop", "shop-2"]
    assert daemon.partitions() == ["shop", "shop-2"]


def assert_taken_out(daemon: Daemon) -> None:
    assert found(daemon, "7") == []
    assert daemon.partitions() == []
    store = daemon.resources["metadata_store"]
    assert store.documentation.cards("7") == []
    assert store.snapshots.newest("7") is not None, "history stays"


def test_a_connection_that_is_paused_is_no_longer_found(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    assert found(daemon, "7") == ["public.customers"]
    catalog.rows[0]["is_active"] = False
    assert daemon.requested("new_connection_sensor") == []
    assert_taken_out(daemon)


def test_a_connection_is_taken_out_when_three_lists_in_a_row_lack_it(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    catalog.rows.clear()
    for _ in range(2):
        daemon.tick("new_connection_sensor")
        assert found(daemon, "7") == ["public.customers"]
    daemon.tick("new_connection_sensor")
    assert_taken_out(daemon)


def test_a_connection_whose_row_cannot_be_read_stays_as_it_is(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    catalog.rows[0]["connection_string"] = ""
    for _ in range(4):
        daemon.tick("new_connection_sensor")
    assert (daemon.partitions(), found(daemon, "7")) == (["shop"], ["public.customers"])


def test_a_row_that_cannot_be_written_down_keeps_no_other_from_its_import(
    daemon: Daemon, catalog: Any, shop: str
) -> None:
    catalog.add(7, "shop", shop)
    catalog.add(8, "torn", "postgresql://u:p\ud83d@h/torn")
    assert daemon.requested("new_connection_sensor") == ["shop"]


def test_an_index_that_is_ahead_of_the_told_changes_is_synced_again(
    daemon: Daemon, imported: str, clock: Callable[[float], None]
) -> None:
    clock(61)
    with daemon.resources["metadata_store"].database.begin() as transaction:
        transaction.execute(sa.delete(schema_diffs))
    assert daemon.requested("new_connection_sensor") == ["shop"]


def test_a_publication_that_was_cut_off_is_asked_for_again(
    daemon: Daemon, imported: str, clock: Callable[[float], None]
) -> None:
    clock(61)
    daemon.resources["metadata_store"].index_states.begin("7")
    assert daemon.requested("new_connection_sensor") == ["shop"]


def test_a_connection_that_is_in_use_keeps_its_partition_until_it_is_taken_out(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    catalog.rows[0]["is_active"] = False
    alias = daemon.resources["qdrant"].schema_index.alias
    with IndexLocks(daemon.resources["metadata_store"].database, alias).publishing("7"):
        daemon.tick("new_connection_sensor")
    assert daemon.partitions() == ["shop"]
    daemon.tick("new_connection_sensor")
    assert_taken_out(daemon)


def test_a_connection_that_is_active_again_is_imported_into_the_same_partition(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    catalog.rows[0]["is_active"] = False
    daemon.tick("new_connection_sensor")
    catalog.rows[0].update(is_active=True, database_name="renamed")
    assert daemon.requested("new_connection_sensor") == ["shop"]
    assert daemon.run("schema_import_job", "shop")
    assert found(daemon, "7") == ["public.customers"]


def test_a_renamed_connection_keeps_its_partition_and_is_found_under_its_new_name(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    catalog.rows[0]["database_name"] = "boutique"
    assert daemon.requested("new_connection_sensor") == ["shop"]
    assert daemon.run("schema_import_job", "shop")
    assert daemon.requested("new_connection_sensor") == []
    index = daemon.resources["qdrant"].schema_index
    told = index.points("7", index.served().name).held(["database_name"])
    assert {point["database_name"] for point in told.values()} == {"boutique"}


def test_a_new_password_asks_for_nothing_where_the_schema_is_the_same(
    daemon: Daemon, catalog: Any, imported: str, execute: Callable[..., None]
) -> None:
    role = f"reader_{imported.rpartition('/')[2]}"
    execute(imported, f"create role {role} login password 'second'")
    address = imported.partition("@")[2]
    catalog.rows[0]["connection_string"] = f"postgresql://{role}:second@{address}"
    assert daemon.requested("new_connection_sensor") == []
    assert "1 of 1 sources asked: 1 fresh" in daemon.reason("schema_change_sensor")


def test_connections_of_any_id_in_any_order_are_all_imported(
    daemon: Daemon, catalog: Any, shop: str
) -> None:
    first, second = "0a8f6cbe-54b1-4c0e-8b0f-3d6f2a0c7a11", 12
    catalog.add(second, "later", shop)
    assert daemon.requested("new_connection_sensor") == ["later"]
    catalog.add(first, "uuid", shop)
    catalog.add(3, "earlier", shop)
    assert sorted(daemon.requested("new_connection_sensor")) == ["earlier", "uuid"]


def test_the_catalog_in_the_database_is_followed_like_that_of_the_api(
    daemon: Daemon, shop: str, application_dsn: str, execute: Callable[..., None]
) -> None:
    daemon.resources["catalog"] = CatalogResource(
        source="database", api_url="http://127.0.0.1:9", application_dsn=application_dsn
    )
    execute(
        application_dsn,
        "insert into database_connections (name, connection_string, db_type, is_active)"
        f" values ('shop', '{shop}', 'postgresql', true)",
    )
    assert daemon.requested("new_connection_sensor") == ["shop"]
    execute(application_dsn, "update database_connections set is_active = false")
    daemon.tick("new_connection_sensor")
    assert daemon.partitions() == []


RUBBISH = [
    (500, None, "answered 500"),
    (200, b"<html>", "did not answer with JSON"),
    (200, b'{"connections": 3}', "without a list"),
]


@pytest.mark.parametrize("sensor", ["new_connection_sensor", "schema_change_sensor"])
def test_a_failing_api_is_a_reason_to_wait_and_takes_nothing_out(
    daemon: Daemon, catalog: Any, imported: str, sensor: str
) -> None:
    for status, answer, said in RUBBISH:
        catalog.status, catalog.answer = status, answer
        reason = daemon.reason(sensor)
        assert catalog.url in reason
        assert said in reason
    assert daemon.partitions() == ["shop"]
    assert found(daemon, "7") == ["public.customers"]


def test_an_api_that_is_down_is_a_reason_to_wait(daemon: Daemon) -> None:
    daemon.resources["catalog"] = CatalogResource(api_url="http://127.0.0.1:9", application_dsn="")
    reason = daemon.reason("new_connection_sensor")
    assert "http://127.0.0.1:9" in reason
    assert "TWD_API_URL" in reason


def test_a_connection_is_taken_out_at_the_next_tick_when_the_index_was_down(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    catalog.rows[0]["is_active"] = False
    running = daemon.resources["qdrant"]
    daemon.resources["qdrant"] = QdrantResource(url="http://127.0.0.1:9")
    assert "QDRANT_URL" in daemon.reason("new_connection_sensor")
    assert daemon.partitions() == ["shop"]
    daemon.resources["qdrant"] = running
    daemon.tick("new_connection_sensor")
    assert (daemon.partitions(), found(daemon, "7")) == ([], [])


def test_a_connection_that_cannot_be_taken_out_delays_no_other_and_is_named(
    daemon: Daemon, catalog: Any, imported: str, shop: str, faults: Callable[..., None]
) -> None:
    catalog.add(8, "second", shop)
    daemon.tick("new_connection_sensor")
    catalog.add(9, "third", shop)
    for row in catalog.rows[:2]:
        row["is_active"] = False
    refused = {"path": "/points/delete", "status": 400, "count": 1}
    faults("qdrant", refused)
    result = daemon.tick("new_connection_sensor")
    assert [request.partition_key for request in result.run_requests or ()] == ["third"]
    assert daemon.partitions() == ["shop", "third"]
    faults("qdrant", refused)
    reason = daemon.reason("new_connection_sensor")
    assert "1 connection could not be taken out and will be at a later tick (shop): " in reason
    assert "refused the request (400" in reason
    daemon.tick("new_connection_sensor")
    assert daemon.partitions() == ["third"]


def test_a_qdrant_that_did_not_answer_is_asked_for_nothing_more_in_the_tick(
    daemon: Daemon,
    catalog: Any,
    imported: str,
    shop: str,
    faults: Callable[..., None],
    clock: Callable[[float], None],
) -> None:
    catalog.add(9, "third", shop)
    catalog.rows[0]["is_active"] = False
    clock(3601)
    faults("qdrant", {"path": "/collections", "status": 500, "count": 1})
    result = daemon.tick("new_connection_sensor")
    assert [request.partition_key for request in result.run_requests or ()] == ["third"]
    assert daemon.partitions() == ["shop", "third"]
    daemon.tick("new_connection_sensor")
    assert daemon.partitions() == ["third"]


def test_points_that_a_restored_qdrant_brings_back_are_taken_out_within_the_hour(
    daemon: Daemon, catalog: Any, imported: str, clock: Callable[[float], None]
) -> None:
    index = daemon.resources["qdrant"].schema_index
    points = index.points("7", index.served().name)
    catalog.rows[0]["is_active"] = False
    daemon.tick("new_connection_sensor")
    vector, terms = [0.1] * 768, SparseTerms((1,), (1.0,))
    points.upsert([Point("1" * 32, vector, terms, {"connection_id": "7"})])
    points.upsert([Point("2" * 32, vector, terms, {"connection_id": "nobody's"})])
    clock(3601)
    daemon.tick("new_connection_sensor")
    assert index.counts(index.served().name) == {"nobody's": 1}


def test_an_index_that_is_down_keeps_no_connection_from_being_imported(
    daemon: Daemon, catalog: Any, shop: str
) -> None:
    daemon.resources["qdrant"] = QdrantResource(url="http://127.0.0.1:9")
    catalog.add(7, "shop", shop)
    assert daemon.requested("new_connection_sensor") == ["shop"]


def test_a_failing_import_is_requested_again_after_a_wait(
    daemon: Daemon, catalog: Any, clock: Callable[[float], None]
) -> None:
    catalog.add(7, "shop", "postgresql://u:p@127.0.0.1:9/shop")
    assert daemon.requested("new_connection_sensor") == ["shop"]
    assert not daemon.run("schema_import_job", "shop")
    clock(59)
    assert "To be imported: 1 connection (shop)" in daemon.reason("new_connection_sensor")
    clock(1)
    assert daemon.requested("new_connection_sensor") == ["shop"]
    clock(119)
    assert daemon.requested("new_connection_sensor") == []
    clock(1)
    assert daemon.requested("new_connection_sensor") == ["shop"]


def test_a_corrected_connection_string_is_tried_at_once(
    daemon: Daemon, catalog: Any, shop: str, clock: Callable[[float], None]
) -> None:
    catalog.add(7, "shop", "postgresql://u:p@127.0.0.1:9/shop")
    daemon.tick("new_connection_sensor")
    assert daemon.requested("new_connection_sensor") == []
    catalog.rows[0]["connection_string"] = shop
    assert daemon.requested("new_connection_sensor") == ["shop"]
