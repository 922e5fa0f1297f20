"""Late messages re-open their day: the sensor tick by tick, on a real application."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from twd_analytics.accuracy.report import ConnectionAccuracy, DayAccuracy
from twd_analytics.accuracy.store import AccuracyStore
from twd_analytics.definitions import build_defs
from twd_analytics.defs import late_sensor
from twd_analytics.defs.jobs import analytics_job
from twd_analytics.defs.late_sensor import late_messages_sensor
from twd_analytics.messages.measured_days import days_to_measure
from twd_analytics.messages.reading import MessageLog
from twd_analytics.usage.statistics import ConnectionUsage
from twd_analytics.usage.store import QueryStatsStore
from twd_shared.clients.application import ApplicationDatabase
from twd_shared.resources.stores import ApplicationDatabaseResource, MetadataStoreResource
from twd_shared.settings import Settings
from twd_shared.store.database import MetadataDatabase

NOW = datetime(2026, 3, 12, 12, tzinfo=UTC)
DAY = date(2026, 3, 10)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)

Build = Callable[..., dict[str, Any]]


def test_a_day_is_measured_again_when_its_messages_are_not_those_that_were_counted() -> None:
    other, new, empty = (DAY + timedelta(days=ahead) for ahead in (1, 2, 3))
    now = {DAY: "2:7", other: "2:7", new: "1:1", empty: "0:0"}
    assert days_to_measure(now, [{DAY: "1:3", other: "2:7"}], None) == {DAY: "2:7", new: "1:1"}


def test_a_day_with_fewer_messages_than_were_measured_is_left_as_it_is() -> None:
    for left in ("0:0", "1:3", "1:99"):
        assert days_to_measure({DAY: left}, [{DAY: "2:7"}, {DAY: "2:7"}], None) == {}
    assert days_to_measure({DAY: "1:3"}, [{DAY: "2:7"}, {}], None) == {DAY: "1:3"}, "never measured"


def test_a_day_of_which_fewer_messages_name_their_connection_is_left_as_it_is() -> None:
    for left in ("2:9:0", "2:9:1", "3:9:1"):
        assert days_to_measure({DAY: left}, [{DAY: "2:7:2"}], None) == {}
    for more in ("2:9:2", "3:9:3"):
        assert days_to_measure({DAY: more}, [{DAY: "2:7:2"}], None) == {DAY: more}


def test_a_day_that_was_measured_when_no_state_told_of_connections_is_not_measured_for_it() -> None:
    assert days_to_measure({DAY: "2:7:2"}, [{DAY: "2:7"}], None) == {}
    assert days_to_measure({DAY: "2:71:2"}, [{DAY: "2:7"}], None) == {DAY: "2:71:2"}
    assert days_to_measure({DAY: "1:3:1"}, [{DAY: "2:7"}], None) == {}


def test_a_quiet_day_is_measured_once_an_earlier_one_was() -> None:
    after = DAY + timedelta(days=1)
    quiet = {DAY: "0:0", after: "0:0"}
    assert days_to_measure(quiet, [{}, {}], None) == {}
    assert days_to_measure(quiet, [{after: "0:0"}, {after: "0:0"}], after) == {}
    assert days_to_measure(quiet, [{DAY: "0:0"}, {DAY: "0:0"}], DAY) == {after: "0:0"}
    assert days_to_measure(quiet, [{DAY: "0:0"}, {}], DAY) == quiet, "its second half has failed"


def test_a_day_is_measured_again_when_one_of_its_measures_has_failed() -> None:
    assert days_to_measure({DAY: "2:7"}, [{DAY: "2:7"}, {DAY: "1:3"}], None) == {DAY: "2:7"}
    assert days_to_measure({DAY: "2:7"}, [{DAY: "2:7"}, {}], None) == {DAY: "2:7"}
    assert days_to_measure({DAY: "2:7"}, [{DAY: "2:7"}, {DAY: "2:7"}], None) == {}


class Sensor:
    """The sensor's ticks, one after the other, in a location with these settings."""

    def __init__(self, instance: dg.DagsterInstance, metadata: str, application: str) -> None:
        self.instance = instance
        self.settings = Settings(late_days=3)
        self.resources = {
            "metadata_store": MetadataStoreResource(dsn=metadata),
            "application": ApplicationDatabaseResource(dsn=application),
        }
        self._cursor: str | None = None

    def tick(self, at: datetime = NOW) -> list[str] | str:
        """The days whose measuring is requested at that moment, or why nothing is."""
        definitions = build_defs(self.settings, self.resources)
        sensor = late_messages_sensor(self.settings, analytics_job(self.settings), lambda: at)
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self._cursor,
            resources=self.resources,
            definitions=definitions,
        ) as context:
            answer = sensor.evaluate_tick(context)
        self._cursor = answer.cursor or self._cursor
        requested = [str(request.partition_key) for request in answer.run_requests or []]
        return requested or str(answer.skip_message)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def sensor(instance: dg.DagsterInstance, metadata_dsn: str, application: Any) -> Sensor:
    return Sensor(instance, metadata_dsn, application.dsn)


