"""An input that changes is asked for once, whatever runs, ticks and deploys do meanwhile."""

from hashlib import sha256

import dagster as dg
import pytest

from twd_shared.automation import on_changed_inputs

from .source_ticks import Automation, index, report, snapshot, write_snapshot


def test_what_changes_between_an_update_and_the_tick_that_sees_it_is_asked_for(
    automation: Automation,
) -> None:
    automation.run(index, partition="shop")
    automation.run(snapshot, partition="shop")
    assert automation.tick() == {"shop"}


def test_what_changes_while_the_target_is_written_is_asked_for_until_it_is_known(
    automation: Automation,
) -> None:
    automation.run(index, partition="shop", meanwhile="another")
    assert automation.tick() == {"shop"}
    automation.run(index, partition="shop")
    assert automation.tick() == set()


def test_a_change_that_is_seen_before_the_run_that_missed_it_has_ended_is_not_forgotten(
    automation: Automation,
) -> None:
    write_snapshot(automation.instance, "shop", "one")
    assert automation.tick() == {"shop"}
    automation.run(index, partition="shop", meanwhile="two")
    assert automation.tick() == {"shop"}


def test_a_second_change_right_after_a_request_is_asked_for_too(automation: Automation) -> None:
    write_snapshot(automation.instance, "shop", "one")
    assert automation.tick() == {"shop"}
    write_snapshot(automation.instance, "shop", "two")
    assert automation.tick() == {"shop"}
    automation.run(index, partition="shop")
    assert automation.tick() == set()


def test_an_input_that_was_written_again_as_it_was_asks_for_nothing(automation: Automation) -> None:
    write_snapshot(automation.instance, "shop", "same")
    automation.run(index, partition="shop", meanwhile="same")
    assert automation.tick() == set()


def test_what_a_later_run_knew_is_not_asked_for(automation: Automation) -> None:
    automation.run(snapshot, partition="shop")
    automation.run(index, partition="shop")
    assert automation.tick() == set()


def test_what_changed_for_one_source_is_not_asked_for_another(automation: Automation) -> None:
    automation.run(index, partition="shop", meanwhile="another")
    automation.run(index, partition="store")
    assert automation.tick() == {"shop"}


def test_an_input_that_went_to_and_fro_while_the_target_was_written_is_asked_for(
    automation: Automation,
) -> None:
    write_snapshot(automation.instance, "shop", "one")
    automation.run(index, partition="shop", meanwhile="two one")
    assert automation.tick() == {"shop"}


def test_what_was_reported_from_outside_knows_what_was_there_before_it(
    automation: Automation,
) -> None:
    report(automation.instance, index.key, "shop", "by hand")
    assert automation.tick() == set()
    report(automation.instance, index.key, "shop", "by hand")
    automation.run(snapshot, partition="shop")
    assert automation.tick() == {"shop"}


def test_a_partition_that_is_gone_is_not_asked_for(automation: Automation) -> None:
    automation.run(index, partition="shop", meanwhile="another")
    automation.instance.delete_dynamic_partition("source_databases", "shop")
    assert automation.tick() == set()


def test_a_run_that_failed_to_learn_of_a_change_is_not_asked_for_on_and_on(
    automation: Automation,
) -> None:
    automation.run(index, partition="shop", meanwhile="another")
    assert automation.tick() == {"shop"}
    automation.run(index, partition="shop", fails=True)
    assert [automation.tick() for _ in range(3)] == [set()] * 3


@pytest.fixture
def changed(automation: Automation) -> Automation:
    """A change that is pending, as its run may not start yet."""
    automation.run(snapshot, partition="shop")
    return automation


def test_a_tick_that_forgot_everything_finds_what_had_changed(changed: Automation) -> None:
    changed.forget()
    assert changed.tick() == {"shop"}
    assert changed.tick() == set()


def test_a_tick_that_forgot_everything_asks_for_nothing_that_is_known(
    automation: Automation,
) -> None:
    automation.forget()
    assert [automation.tick() for _ in range(2)] == [set()] * 2


def test_a_deploy_that_changes_the_condition_keeps_what_was_pending(changed: Automation) -> None:
    changed.deploy(dg.AutomationCondition.on_missing())
    assert changed.tick() == set()
    changed.deploy(on_changed_inputs())
    assert changed.tick() == {"shop"}


@pytest.mark.parametrize("hours", [0, 23])
def test_an_event_that_no_tick_saw_is_not_looked_for_each_time(
    changed: Automation, hours: int
) -> None:
    changed.overlook()
    changed.wait(hours)
    assert changed.tick() == set()


def test_an_event_that_no_tick_saw_is_found_within_a_day(changed: Automation) -> None:
    changed.overlook()
    changed.wait(24)
    assert changed.tick() == {"shop"}
    changed.run(index, partition="shop")
    changed.wait(24)
    assert changed.tick() == set()


