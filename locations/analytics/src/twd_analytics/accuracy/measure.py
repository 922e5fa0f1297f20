"""Measuring the accuracy of days: read, judge by the snapshot of that day, store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import partial

from twd_analytics.accuracy.report import ConnectionAccuracy, accuracy_of_day
from twd_analytics.accuracy.store import AccuracyStore
from twd_analytics.generated_sql.names import KnownNames
from twd_analytics.messages.days import bounds_of
from twd_analytics.messages.reading import MessageLog
from twd_shared.store.snapshots import SnapshotStore


def measure_accuracy(
    days: Iterable[date],
    timezone: str,
    log: MessageLog,
    store: AccuracyStore,
    history: NameHistory,
    db_types: Mapping[str, str],
) -> Iterator[tuple[date, list[ConnectionAccuracy]]]:
    """Measure and store day after day; gives what was stored. A day is in memory at a time.

    What was valid on a day is what was valid at its end.
    """
    for day in days:
        _, end = bounds_of(day, timezone)
        report = accuracy_of_day(
            log.answers_of(day),
            db_types,
            partial(history.names_at, end),
            store.models_live_at(end),
        )
        store.replace_day(day, report)
        yield day, report


class NameHistory:
    """Names of the tables of each connection as they were at a moment; a version is read once."""

    def __init__(self, snapshots: SnapshotStore) -> None:
        """Read from `snapshots`."""
        self._snapshots = snapshots
        self._names: dict[tuple[str, int], KnownNames] = {}

    def names_at(self, moment: datetime, connection_id: str) -> KnownNames | None:
        """The connection's names at `moment`; None if it had no snapshot yet."""
        version = self._snapshots.version_at(connection_id, moment)
        if version is None:
            return None
        key = (connection_id, version.version)
        if key not in self._names:
            self._names[key] = KnownNames(self._snapshots.load(*key))
        return self._names[key]
