"""Whose turn it is to ask a language model: some at once, one where it is slow, none in the end.

A server that answers one question at a time lets the others wait, and their time runs out
meanwhile. So once an answer took too long each question is asked alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition
from time import monotonic

from twd_shared.errors import EmbeddingTimedOut
from twd_shared.schema_model.wording import counted

# A run is ended after two hours, with its documentation not written, and holds a slot of the pool
# till then. What is left out is asked by the next sync, within six hours.
_LONGEST_SECONDS = 1800.0


def last_moment() -> float:
    """Until when whoever begins now may ask, by `time.monotonic`."""
    return monotonic() + _LONGEST_SECONDS


class GivenUp(Exception):
    """Nobody is asked any more in this run."""


class Turns:
    """Turns to ask `model`; `problem` is why no more are given, or ''."""

    def __init__(self, model: Callable[[str], str], at_once: int, until: float) -> None:
        """`model` raises this project's errors; `at_once` may ask it if it is quick enough.

        `until` is what `last_moment` gave.
        """
        self._model = model
        self._until = until
        self._changed = Condition()
        self._most = at_once
        self._now = 0
        self._is_over = False
        self.problem = ""

    def ask(self, question: str) -> str:
        """The model's answer, in a turn of its own.

        Raises what the model raises, GivenUp if no turn is given any more.
        """
        with self._one() as is_alone:
            try:
                return self._model(question)
            except EmbeddingTimedOut:
                if is_alone:
                    raise
        with self._changed:
            self._most = 1
        with self._one():
            return self._model(question)

    def end(self, problem: str = "") -> None:
        """Give no more turns; those that were given go on to their end."""
        with self._changed:
            if not self._is_over:
                self._is_over, self.problem = True, problem
            self._changed.notify_all()

    @contextmanager
    def _one(self) -> Iterator[bool]:
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or self._now < self._most)
            if not self._is_over and monotonic() >= self._until:
                minutes = counted(int(_LONGEST_SECONDS // 60), "minute")
                self.end(
                    f"After {minutes} the language model was not asked about the other tables; "
                    "the next sync goes on with them."
                )
            if self._is_over:
                raise GivenUp
            self._now += 1
            is_alone = self._most == 1
        try:
            yield is_alone
        finally:
            with self._changed:
                self._now -= 1
                self._changed.notify_all()
