"""Requesting a run for what a connection needs: not while one is in flight, and not for ever.

Not by run key: Dagster remembers a run key for ever, so a state that goes from A to B, back and to
B again would be dropped, and a failed run would never be repeated.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice

import dagster as dg
import msgspec

from twd_shared.contract import CONNECTION_TAG, DATABASE_TAG, TRIGGER_TAG
from twd_shared.run_subjects import PARTITION_TAG, planned_assets
from twd_shared.store.connections import RegisteredConnection

_FIRST_WAIT_SECONDS = 60.0
_LONGEST_WAIT_SECONDS = 3600.0
_MOST_DOUBLINGS = 10
IN_FLIGHT = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
"""Statuses of a run that is not over."""


class Attempt(msgspec.Struct):
    """Requests made for one wish: how many, when the last (Unix seconds), and for what.

    `in_vain` counts those for any wish while what they were to change stayed `standing`.
    """

    wish: str
    count: int
    last: float
    standing: str = ""
    in_vain: int = 0


class Attempts:
    """How often each connection's wish was requested; kept in a sensor's cursor as JSON."""

    def __init__(self, cursor: str | None, most: int | None = None) -> None:
        """Read the record from a sensor's cursor; an unreadable one counts as none.

        After `most` requests for the same wish no more are due; None = there is no end to them.
        """
        self._most = most
        try:
            self._by_id = msgspec.json.decode(cursor or "{}", type=dict[str, Attempt])
        except msgspec.DecodeError:
            self._by_id = {}

    def is_due(self, connection_id: str, wish: str, now: float, standing: str = "") -> bool:
        """Whether the wish may be requested: a new wish at once, a repeated one after its wait.

        Waits are 60 s, 120 s, 240 s … and an hour at most. A request that seems to come later than
        now was made by a clock that has been set back since: it is waited for no longer.

        `standing` names what requests are to change, '' = nobody knows. Where the most requests
        have not changed it, each further one waits for an hour: some sources wish anew all day.
        """
        attempt = self._by_id.get(connection_id)
        if attempt is None:
            return True
        if self.has_given_up(connection_id, wish):
            return False
        wait = 0.0
        if attempt.wish == wish:
            # Of what fails for weeks the power would be no number any more.
            doublings = min(attempt.count - 1, _MOST_DOUBLINGS)
            wait = min(_FIRST_WAIT_SECONDS * 2**doublings, _LONGEST_WAIT_SECONDS)
        if standing and self._in_vain(attempt, standing) >= (self._most or math.inf):
            wait = _LONGEST_WAIT_SECONDS
        return not 0 <= now - attempt.last < wait

    def has_given_up(self, connection_id: str, wish: str) -> bool:
        """Whether the wish was requested as often as it may be."""
        attempt = self._by_id.get(connection_id)
        return (
            self._most is not None
            and attempt is not None
            and attempt.wish == wish
            and attempt.count >= self._most
        )

    def record(self, connection_id: str, wish: str, now: float, standing: str = "") -> int:
        """Count a request for the wish; gives how many there were with it."""
        attempt = self._by_id.get(connection_id)
        count = attempt.count + 1 if attempt and attempt.wish == wish else 1
        in_vain = self._in_vain(attempt, standing) if attempt else 0
        self._by_id[connection_id] = Attempt(wish, count, now, standing, in_vain + 1)
        return count

    def forget_others(self, pending: set[str]) -> None:
        """Forget every connection that wishes nothing now."""
        self._by_id = {key: value for key, value in self._by_id.items() if key in pending}

    def cursor(self) -> str:
        """The record for the sensor's cursor."""
        return msgspec.json.encode(self._by_id, order="sorted").decode()

    @staticmethod
    def _in_vain(attempt: Attempt, standing: str) -> int:
        return attempt.in_vain if attempt.standing == standing else 0


def is_in_flight(
    instance: dg.DagsterInstance, connection: RegisteredConnection, assets: Sequence[dg.AssetKey]
) -> bool:
    """Whether a run of the connection's partition that writes one of the assets is not over."""
    return bool(runs_in_flight(instance, assets, {PARTITION_TAG: connection.partition_key}))


def runs_in_flight(
    instance: dg.DagsterInstance, assets: Sequence[dg.AssetKey], tags: Mapping[str, str]
) -> list[dg.DagsterRun]:
    """The runs with all of these tags that write one of the assets and are not over."""
    runs = instance.get_runs(dg.RunsFilter(tags=dict(tags), statuses=IN_FLIGHT))
    return [run for run in runs if not {*assets}.isdisjoint(assets_of(run, instance))]


def run_tags(connection_id: str, database_name: str, trigger: str) -> dict[str, str]:
    """Tags of a requested run: which connection, which database, what asked for it."""
    return {CONNECTION_TAG: connection_id, DATABASE_TAG: database_name, TRIGGER_TAG: trigger}


def assets_of(run: dg.DagsterRun, instance: dg.DagsterInstance) -> Collection[dg.AssetKey]:
    """The assets that a run materializes; a run of a whole job has only planned them."""
    return run.asset_selection or planned_assets(run, instance)


def claim_run(
    instance: dg.DagsterInstance,
    attempts: Attempts,
    connection: RegisteredConnection,
    wish: str,
    trigger: str,
    assets: Sequence[dg.AssetKey],
    priority: int = 0,
    standing: str = "",
    *,
    is_urgent: bool = False,
) -> dg.RunRequest | None:
    """A request for a run of the connection's partition, or None if it has to wait.

    `assets` are all that the run will write. A run that does not name them is not recognised by
    automation conditions as the one that does their work, and they would ask for another.

    In the queue it goes before runs of a lower `priority`, which is 0 where nothing is said, and no
    more than 0 for a wish that was requested before: what fails again and again must not take every
    place.

    A request counts as an attempt; `wish` names what is wanted, so that a new wish does not wait
    for the failures of an older one. `standing` is as for `Attempts.is_due`; an urgent wish does
    not wait for what left it as it is, but counts among it.
    """
    now, connection_id = time.time(), connection.connection_id
    is_due = attempts.is_due(connection_id, wish, now, "" if is_urgent else standing)
    if not is_due or is_in_flight(instance, connection, assets):
        return None
    if attempts.record(connection_id, wish, now, standing) > 1:
        priority = min(priority, 0)
    return dg.RunRequest(
        partition_key=connection.partition_key,
        asset_selection=list(assets),
        tags={
            **run_tags(connection.connection_id, connection.database_name, trigger),
            **({"dagster/priority": str(priority)} if priority else {}),
        },
    )


def first_claims(claims: Iterable[dg.RunRequest | None], most: int) -> list[dg.RunRequest]:
    """The first `most` requests; what comes later is not claimed, so that it counts no attempt."""
    return list(islice((request for request in claims if request), most))
