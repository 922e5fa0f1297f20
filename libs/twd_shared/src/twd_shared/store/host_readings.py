"""How many readings of one source host go on at once, counted over all processes.

A host has numbered places. Whoever reads holds one of them: an advisory lock of a session with the
metadata database. So no record can be wrong: the server itself frees a place when the process that
holds it dies. One session, open while places are held, holds all places of a `HostReadings`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import Future, ThreadPoolExecutor

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from twd_shared.errors import MetadataUnavailable, SourceBusy
from twd_shared.settings import METADATA_DSN, SOURCE_HOST_READINGS
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.locks import KEEPALIVES

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.5
# A metadata database that takes longer is told as what it is: nobody waits for it for ever.
_ANSWER_SECONDS = 5.0


class HostPlace:
    """A place among the readings of one host, wanted or held."""

    def __init__(self, readings: HostReadings, host: str) -> None:
        """Held from when `readings` took it for `host`."""
        self._readings = readings
        self.host = host
        self.number: int | None = None
        self.is_given_back = False

    def give_back(self) -> None:
        """Let somebody else read, in a moment; once or many times, from any thread.

        It waits for nothing, so a task that is being cancelled can do it.
        """
        self._readings.give_back(self)


class HostReadings:
    """The places of one process; all who read the same sources use the same metadata database."""

    def __init__(self, database: MetadataDatabase, most: int, patience_seconds: float) -> None:
        """At most `most` readings of a host at once; one waits `patience_seconds` for its turn."""
        self._database = database
        self._most = most
        self._patience_seconds = patience_seconds
        self._session: sa.Connection | None = None
        self._held: set[HostPlace] = set()
        # All that is done with the session is done here, one after the other: a metadata database
        # that hangs holds up this thread, and no event loop.
        self._thread = ThreadPoolExecutor(1, "host-readings")

    async def take(self, label: str, host: str) -> HostPlace:
        """A place at `host` (name:port), held until it is given back; `label` is for errors.

        Whoever holds a place must not ask for a second one at the same host: all could then wait
        for each other. Raises SourceBusy when there was none in time, or when the metadata database
        took too long to tell, MetadataUnavailable.
        """
        place = HostPlace(self, host)
        until = time.monotonic() + self._patience_seconds
        pause = _FIRST_PAUSE_SECONDS
        try:
            while not await self._answered(self._thread.submit(self._try, place), label, host):
                if time.monotonic() + pause > until:
                    raise SourceBusy(
                        f"{label} has to wait: {self._most} readings of {host} are going on, as "
                        f"many as there may be at once, and none ended within "
                        f"{self._patience_seconds:g} s. It is tried again. If that server can bear "
                        f"more readers, raise {SOURCE_HOST_READINGS.name}."
                    )
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        except BaseException:
            # Cut off while the thread may be taking the place.
            place.give_back()
            raise
        return place

    def give_back(self, place: HostPlace) -> None:
        """What `HostPlace.give_back` does."""
        place.is_given_back = True
        # Refused only while the interpreter ends, and with it the session that holds the place.
        with contextlib.suppress(RuntimeError):
            self._thread.submit(self._free, place)

    async def _answered(self, tried: Future[bool], label: str, host: str) -> bool:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await asyncio.wrap_future(tried)
        except TimeoutError:
            if self._session is None:
                raise MetadataUnavailable(
                    f"The metadata database at {self._database.place} did not accept a session "
                    f"within {_ANSWER_SECONDS:g} s. Check that PostgreSQL runs, that it can be "
                    f"reached, and that {METADATA_DSN.name} is right."
                ) from None
            raise SourceBusy(
                f"{label} has to wait: the metadata database at {self._database.place}, by which "
                f"readings of {host} are counted, did not answer within {_ANSWER_SECONDS:g} s. It "
                "is tried again. If that goes on, look at the load of the metadata database."
            ) from None

    def _try(self, place: HostPlace) -> bool:
        if place.is_given_back:
            return False
        # The same session would get the same lock a second time.
        ours = {held.number for held in self._held if held.host == place.host}
        numbers = [number for number in range(1, self._most + 1) if number not in ours]
        if not numbers:
            return False
        is_new = self._session is None
        session = self._session = self._session or self._database.open_session()
        try:
            if is_new:
                session.execute(sa.text(f"select {KEEPALIVES}"))
            place.number = session.execute(
                _first_free(numbers), {"key": _key(place.host)}
            ).scalar_one()
        except SQLAlchemyError:
            self._lose_session()
            raise MetadataUnavailable(
                "The session that counts readings of sources is lost, because the metadata "
                f"database at {self._database.place} ended it. Look at PostgreSQL's log and its "
                "idle_session_timeout."
            ) from None
        if place.number is not None:
            self._held.add(place)
        self._close_if_idle()
        return place.number is not None

    def _free(self, place: HostPlace) -> None:
        if place not in self._held or self._session is None:
            return
        self._held.discard(place)
        try:
            self._session.execute(
                sa.text("select pg_advisory_unlock(hashtextextended(:key, :number))"),
                {"key": _key(place.host), "number": place.number},
            )
        except SQLAlchemyError:
            # With its session the place is free as well.
            self._lose_session()
        self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self._session is not None and not self._held:
            self._session.close()
            self._session = None

    def _lose_session(self) -> None:
        if self._session is not None:
            self._session.invalidate()
        self._held.clear()
        self._close_if_idle()


def _key(host: str) -> str:
    return f"twd.readings:{host}"


def _first_free(numbers: list[int]) -> sa.TextClause:
    """Takes the first place that is free and gives its number, or null: CASE asks in order."""
    tries = " ".join(
        f"when pg_try_advisory_lock(hashtextextended(:key, {number})) then {number}"
        for number in numbers
    )
    return sa.text(f"select case {tries} end")
