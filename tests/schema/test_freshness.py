"""From what a source says to how fresh it is, and whether a sync is wished for."""

from __future__ import annotations

import pytest

from twd_schema.drift.detection import Answer
from twd_schema.drift.freshness import Judgement, judge
from twd_schema.drift.store import Synced
from twd_shared.store.source_checks import SourceCheck

HELD = {"7": Synced("held", is_newest=True)}


def judged(answer: Answer, before: SourceCheck | None = None) -> Judgement:
    return judge({"7": answer}, HELD, {"7": before} if before else {})["7"]


def test_a_source_whose_schema_the_index_holds_is_fresh() -> None:
    one = judged(Answer("mark", "held"))
    assert (one.check.freshness, one.wish) == ("fresh", "")


def test_another_schema_is_drift_and_the_wish_is_that_schema() -> None:
    one = judged(Answer("mark", "other"))
    assert (one.check.freshness, one.wish) == ("drifted", "other")


def test_a_schema_that_is_back_is_wished_for_after_a_sync_of_another_ended_half_way() -> None:
    held = {"7": Synced("held", is_newest=False)}
    one = judge({"7": Answer("mark", "held")}, held, {})["7"]
    assert (one.check.freshness, one.wish) == ("drifted", "held")
    assert "what the index holds again" in one.check.cause


def test_a_schema_too_large_for_a_tick_is_wished_for_by_its_mark_and_asked_for_anew() -> None:
    one = judged(Answer("mark", None))
    assert (one.check.freshness, one.wish) == ("drifted", "mark")
    assert one.check.signal == "", "the next tick must not take its mark for a known schema"


@pytest.mark.parametrize("before", [None, SourceCheck("7", "mark", "held", "fresh")])
def test_an_unreadable_source_is_known_by_what_it_was_known_by(before: SourceCheck | None) -> None:
    one = judged(Answer("", None, "it is down"), before)
    assert (one.check.freshness, one.check.cause, one.wish) == ("unreadable", "it is down", "")
    assert (one.check.signal, one.check.fingerprint) == (("mark", "held") if before else ("", ""))


def test_a_source_that_the_index_no_longer_holds_is_not_judged() -> None:
    assert judge({"8": Answer("mark", "other")}, HELD, {}) == {}
