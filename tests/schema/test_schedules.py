"""What is synced and verified by the clock: every connection in its own quarter of an hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.storage.runs.schema import RunsTable
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage

from twd_schema.lifecycle.slots import slot_of
from twd_shared.clients.catalog import Connection
from twd_shared.contract import VERIFY_TAG

from .daemon import PARTITIONS, Daemon

DAY = [datetime(2026, 5, 1, tzinfo=UTC) + timedelta(minutes=15 * n) for n in range(96)]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """On disk: a schedule opens the instance by itself."""
    with dg.DagsterInstance.local_temp() as made:
        yield made


def requests_at(daemon: Daemon, schedule: str, moment: datetime) -> list[dg.RunRequest]:
    """What the schedule requests at that moment, if its cron has it tick then."""
    definition = daemon.location.resolve_schedule_def(schedule)
    with dg.build_schedule_context(
        instance=daemon.instance, resources=daemon.resources, scheduled_execution_time=moment
    ) as context:
        made = definition(context)
    return made if isinstance(made, list) else []


@pytest.fixture
def listed(daemon: Daemon, catalog: Any, imported: str) -> None:
    """Beside the imported connection, one that could never be imported and one that is paused."""
    catalog.add(8, "broken", "postgresql://u:p@127.0.0.1:9/x")
    catalog.add(9, "paused", "postgresql://u:p@127.0.0.1:9/y", is_active=False)
    daemon.tick("new_connection_sensor")


@pytest.mark.usefixtures("listed")
def test_an_imported_connection_is_synced_every_six_hours(daemon: Daemon) -> None:
    due = {
        moment: [request.partition_key for request in requests]
        for moment in DAY
        if (requests := requests_at(daemon, "schema_sync_schedule", moment))
    }
    assert list(due.values()) == [["shop"]] * 4
    first, second, *_ = due
    assert second - first == timedelta(hours=6)


def verified_at(daemon: Daemon, *moments: datetime) -> list[str]:
    """The partitions whose verification was requested at these moments, and run."""
    done: list[str] = []
    job = daemon.location.resolve_job_def("schema_sync_job")
    for moment in moments:
        for request in requests_at(daemon, "schema_verification_schedule", moment):
            assert VERIFY_TAG in request.tags
            job.execute_in_process(
                instance=daemon.instance,
                partition_key=request.partition_key,
                tags=request.tags,
                raise_on_error=False,
            )
            done.append(str(request.partition_key))
    return sorted(done)


@pytest.mark.usefixtures("listed")
def test_every_active_connection_is_verified_once_a_day_also_what_failed_to_be_imported(
    daemon: Daemon,
) -> None:
    night = [moment for moment in DAY if 1 <= moment.hour < 5]
    assert verified_at(daemon, *night) == ["broken", "shop"]


@pytest.mark.parametrize("timezone", ["America/Los_Angeles", "UTC", "Asia/Ho_Chi_Minh"])
@pytest.mark.parametrize(("hours_ago", "again"), [(1, []), (24, ["shop"])])
@pytest.mark.usefixtures("imported")
def test_what_was_verified_last_night_but_not_this_one_is_verified_in_every_time_zone(
    daemon: Daemon, timezone: str, hours_ago: int, again: list[str]
) -> None:
    end_of_night = datetime(2026, 5, 2, 4, 45, tzinfo=ZoneInfo(timezone))
    verified_at(daemon, end_of_night)
    storage = daemon.instance.run_storage
    assert isinstance(storage, SqlRunStorage)
    verified = (end_of_night - timedelta(hours=hours_ago)).astimezone(UTC).replace(tzinfo=None)
    with storage.connect() as connection:
        connection.execute(RunsTable.update().values(create_timestamp=verified))
    assert verified_at(daemon, end_of_night) == again


@pytest.mark.usefixtures("listed")
def test_what_a_skipped_hour_left_out_is_verified_by_the_next_tick(daemon: Daemon) -> None:
    last = max(moment for moment in DAY if moment.hour == 4)
    assert verified_at(daemon, last) == ["broken", "shop"]


def test_a_night_that_nobody_ticked_is_made_up_for_in_parts_and_behind_what_changed(
    daemon: Daemon,
) -> None:
    fleet = [Connection(f"{n}", f"db{n}", "postgresql", True, "x://y") for n in range(200)]
    daemon.resources["metadata_store"].connections.register(fleet)
    daemon.instance.add_dynamic_partitions(PARTITIONS, [item.database_name for item in fleet])
    last = max(moment for moment in DAY if moment.hour == 4)
    requests = requests_at(daemon, "schema_verification_schedule", last)
    slots = [slot_of(str(request.partition_key)[2:], 16) for request in requests]
    assert (len(slots), slots) == (50, sorted(slots))
    assert {request.tags["dagster/priority"] for request in requests} == {"-1"}


def test_the_verification_ticks_at_night_alone(location: dg.Definitions) -> None:
    schedule = location.resolve_schedule_def("schema_verification_schedule")
    assert schedule.cron_schedule == "*/15 1-4 * * *"


def test_a_thousand_connections_are_spread_over_the_slots_of_a_period() -> None:
    load = Counter(slot_of(str(number), 24) for number in range(1000))
    assert set(load) == set(range(24))
    assert max(load.values()) < 2 * 1000 / 24