def test_a_run_that_fails_is_asked_for_once_more_a_day_later(changed: Automation) -> None:
    assert changed.tick() == {"shop"}
    changed.run(index, partition="shop", fails=True)
    assert changed.tick() == set()
    changed.wait(24)
    assert [changed.tick() for _ in range(2)] == [{"shop"}, set()]


def test_what_was_never_indexed_is_found(automation: Automation) -> None:
    automation.instance.add_dynamic_partitions("source_databases", ["read", "imported"])
    automation.run(snapshot, partition="read")
    automation.run(snapshot, index, partition="imported", fails=True)
    automation.forget()
    assert automation.tick() == {"read", "imported"}


@pytest.mark.parametrize("partition", ["shop", "added"])
@pytest.mark.parametrize("fails", [False, True])
def test_what_a_run_is_still_to_write_is_left_to_it_and_to_who_repeats_it(
    automation: Automation, partition: str, fails: bool
) -> None:
    automation.instance.add_dynamic_partitions("source_databases", ["added"])
    automation.forget()
    requested = automation.run(snapshot, index, partition=partition, ticks=True, fails=fails)
    assert requested == set()
    assert automation.tick() == set()


def test_a_change_while_the_target_is_written_is_found_when_all_is_compared(
    automation: Automation,
) -> None:
    automation.run(index, partition="shop", meanwhile="another")
    automation.forget()
    assert automation.tick() == {"shop"}


# --- what is no change --------------------------------------------------------------------------


@pytest.fixture
def read_again(automation: Automation) -> Automation:
    """A source that is indexed, and was read again as it was."""
    write_snapshot(automation.instance, "shop", "same")
    automation.run(index, partition="shop")
    automation.tick()
    write_snapshot(automation.instance, "shop", "same")
    automation.tick()
    return automation


def test_a_source_that_was_read_again_unchanged_is_known(read_again: Automation) -> None:
    read_again.wait(24)
    assert read_again.tick() == set()


def test_a_source_whose_old_readings_are_deleted_is_known_still(automation: Automation) -> None:
    automation.run(snapshot, partition="shop")
    [old] = automation.instance.get_runs()
    version = old.run_id
    automation.run(index, partition="shop")
    write_snapshot(automation.instance, "shop", version)
    automation.instance.delete_run(old.run_id)
    automation.forget()
    assert automation.tick() == set()


def test_an_event_of_another_source_that_was_counted_late_makes_nothing_stale(
    automation: Automation,
) -> None:
    """Dagster's newest event of an asset may be an older one, if two are written at once."""
    before = automation.instance.event_log_storage.get_maximum_record_id()
    write_snapshot(automation.instance, "shop", "two")
    report(automation.instance, index.key, "shop", "made", knowing("two", before))
    assert automation.tick() == set()
    automation.forget()
    assert automation.tick() == set()


def test_what_a_run_over_many_partitions_knows_is_told_by_events(automation: Automation) -> None:
    write_snapshot(automation.instance, "shop", "two")
    seen = automation.instance.event_log_storage.get_maximum_record_id()
    report(automation.instance, index.key, "shop", "made", knowing("two of many", seen))
    write_snapshot(automation.instance, "shop", "two")
    automation.forget()
    assert automation.tick() == set()
    write_snapshot(automation.instance, "shop", "three")
    automation.forget()
    assert automation.tick() == {"shop"}


def knowing(version: str, event: int | None) -> dict[str, str]:
    """The tags of what was made of a version of `snapshot`, whose newest event was `event`."""
    key = snapshot.key.to_user_string()
    return {
        f"dagster/input_data_version/{key}": sha256(version.encode()).hexdigest(),
        f"dagster/input_event_pointer/{key}": str(event),
    }


# --- how much at once ---------------------------------------------------------------------------


def test_many_sources_are_asked_for_a_dozen_a_tick(automation: Automation) -> None:
    many = [f"source_{number:02}" for number in range(30)]
    automation.instance.add_dynamic_partitions("source_databases", many)
    for partition in many:
        write_snapshot(automation.instance, partition, "first")
    automation.forget()
    assert [len(automation.tick()) for _ in range(4)] == [12, 12, 6, 0]


def test_a_look_at_many_sources_asks_storage_as_often_as_one_at_few(
    automation: Automation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look() -> int:
        automation.forget()
        fetched.clear()
        assert automation.tick() == set()
        return len(fetched)

    fetched: list[object] = []
    storage = type(automation.instance.event_log_storage)
    fetch = storage.fetch_materializations
    monkeypatch.setattr(
        storage, "fetch_materializations", lambda *args: fetched.append(args) or fetch(*args)
    )
    few = look()
    many = [f"source_{number:02}" for number in range(30)]
    automation.instance.add_dynamic_partitions("source_databases", many)
    for partition in many:
        for _ in range(2):
            write_snapshot(automation.instance, partition, "first")
            report(automation.instance, index.key, partition, "first", knowing("first", 1))
    assert look() == few
