"""Which sources may have drifted: all asked at once, within bounds, none able to stall the others.

A source is asked for a cheap signal, and its schema is read only where the signal is not the one
by which its fingerprint is known.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from twd_schema.drift.marks import mark_of
from twd_schema.extraction.reading import SchemaReader
from twd_schema.history.confirmation import as_seen_last
from twd_shared.clients.catalog import Connection
from twd_shared.errors import MetadataFailure, SourceBusy, TwdError, UnusableConnectionString
from twd_shared.schema_model.fingerprint import object_fingerprints, snapshot_fingerprint
from twd_shared.schema_model.models import Snapshot
from twd_shared.sources.address import source_address
from twd_shared.store.source_checks import SourceCheck

PATIENCE_SECONDS = 2.0
"""How long one waits for a place at a host that runs read: less than a source has to answer."""

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DetectionLimits:
    """How many are asked at once, and for how long, in seconds.

    Asking more than 16 at once gained nothing when measured. Sources that could not be read the
    last time have places of their own: they may take all of their time, every time.
    """

    at_once: int = 16
    at_once_per_host: int = 8
    unreadable_at_once: int = 4
    budget_seconds: float = 40.0
    signal_seconds: float = 10.0
    reading_seconds: float = 20.0

    @classmethod
    def beside_runs(cls, host_readings: int) -> DetectionLimits:
        """Of the readings that a host may have at once, two thirds: runs have the others."""
        return cls(at_once_per_host=max(1, host_readings * 2 // 3))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source said: its mark ('' = it has none), its fingerprint, or why not.

    Without a fingerprint and without an error it has changed since its mark was taken, or may have,
    and is too large to be compared now.
    """

    mark: str
    fingerprint: str | None
    error: str = ""


NewestSnapshot = Callable[[str], Snapshot]
"""The newest stored snapshot of a connection, by its id."""


class Detector:
    """Asks sources whether their schemas have changed."""

    def __init__(
        self,
        reader: SchemaReader,
        newest: NewestSnapshot,
        secret: str,
        limits: DetectionLimits | None = None,
    ) -> None:
        """`secret` keys the marks; what a reading cannot tell counts as it is in `newest`."""
        self._reader = reader
        self._newest = newest
        self._secret = secret
        self._limits = limits or DetectionLimits()

    def ask(
        self, connections: Iterable[Connection], known: Mapping[str, SourceCheck]
    ) -> dict[str, Answer]:
        """Answers by connection id, of those that were reached within the budget.

        Whoever waited longest since the last time (`known`) is asked first, so that the rest of a
        fleet that is too large for one budget is asked at the next call.
        """
        ordered = sorted(
            connections,
            key=lambda item: (
                check.asked_at or _NEVER if (check := known.get(item.connection_id)) else _NEVER
            ),
        )
        # Not asyncio.run: it waits for threads, and a driver in one cannot be interrupted.
        loop = asyncio.new_event_loop()
        try:
            # One for each: a source may leave a thread hanging when its time is over, and the next
            # one must find a thread with its place. They start when they are needed, so there are
            # never more than sources got a place within the budget.
            threads = ThreadPoolExecutor(max(1, len(ordered)), "read-source")
            loop.set_default_executor(threads)
            return loop.run_until_complete(self._ask_all(ordered, known))
        finally:
            loop.close()

    async def _ask_all(
        self, connections: list[Connection], known: Mapping[str, SourceCheck]
    ) -> dict[str, Answer]:
        limits = self._limits
        places = asyncio.Semaphore(limits.at_once)
        last_places = asyncio.Semaphore(limits.unreadable_at_once)
        hosts: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(limits.at_once_per_host)
        )

        async def ask(connection: Connection) -> Answer | None:
            check = known.get(connection.connection_id)
            host = hosts[_host_of(connection)]
            # Who waits for a busy host must not hold a place of all; and of a host's places those
            # that were unreadable hold no more than there are for all of them.
            unreadable = check is not None and check.freshness == "unreadable"
            first, second = (last_places, host) if unreadable else (host, places)
            async with first, second:
                return await self._answer(connection, check)

        tasks = {item.connection_id: asyncio.create_task(ask(item)) for item in connections}
        if tasks:
            await asyncio.wait(tasks.values(), timeout=limits.budget_seconds)
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        # Nothing is said of what the end cut off, nor of what got no place at its host: it is asked
        # among the first the next time.
        answers = {key: task.result() for key, task in tasks.items() if not task.cancelled()}
        return {key: answer for key, answer in answers.items() if answer}

    async def _answer(self, connection: Connection, check: SourceCheck | None) -> Answer | None:
        mark = ""
        try:
            signal = await self._reader.signal_async(connection, self._limits.signal_seconds)
            mark = mark_of(signal, connection, self._secret)
            if mark and check and check.signal == mark and check.fingerprint:
                return Answer(mark, check.fingerprint)
            return await self._read(connection, mark)
        except SourceBusy:
            return None
        except MetadataFailure:
            raise
        except TwdError as error:
            return Answer(mark, None, str(error))
        except TimeoutError:
            return Answer(
                mark, None, f"{connection.label} did not answer in time. It is asked again."
            )
        except Exception as error:
            # A driver's own text may repeat a connection string.
            return Answer(
                mark,
                None,
                f"{connection.label} could not be read ({type(error).__name__}). "
                "Run schema_sync_job for it to see where.",
            )

    async def _read(self, connection: Connection, mark: str) -> Answer:
        try:
            return Answer(mark, await self._fingerprint(connection))
        except TimeoutError:
            if mark:
                return Answer(mark, None)
            return Answer(
                mark,
                None,
                f"{connection.label} gives no cheap signal, and reading it takes longer than "
                f"{self._limits.reading_seconds:g} s: only its sync every six hours compares it.",
            )

    async def _fingerprint(self, connection: Connection) -> str:
        snapshot = await self._reader.read_async(connection, within=self._limits.reading_seconds)
        newest = partial(self._newest, connection.connection_id)
        snapshot, _ = await asyncio.to_thread(as_seen_last, snapshot, connection.extraction, newest)
        return snapshot_fingerprint(object_fingerprints(snapshot))


def _host_of(connection: Connection) -> str:
    """The server of the source; a string that cannot be read, or names a file, has its own."""
    try:
        address = source_address(connection, frozenset({connection.db_type}))
    except UnusableConnectionString:
        return connection.connection_id
    return address.server or connection.connection_id
