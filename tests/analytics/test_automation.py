"""When the assets are measured by themselves: conditions tick by tick, and the schedule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pytest

from twd_analytics.definitions import build_defs, defs
from twd_analytics.defs.assets import DAILY_QUERY_STATS, SQL_ACCURACY_REPORT
from twd_analytics.defs.external import MESSAGES
from twd_shared.contract import TRAINED_MODEL, source_databases
from twd_shared.errors import ConfigurationError
from twd_shared.resources.stores import ApplicationDatabaseResource, MetadataStoreResource
from twd_shared.settings import Settings

# Deciding what to run asks no database.
RESOURCES = {
    "metadata_store": MetadataStoreResource(dsn="postgresql://127.0.0.1:1/none"),
    "application": ApplicationDatabaseResource(dsn="postgresql://127.0.0.1:1/none"),
}
DAYS = ("2026-01-05", "2026-01-20")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


class Ticks:
    """The automation sensor's evaluations, one after the other."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self._definitions = build_defs(Settings(), RESOURCES)
        self._cursor: object = None

    def tick(self) -> set[str]:
        """The days for which the report is requested now; nothing else ever is."""
        result = dg.evaluate_automation_conditions(
            defs=self._definitions,
            instance=self.instance,
            cursor=self._cursor,  # type: ignore[arg-type]
            evaluation_time=datetime(2026, 2, 1, 12, tzinfo=UTC),
        )
        self._cursor = result.cursor
        assert result.get_requested_partitions(DAILY_QUERY_STATS) == set()
        return {str(day) for day in result.get_requested_partitions(SQL_ACCURACY_REPORT)}

    def materialized(self, key: dg.AssetKey, partition: str, version: str) -> None:
        self.instance.report_runless_asset_event(
            dg.AssetMaterialization(
                key, partition=partition, tags={"dagster/data_version": version}
            )
        )


def test_the_report_follows_the_statistics_of_any_day(instance: dg.DagsterInstance) -> None:
    ticks = Ticks(instance)
    assert ticks.tick() == set()
    for day in DAYS:
        ticks.materialized(DAILY_QUERY_STATS, day, "1")
        assert ticks.tick() == {day}
        ticks.materialized(SQL_ACCURACY_REPORT, day, "1")
        assert ticks.tick() == set()
    ticks.materialized(DAILY_QUERY_STATS, DAYS[0], "1")
    assert ticks.tick() == set(), "the same data version is no change"
    ticks.materialized(DAILY_QUERY_STATS, DAYS[0], "2")
    assert ticks.tick() == {DAYS[0]}


def test_training_and_new_messages_request_nothing(instance: dg.DagsterInstance) -> None:
    ticks = Ticks(instance)
    instance.add_dynamic_partitions("source_databases", ["shop"])
    assert ticks.tick() == set()
    ticks.materialized(DAILY_QUERY_STATS, DAYS[0], "1")
    assert ticks.tick() == {DAYS[0]}, "a model that was never trained does not hold it up"
    ticks.materialized(SQL_ACCURACY_REPORT, DAYS[0], "1")
    assert ticks.tick() == set()
    for version in ("1", "2"):
        ticks.materialized(TRAINED_MODEL.key, "shop", version)
        assert ticks.tick() == set()
    instance.report_runless_asset_event(dg.AssetMaterialization(MESSAGES))
    assert ticks.tick() == set()


@pytest.mark.parametrize(
    ("timezone", "tick", "day"),
    [
        ("UTC", datetime(2026, 3, 11, 0, 30, tzinfo=UTC), "2026-03-10"),
        ("Asia/Ho_Chi_Minh", datetime(2026, 3, 10, 17, 30, tzinfo=UTC), "2026-03-10"),
    ],
)
def test_the_schedule_requests_the_day_that_has_ended(
    instance: dg.DagsterInstance, timezone: str, tick: datetime, day: str
) -> None:
    definitions = build_defs(Settings(timezone=timezone), RESOURCES)
    schedule = definitions.resolve_schedule_def("daily_analytics_schedule")
    assert schedule.cron_schedule == "30 0 * * *"
    assert schedule.execution_timezone == timezone
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=tick,
        repository_def=definitions.get_repository_def(),
    )
    requests = schedule.evaluate_tick(context).run_requests or []
    assert [request.partition_key for request in requests] == [day]


def test_nothing_is_requested_before_the_first_day(instance: dg.DagsterInstance) -> None:
    definitions = build_defs(Settings(), RESOURCES)
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=datetime(2026, 1, 1, 0, 30, tzinfo=UTC),
        repository_def=definitions.get_repository_def(),
    )
    schedule = definitions.resolve_schedule_def("daily_analytics_schedule")
    assert not schedule.evaluate_tick(context).run_requests


def test_the_location_loads_without_secrets_in_its_definitions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TWD_METADATA_DSN", "TWD_APPLICATION_DSN"):
        monkeypatch.setenv(name, "postgresql://twd:hush@127.0.0.1:1/x")
    loaded = defs()
    dg.Definitions.validate_loadable(loaded)
    lineage = loaded.resolve_asset_graph()
    assert lineage.get(DAILY_QUERY_STATS).parent_keys == {MESSAGES}
    assert lineage.get(SQL_ACCURACY_REPORT).parent_keys == {DAILY_QUERY_STATS, TRAINED_MODEL.key}
    assert lineage.get(TRAINED_MODEL.key).partitions_def == source_databases
    assert not lineage.get(TRAINED_MODEL.key).is_executable


@pytest.mark.parametrize("name", ["Mars/Phobos", "../../etc/passwd", "Europe"])
def test_an_unknown_time_zone_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for variable in ("TWD_METADATA_DSN", "TWD_APPLICATION_DSN"):
        monkeypatch.setenv(variable, "postgresql://127.0.0.1:1/x")
    monkeypatch.setenv("TWD_TIMEZONE", name)
    with pytest.raises(ConfigurationError, match="TWD_TIMEZONE must be a time zone"):
        defs()
