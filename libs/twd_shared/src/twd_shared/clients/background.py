"""An asynchronous producer as an ordinary iterator: it works ahead in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

Emit = Callable[[_Item], Awaitable[None]]


def run_apart(work: Coroutine[Any, Any, _Result]) -> _Result:
    """The result of `work`, run to its end in a thread, so that a caller may have its own loop."""

    async def produce(emit: Emit[_Result]) -> None:
        await emit(await work)

    [result] = iterate_apart(produce, ahead=1)
    return result


def iterate_apart(
    produce: Callable[[Emit[_Item]], Coroutine[Any, Any, None]],
    *,
    ahead: int,
    until: Future[None] | None = None,
) -> Generator[_Item, None, None]:
    """What `produce` emits, in that order, while it goes on in one event loop in the background.

    `emit` waits while `ahead` items are not taken. An error of `produce` is raised here behind the
    items before it. Closing the iterator cancels `produce` and waits for its end. Another thread
    than the one that iterates cannot close it: when `until` is done, `produce` is cancelled too,
    and asyncio.CancelledError is raised here.
    """
    items: queue.SimpleQueue[_Item | _End] = queue.SimpleQueue()
    room = asyncio.Semaphore(ahead)
    loop = asyncio.new_event_loop()

    async def ended() -> None:
        await producing

    async def emit(item: _Item) -> None:
        await room.acquire()
        items.put(item)

    def work() -> None:
        end = _End(None)
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(ended())
        # Whatever it is, it is the consumer's: nobody else looks at this thread.
        except BaseException as error:
            end = _End(error)
        items.put(end)

    def in_loop(what: Callable[[], object]) -> None:
        # The loop is closed when the producer has ended, and then there is nothing to tell it.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(what)

    def cancel() -> None:
        # It alone: the tasks that it began are ended by whoever waits for them there. One that is
        # cancelled from outside before it began leaves work behind that is never awaited.
        producing.cancel()

    producing = loop.create_task(produce(emit))
    thread = threading.Thread(target=work, name="twd-background", daemon=True)
    thread.start()
    if until is not None:
        until.add_done_callback(lambda _: in_loop(cancel))
    try:
        while not isinstance(item := items.get(), _End):
            yield item
            in_loop(room.release)
        if item.error is not None:
            raise item.error
    finally:
        in_loop(cancel)
        thread.join()


@dataclass(frozen=True, slots=True)
class _End:
    """The last thing in the queue, with the error that ended the producer, if one did."""

    error: BaseException | None
