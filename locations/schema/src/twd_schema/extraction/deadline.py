"""The end of a reading that takes too long, whatever it waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import TracebackType


class Deadline:
    """Interrupts what is registered once the seconds have passed; used as a context.

    A driver's own timeout starts anew with each answer: a server that sends a byte now and then
    is never late for it.
    """

    def __init__(self, seconds: float) -> None:
        """`seconds` count from the entry into the context."""
        self._timer = threading.Timer(seconds, self._pass)
        self._timer.daemon = True
        self._interrupts: list[Callable[[], object]] = []
        self._released = ExitStack()
        self._lock = threading.Lock()
        self.passed = False

    def interrupt_with(
        self, interrupt: Callable[[], object], release: Callable[[], object] | None = None
    ) -> None:
        """Call `interrupt` from another thread when the time has passed, or now if it has.

        `release` is called at the end of the context, in any case.
        """
        if release:
            self._released.callback(release)
        with self._lock:
            if not self.passed:
                self._interrupts.append(interrupt)
                return
        interrupt()

    def _pass(self) -> None:
        with self._lock:
            self.passed = True
            interrupts, self._interrupts = self._interrupts, []
        for interrupt in interrupts:
            # It may have ended in this very moment.
            with suppress(Exception):
                interrupt()

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        self._timer.join()
        self._released.close()
