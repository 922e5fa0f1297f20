"""A language model that is slow, or is asked about wide tables: in turns, and not for ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from twd_schema.documentation import turns
from twd_schema.documentation.turns import GivenUp, Turns, last_moment
from twd_shared.errors import EmbeddingTimedOut, EmbeddingUnavailable


class OneAtATime:
    """A model whose server answers one question at a time: of a crowd none is answered in time."""

    def __init__(self, expected: int) -> None:
        self.asked: list[str] = []
        self._together = threading.Barrier(expected)
        self._lock = threading.Lock()
        self._under_way = 0
        self.is_crowded = True

    def __call__(self, question: str) -> str:
        with self._lock:
            self.asked.append(question)
            self._under_way += 1
        if self.is_crowded:
            # All are asked at once, once.
            self._together.wait(timeout=30)
            self.is_crowded = False
            with self._lock:
                self._under_way -= 1
            raise EmbeddingTimedOut("It waited for the others.")
        with self._lock:
            others, self._under_way = self._under_way - 1, self._under_way - 1
        assert others == 0
        return question


def test_a_server_that_answers_one_at_a_time_is_asked_so_and_answers_all() -> None:
    model = OneAtATime(4)
    made = Turns(model, 4, last_moment())
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(made.ask, "abcdefgh"))
    assert answers == list("abcdefgh")
    # The four whose time ran out were asked again.
    assert len(model.asked) == 8 + 4


def test_who_was_alone_and_not_answered_in_time_is_not_asked_again() -> None:
    asked: list[str] = []

    def never(question: str) -> str:
        asked.append(question)
        raise EmbeddingTimedOut("No answer.")

    made = Turns(never, 4, last_moment())
    for _ in range(2):
        with pytest.raises(EmbeddingTimedOut):
            made.ask("film")
    # The first was not known to be alone.
    assert len(asked) == 3


def test_another_failure_is_no_reason_to_ask_alone() -> None:
    asked: list[str] = []

    def fails(question: str) -> str:
        asked.append(question)
        raise EmbeddingUnavailable("It is away.")

    with pytest.raises(EmbeddingUnavailable):
        Turns(fails, 4, last_moment()).ask("film")
    assert asked == ["film"]


def test_after_half_an_hour_nobody_is_asked_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(turns, "monotonic", lambda: now)
    made = Turns(lambda question: question, 1, last_moment())
    now = 1799.0
    assert made.ask("film") == "film"
    now = 1800.0
    with pytest.raises(GivenUp):
        made.ask("actor")
    assert made.problem.startswith("After 30 minutes the language model was not asked about")


def test_who_waits_for_a_turn_learns_that_there_is_none() -> None:
    asked, may_answer = threading.Event(), threading.Event()

    def waits(question: str) -> str:
        asked.set()
        assert may_answer.wait(30)
        return question

    made = Turns(waits, 1, last_moment())
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(made.ask, "film")
        assert asked.wait(30)
        second = threads.submit(made.ask, "actor")
        made.end("Enough.")
        with pytest.raises(GivenUp):
            second.result(30)
        may_answer.set()
        assert first.result(30) == "film"
    made.end("Said later.")
    assert made.problem == "Enough."
