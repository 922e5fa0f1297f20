"""Changed sources are synced, whatever else fails: on real servers, tick by tick."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from twd_schema.defs.change_sensor import MOST_SYNCS
from twd_schema.extraction.reading import SchemaReader
from twd_shared.store.source_checks import SourceCheckStore
from twd_shared.store.tables import alerts

from .daemon import Daemon, found


def test_an_unchanged_source_asks_for_no_sync(daemon: Daemon, imported: str) -> None:
    assert "1 of 1 sources asked: 1 fresh, 0 changed" in daemon.reason("schema_change_sensor")


def test_a_schema_that_goes_to_and_fro_is_synced_each_time(
    daemon: Daemon, imported: str, execute: Callable[..., None]
) -> None:
    for change in ("add extra int", "drop extra", "add extra int", "drop extra"):
        execute(imported, f"alter table customers {change}")
        assert daemon.requested("schema_change_sensor") == ["shop"]
        assert daemon.run("schema_sync_job", "shop")
        assert daemon.requested("schema_change_sensor") == []


def test_a_schema_that_is_back_after_a_failed_sync_is_synced_and_its_second_break_is_told(
    daemon: Daemon,
    imported: str,
    execute: Callable[..., None],
    faults: Callable[..., None],
) -> None:
    titles = sa.select(alerts.c.title).order_by(alerts.c.sequence)
    execute(imported, "alter table customers rename name to full_name")
    faults("ollama", {"path": "/api/embed", "status": 404})
    assert daemon.requested("schema_change_sensor") == ["shop"]
    assert not daemon.run("schema_sync_job", "shop")
    faults("ollama")
    for change in ("full_name to name", "name to full_name"):
        execute(imported, f"alter table customers rename {change}")
        assert daemon.requested("schema_change_sensor") == ["shop"]
        assert daemon.run("schema_sync_job", "shop")
        assert daemon.requested("schema_change_sensor") == []
    with daemon.resources["metadata_store"].database.begin() as transaction:
        told = [title for title in transaction.execute(titles).scalars() if "customers" in title]
    broken = "shop: breaking schema change of public.customers.name, renamed to full_name"
    assert told == [broken, "recovered: shop: public.customers.name", broken]


def test_a_source_that_changes_all_day_is_requested_once_an_hour_while_its_syncs_fail(
    daemon: Daemon,
    imported: str,
    execute: Callable[..., None],
    faults: Callable[..., None],
    clock: Callable[[float], None],
) -> None:
    # Each stores what it read, and fails then.
    faults("ollama", {"path": "/api/embed", "status": 404})
    requested = []
    for number in range(MOST_SYNCS + 13):
        execute(imported, f"create table stage_{number} (id int)")
        requested.append(len(daemon.requested("schema_change_sensor")))
        assert not (requested[-1] and daemon.run("schema_sync_job", "shop"))
        clock(300)
    assert requested == [1] * MOST_SYNCS + [0] * 11 + [1, 0]


def test_a_failed_sync_is_requested_again_after_a_wait(
    daemon: Daemon,
    imported: str,
    execute: Callable[..., None],
    faults: Callable[..., None],
    clock: Callable[[float], None],
) -> None:
    execute(imported, "alter table customers add extra int")
    faults("ollama", {"path": "/api/embed", "status": 404})
    assert daemon.requested("schema_change_sensor") == ["shop"]
    assert not daemon.run("schema_sync_job", "shop")
    assert daemon.requested("schema_change_sensor") == []
    faults("ollama")
    clock(60)
    assert daemon.requested("schema_change_sensor") == ["shop"]
    assert daemon.run("schema_sync_job", "shop")
    assert daemon.requested("schema_change_sensor") == []


def test_a_dead_source_does_not_keep_another_from_its_sync(
    daemon: Daemon, catalog: Any, imported: str, services: Any, execute: Callable[..., None]
) -> None:
    other = services.database()
    execute(other, "create table items (id int)")
    catalog.add(8, "store", other)
    daemon.tick("new_connection_sensor")
    assert daemon.run("schema_import_job", "store")
    catalog.rows[0]["connection_string"] = "postgresql://u:canary@127.0.0.1:9/shop"
    execute(other, "alter table items add extra int")
    assert daemon.requested("schema_change_sensor") == ["store"]
    known = {
        item.partition_key: item for item in daemon.resources["metadata_store"].connections.known()
    }
    assert known["shop"].status == "failing"
    assert "127.0.0.1:9/shop cannot be reached" in known["shop"].status_reason
    assert "canary" not in known["shop"].status_reason
    assert found(daemon, "7") == ["public.customers"], "what was known of it stays"


def test_a_source_that_is_back_is_well_again(daemon: Daemon, catalog: Any, imported: str) -> None:
    catalog.rows[0]["connection_string"] = "postgresql://u:p@127.0.0.1:9/shop"
    daemon.tick("schema_change_sensor")
    catalog.rows[0]["connection_string"] = imported
    daemon.tick("schema_change_sensor")
    [known] = daemon.resources["metadata_store"].connections.known()
    assert (known.status, known.status_reason) == ("ok", "")


def test_checking_the_connections_tells_the_failing_from_the_well(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    catalog.add(8, "store", "postgresql://u:p@127.0.0.1:9/store")
    daemon.tick("new_connection_sensor")
    result = daemon.location.resolve_job_def("check_connections_job").execute_in_process(
        instance=daemon.instance
    )
    assert result.success
    known = daemon.resources["metadata_store"].connections.known()
    assert {item.partition_key: item.status for item in known} == {
        "shop": "ok",
        "store": "failing",
    }


def test_checking_the_connections_says_nothing_of_them_while_the_catalog_is_down(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    catalog.status = 500
    result = daemon.location.resolve_job_def("check_connections_job").execute_in_process(
        instance=daemon.instance, raise_on_error=False
    )
    assert not result.success
    [known] = daemon.resources["metadata_store"].connections.known()
    assert (known.status, known.status_reason) == ("ok", "")


def test_maintenance_of_a_source_asks_for_no_sync(
    daemon: Daemon, imported: str, execute: Callable[..., None]
) -> None:
    daemon.tick("schema_change_sensor")
    execute(imported, "vacuum full customers", "grant select on customers to public")
    assert "1 of 1 sources asked: 1 fresh" in daemon.reason("schema_change_sensor")


def test_a_sync_that_fails_for_good_is_not_requested_for_ever(
    daemon: Daemon,
    imported: str,
    execute: Callable[..., None],
    clock: Callable[[float], None],
) -> None:
    execute(imported, "alter table customers add extra int")
    for _ in range(MOST_SYNCS):
        assert daemon.requested("schema_change_sensor") == ["shop"]
        clock(3600)
    assert "1 given up" in daemon.reason("schema_change_sensor")
    [check] = SourceCheckStore(daemon.resources["metadata_store"].database).all().values()
    assert f"{MOST_SYNCS} syncs have not brought the index up to date" in check.cause
    execute(imported, "alter table customers add another int")
    assert daemon.requested("schema_change_sensor") == ["shop"], "another schema is another wish"


def test_a_change_after_a_failed_sync_does_not_wait_for_its_turn(
    daemon: Daemon, imported: str, execute: Callable[..., None]
) -> None:
    execute(imported, "alter table customers add extra int")
    assert daemon.requested("schema_change_sensor") == ["shop"]
    assert daemon.requested("schema_change_sensor") == []
    execute(imported, "alter table customers add another int")
    assert daemon.requested("schema_change_sensor") == ["shop"]


def test_changed_extraction_options_ask_for_a_sync(
    daemon: Daemon, catalog: Any, imported: str, execute: Callable[..., None]
) -> None:
    execute(imported, "create table audit (id int)")
    assert daemon.requested("schema_change_sensor") == ["shop"]
    assert daemon.run("schema_sync_job", "shop")
    assert daemon.requested("schema_change_sensor") == []
    catalog.rows[0]["extraction"] = {"exclude": ["public.audit"]}
    assert daemon.requested("schema_change_sensor") == ["shop"]


def freshness_of(result: dg.SensorResult) -> dict[str, tuple[str, str]]:
    """What the observation of a tick says of each database."""
    [observed] = result.asset_events
    records = observed.metadata["databases"].records
    return {
        str(record.data["database"]): (str(record.data["freshness"]), str(record.data["cause"]))
        for record in records
    }


def test_the_ui_tells_how_fresh_each_database_is_and_why(
    daemon: Daemon, catalog: Any, imported: str, execute: Callable[..., None]
) -> None:
    catalog.add(8, "store", "postgresql://u:canary@127.0.0.1:9/store")
    daemon.tick("new_connection_sensor")
    assert freshness_of(daemon.tick("schema_change_sensor")) == {
        "shop": ("fresh", ""),
        "store": ("not imported", "Its first import has not ended."),
    }
    execute(imported, "alter table customers add extra int")
    freshness, cause = freshness_of(daemon.tick("schema_change_sensor"))["shop"]
    assert freshness == "drifted"
    assert "a sync brings it up to date" in cause
    catalog.rows[0]["connection_string"] = "postgresql://u:canary@127.0.0.1:9/shop"
    freshness, cause = freshness_of(daemon.tick("schema_change_sensor"))["shop"]
    assert freshness == "unreadable"
    assert "127.0.0.1:9/shop cannot be reached" in cause
    assert "canary" not in cause


def test_a_source_whose_row_cannot_be_used_is_unreadable_for_what_is_wrong_with_it(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    assert freshness_of(daemon.tick("schema_change_sensor"))["shop"][0] == "fresh"
    catalog.rows[0]["connection_string"] = "secret:gone"
    freshness, cause = freshness_of(daemon.tick("schema_change_sensor"))["shop"]
    assert (freshness, "names secret 'gone', and there is no" in cause) == ("unreadable", True)
    [known] = daemon.resources["metadata_store"].connections.known()
    assert (known.status, known.status_reason) == ("failing", cause)
    catalog.rows[0]["connection_string"] = imported
    assert freshness_of(daemon.tick("schema_change_sensor"))["shop"] == ("fresh", "")


def test_a_source_that_is_paused_or_half_indexed_is_no_longer_shown_as_fresh(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    assert freshness_of(daemon.tick("schema_change_sensor"))["shop"][0] == "fresh"
    daemon.resources["metadata_store"].index_states.begin("7")
    freshness, cause = freshness_of(daemon.tick("schema_change_sensor"))["shop"]
    assert (freshness, "writing its index" in cause) == ("drifted", True)
    catalog.rows[0]["is_active"] = False
    daemon.tick("new_connection_sensor")
    assert freshness_of(daemon.tick("schema_change_sensor"))["shop"][0] == "paused"


def test_a_source_that_flickers_does_not_renew_its_tries(
    daemon: Daemon, catalog: Any, imported: str, execute: Callable[..., None]
) -> None:
    execute(imported, "alter table customers add extra int")
    assert daemon.requested("schema_change_sensor") == ["shop"]
    catalog.rows[0]["connection_string"] = "postgresql://u:p@127.0.0.1:9/shop"
    assert daemon.requested("schema_change_sensor") == []
    catalog.rows[0]["connection_string"] = imported
    assert daemon.requested("schema_change_sensor") == [], "it waits as if nothing had been"


def test_a_training_that_is_going_on_keeps_no_source_from_its_sync(
    daemon: Daemon, imported: str, execute: Callable[..., None]
) -> None:
    execute(imported, "alter table customers add extra int")
    daemon.instance.add_run(
        dg.DagsterRun(
            job_name="training_job",
            run_id=str(uuid.uuid4()),
            status=dg.DagsterRunStatus.STARTED,
            tags={"dagster/partition": "shop"},
            asset_selection=frozenset({dg.AssetKey(["training", "trained_model"])}),
        )
    )
    assert daemon.requested("schema_change_sensor") == ["shop"]


def test_a_tick_at_which_nothing_changed_observes_nothing(daemon: Daemon, imported: str) -> None:
    assert daemon.tick("schema_change_sensor").asset_events
    assert not daemon.tick("schema_change_sensor").asset_events


def test_a_source_that_was_just_synced_is_not_read_by_the_next_tick(
    daemon: Daemon, imported: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert daemon.run("schema_sync_job", "shop")
    monkeypatch.setattr(SchemaReader, "read_async", None)
    assert "1 of 1 sources asked: 1 fresh" in daemon.reason("schema_change_sensor")
