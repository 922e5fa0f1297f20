"""An input that changes is asked for once, whatever runs, ticks and deploys do meanwhile."""

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


def test_a_source_that_was_never_indexed_is_found_unless_a_run_is_to_do_it(
    automation: Automation,
) -> None:
    automation.instance.add_dynamic_partitions("source_databases", ["read", "imported"])
    automation.run(snapshot, partition="read")
    automation.run(snapshot, index, partition="imported", fails=True)
    automation.forget()
    assert automation.tick() == {"read"}


def test_what_was_planned_once_more_before_the_input_changed_is_found(
    automation: Automation,
) -> None:
    automation.run(index, partition="shop", fails=True)
    write_snapshot(automation.instance, "shop", "another")
    automation.run(index, partition="shop", fails=True)
    automation.forget()
    assert automation.tick() == {"shop"}


def test_a_change_while_the_target_is_written_is_found_when_all_is_compared(
    automation: Automation,
) -> None:
    automation.run(index, partition="shop", meanwhile="another")
    automation.forget()
    assert automation.tick() == {"shop"}