@pytest.fixture
def measured(metadata_dsn: str, application: Any) -> Iterator[Callable[[], None]]:
    """Counts the messages of the day, and of the one after it, as they are now."""
    database = MetadataDatabase(metadata_dsn)

    def measure() -> None:
        for day in (DAY, DAY + timedelta(days=1)):
            state = MessageLog(ApplicationDatabase(application.dsn), "UTC").read(day).state
            QueryStatsStore(database).replace_day(day, "UTC", state, [ConnectionUsage("*")])
            nothing = DayAccuracy([ConnectionAccuracy("*")], [], [])
            AccuracyStore(database).replace_day(day, "UTC", state, nothing, [])

    yield measure
    database.close()


pytestmark = pytest.mark.integration


def test_a_late_and_a_changed_message_re_open_their_day_and_a_deleted_one_does_not(
    sensor: Sensor, measured: Callable[[], None], application: Any, ask: Build, answer: Build
) -> None:
    measured()
    assert "were measured from all messages of now" in sensor.tick()
    application.talk("an", NOON, ask("late?"), answer("select 1"))
    assert sensor.tick() == [DAY.isoformat()]
    measured()
    assert "were measured" in sensor.tick()
    application.execute("update messages set error = 'it failed' where role = 'assistant'")
    assert sensor.tick() == [DAY.isoformat()]
    measured()
    application.execute("delete from messages where role = 'assistant'")
    assert "were measured" in sensor.tick()
    application.talk("an", NOON, ask("later still?"), ask("and more?"))
    assert sensor.tick() == [DAY.isoformat()]


def test_a_day_that_was_never_measured_is_requested_if_it_has_messages(
    sensor: Sensor, application: Any, ask: Build
) -> None:
    application.talk("an", NOON, ask("q?"))
    application.talk("an", NOON - timedelta(days=30), ask("too old?"))
    application.talk("an", NOW, ask("not over yet?"))
    assert sensor.tick() == [DAY.isoformat()]


def test_a_day_without_messages_that_was_missed_is_requested_between_others(
    sensor: Sensor, measured: Callable[[], None], application: Any
) -> None:
    assert "were measured" in sensor.tick(), "none was ever measured"
    measured()
    assert sensor.tick(NOW + timedelta(days=2)) == ["2026-03-12", "2026-03-13"]


def test_a_change_of_the_zone_re_opens_the_days_that_messages_go_to_and_come_from(
    sensor: Sensor, measured: Callable[[], None], application: Any, ask: Build
) -> None:
    application.talk("an", NOON + timedelta(hours=8), ask("late in the evening?"))
    measured()
    assert "were measured" in sensor.tick()
    sensor.settings = Settings(late_days=3, timezone="Asia/Ho_Chi_Minh")
    assert sensor.tick() == [DAY.isoformat(), (DAY + timedelta(days=1)).isoformat()]


