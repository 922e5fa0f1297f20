"""A tick takes seconds: what is written while it lasts is asked for once, by the next."""

import pytest

from twd_shared.automation import on_changed_inputs, once_published
from twd_shared.contract import SCHEMA_EMBEDDINGS

from .source_ticks import BOTH, Automation, index, report, snapshot, write_snapshot


def test_a_target_that_is_written_while_a_tick_lasts_is_not_asked_for_again(
    automation: Automation,
) -> None:
    write_snapshot(automation.instance, "shop", "another")
    assert automation.tick(lambda: automation.run(index, partition="shop")) == set()
    assert automation.tick() == set()


def test_an_input_that_is_written_while_a_tick_lasts_is_waited_for(automation: Automation) -> None:
    write_snapshot(automation.instance, "shop", "one")
    assert automation.tick(lambda: automation.run(snapshot, partition="shop")) == set()
    assert automation.tick() == {"shop"}
    assert automation.tick() == set()


def test_another_source_is_asked_for_in_the_same_tick(automation: Automation) -> None:
    for partition in BOTH:
        write_snapshot(automation.instance, partition, "another")
    assert automation.tick(lambda: automation.run(index, partition="shop")) == {"store"}


@pytest.fixture
def training(automation: Automation) -> Automation:
    """`index` under the condition of what is trained."""
    automation.deploy(once_published(on_changed_inputs()))
    assert automation.tick() == set()
    return automation


def test_what_is_trained_waits_for_a_tick_that_sees_the_whole_publication(
    training: Automation,
) -> None:
    def publish() -> None:
        report(training.instance, SCHEMA_EMBEDDINGS.key, "shop", "published")

    write_snapshot(training.instance, "shop", "another")
    assert training.tick(publish) == set()
    assert training.tick() == {"shop"}
