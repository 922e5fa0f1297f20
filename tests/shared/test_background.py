"""A producer in the background, seen by the one who takes from it."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import anyio
import pytest

from twd_shared.clients.background import Emit, iterate_apart, run_apart


def in_background() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "twd-background"]


def test_items_come_in_order_and_the_thread_ends() -> None:
    async def count(emit: Emit[int]) -> None:
        for number in range(10):
            await emit(number)

    assert list(iterate_apart(count, ahead=2)) == list(range(10))
    assert in_background() == []


def test_an_error_comes_behind_what_was_made_before_it() -> None:
    async def fail(emit: Emit[int]) -> None:
        await emit(1)
        raise LookupError("third")

    items = iterate_apart(fail, ahead=4)
    assert next(items) == 1
    with pytest.raises(LookupError, match="third"):
        next(items)
    assert in_background() == []


def test_a_slow_taker_is_not_piled_up_on() -> None:
    made: list[int] = []

    async def count(emit: Emit[int]) -> None:
        for number in range(10):
            await emit(number)
            made.append(number)

    items = iterate_apart(count, ahead=2)
    assert next(items) == 0
    deadline = time.monotonic() + 5
    while len(made) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    time.sleep(0.05)
    assert made == [0, 1]
    assert list(items) == list(range(1, 10))


def test_closing_cancels_the_producer_and_waits_for_its_end() -> None:
    ended = threading.Event()

    async def hang(emit: Emit[int]) -> None:
        try:
            await emit(1)
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            ended.set()

    items = iterate_apart(hang, ahead=1)
    assert next(items) == 1
    items.close()
    assert ended.is_set()
    assert in_background() == []


@pytest.mark.parametrize("is_early", [True, False])
def test_another_thread_frees_the_one_that_waits_for_the_producer(is_early: bool) -> None:
    asked, until = threading.Event(), Future[None]()

    async def hang(emit: Emit[int]) -> None:
        asked.set()
        await asyncio.sleep(60)

    with ThreadPoolExecutor(1) as apart:
        if is_early:
            until.set_result(None)
        taking = apart.submit(lambda: list(iterate_apart(hang, ahead=1, until=until)))
        if not is_early:
            assert asked.wait(5)
            until.set_result(None)
        with pytest.raises(asyncio.CancelledError):
            taking.result(5)
    assert in_background() == []


def test_work_that_has_not_begun_when_the_producer_is_cancelled_is_not_forgotten() -> None:
    until = Future[None]()

    async def begin(emit: Emit[int]) -> None:
        until.set_result(None)
        # As a client that connects to several addresses does: the task is begun behind the end.
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 60)
            await emit(1)
            await emit(2)

    with pytest.raises(asyncio.CancelledError):
        list(iterate_apart(begin, ahead=1, until=until))
    assert in_background() == []
    # Python warns of work that was never awaited, which is an error here, when it is collected.
    gc.collect()


async def test_a_caller_with_an_event_loop_of_its_own_is_served() -> None:
    async def answer() -> int:
        return 42

    assert run_apart(answer()) == 42
