"""An input that runs of the target itself wrote asks for nothing."""

from .source_ticks import BOTH, Automation, index, snapshot


def test_several_sources_that_were_imported_between_two_ticks_are_left_alone(
    automation: Automation,
) -> None:
    for partition in BOTH:
        automation.run(snapshot, index, partition=partition, fails=True)
    assert automation.tick() == set()


def test_sources_that_were_only_read_are_asked_for(automation: Automation) -> None:
    for partition in BOTH:
        automation.run(snapshot, partition=partition)
    assert automation.tick() == set(BOTH)


def test_a_source_that_was_read_once_more_by_itself_is_asked_for(automation: Automation) -> None:
    automation.run(snapshot, index, partition="shop", fails=True)
    automation.run(snapshot, partition="shop")
    assert automation.tick() == {"shop"}


def test_a_whole_job_that_was_launched_by_hand_counts_as_writing_all_of_its_assets(
    automation: Automation,
) -> None:
    automation.run_job("shop")
    assert automation.tick() == set()