def test_a_failed_run_is_requested_again_with_waits_and_not_for_ever(
    sensor: Sensor, application: Any, ask: Build
) -> None:
    application.talk("an", NOON, ask("q?"))
    assert sensor.tick() == [DAY.isoformat()]
    assert "wait for their next try" in sensor.tick(NOW + timedelta(seconds=30))
    assert sensor.tick(NOW + timedelta(seconds=90)) == [DAY.isoformat()]
    hours = [sensor.tick(NOW + timedelta(hours=after)) for after in range(2, 14)]
    assert hours.count([DAY.isoformat()]) == 6
    assert "8 runs have failed, and none is requested any more" in hours[-1]
    application.talk("an", NOON, ask("more?"))
    assert sensor.tick(NOW + timedelta(hours=14)) == [DAY.isoformat()], "a new wish"


def test_a_day_that_a_run_is_measuring_is_not_requested(
    sensor: Sensor, application: Any, ask: Build, instance: dg.DagsterInstance
) -> None:
    application.talk("an", NOON, ask("q?"))
    definitions = build_defs(sensor.settings, sensor.resources)
    run = instance.create_run_for_job(
        definitions.resolve_job_def("analytics_job"),
        tags={
            "dagster/asset_partition_range_start": "2026-03-01",
            "dagster/asset_partition_range_end": "2026-03-11",
        },
        status=dg.DagsterRunStatus.STARTED,
        asset_selection=frozenset({dg.AssetKey(["analytics", "daily_query_stats"])}),
    )
    assert "in flight" in sensor.tick()
    instance.report_run_canceled(run)
    assert sensor.tick() == [DAY.isoformat()]


def test_no_days_back_means_no_question_to_the_application(sensor: Sensor) -> None:
    sensor.settings = Settings(late_days=0)
    assert "TWD_LATE_DAYS is 0" in sensor.tick()


def test_an_application_that_is_down_is_a_reason_to_skip(
    instance: dg.DagsterInstance, metadata_dsn: str
) -> None:
    address = "postgresql://twd:hush@127.0.0.1:1/app"
    sensor = Sensor(instance, metadata_dsn, address)
    said = sensor.tick()
    assert "127.0.0.1:1/app is not available" in said
    assert "hush" not in said


def make_slow(application: Any, day: date) -> None:
    """Reading a message of the day takes a minute more."""
    application.execute("alter table messages rename to kept_messages")
    application.execute(
        "create view messages as select * from kept_messages"
        f" where created_at::date <> '{day}' or pg_sleep(60)::text is not null"
    )


def test_a_day_that_takes_too_long_keeps_no_other_from_being_measured(
    sensor: Sensor, application: Any, ask: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(late_sensor, "_MOST_SECONDS_A_DAY", 4)
    other = DAY + timedelta(days=1)
    application.talk("an", NOON, ask("many?"))
    application.talk("an", NOON + timedelta(days=1), ask("few?"))
    make_slow(application, DAY)
    assert sensor.tick() == [other.isoformat()]
    said = sensor.tick(NOW + timedelta(seconds=30))
    assert f"1 day not looked at, and first at a later tick: {DAY}." in said
    assert "did not answer within 4 s" in said


def test_what_was_tried_for_a_day_is_remembered_while_it_is_not_looked_at(
    sensor: Sensor, application: Any, ask: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    application.talk("an", NOON, ask("q?"))
    assert sensor.tick() == [DAY.isoformat()]
    with monkeypatch.context() as slow:
        slow.setattr(late_sensor, "_MOST_SECONDS", -1)
        assert f"{DAY}" in sensor.tick(NOW + timedelta(seconds=10))
    assert "wait for their next try" in sensor.tick(NOW + timedelta(seconds=30))


def test_without_time_for_all_days_each_comes_first_in_its_turn(
    sensor: Sensor, application: Any, ask: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    for back in range(3):
        application.talk("an", NOON + timedelta(days=1 - back), ask("q?"))
    clock = iter(range(0, 10_000, 100))
    monkeypatch.setattr(late_sensor, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(late_sensor, "_MOST_SECONDS", 150)
    ticks = [sensor.tick(NOW + timedelta(minutes=10 * number)) for number in range(3)]
    assert sorted(ticks) == [["2026-03-09"], ["2026-03-10"], ["2026-03-11"]]
