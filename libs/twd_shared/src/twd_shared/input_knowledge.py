"""What a materialization of an asset knows of an input: told by Dagster's own tags.

With each materialization Dagster writes the data version of each input when the step began, and the
newest event of the input at that time. The version is hashed (SHA-256), over all partitions that a
run reads; the event is one of any partition. See `_core/execution/context/data_version_cache.py`.
Events of all runs and assets must be numbered together, as in PostgreSQL; in Dagster's SQLite
storage they are not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import NamedTuple

import dagster as dg

DATA_VERSION_TAG = "dagster/data_version"
_ABOUT_INPUTS = "dagster/input_"
_INPUT_VERSION_TAG = "dagster/input_data_version"
_INPUT_EVENT_TAG = "dagster/input_event_pointer"
_MOST_RECORDS = 1_000


class Materialization(NamedTuple):
    """One partition as it was written: the event's number and time, its run ('' = none), tags."""

    event: int
    timestamp: float
    run_id: str
    tags: Mapping[str, str]

    @property
    def version(self) -> str:
        """The data version that was written; '' if none is told."""
        return self.tags.get(DATA_VERSION_TAG, "")

    @property
    def input_tags(self) -> Mapping[str, str]:
        """What it tells of its inputs."""
        return {name: tag for name, tag in self.tags.items() if name.startswith(_ABOUT_INPUTS)}

    def seen_of(self, asset: dg.AssetKey) -> int:
        """The newest event of an input that was there when this was made; 0 = none."""
        # What was reported from outside tells nothing, and knows what was there before it.
        told = self.tags.get(f"{_INPUT_EVENT_TAG}/{asset.to_user_string()}", str(self.event))
        return int(told) if told.isdecimal() else 0

    def knows(self, asset: dg.AssetKey, version: str) -> bool:
        """Whether it was surely made of this version of an input."""
        told = self.tags.get(f"{_INPUT_VERSION_TAG}/{asset.to_user_string()}")
        return told in (version, sha256(version.encode()).hexdigest())


def newest(
    instance: dg.DagsterInstance, asset: dg.AssetKey, partitions: Collection[str]
) -> Mapping[str, Materialization]:
    """The newest materialization of each of some partitions; Dagster gives 10,000 at most."""
    # Without partitions Dagster would look at all.
    if not partitions:
        return {}
    events = instance.get_latest_storage_id_by_partition(
        asset, dg.DagsterEventType.ASSET_MATERIALIZATION, {*partitions}
    )
    return written_at(instance, asset, [*events.values()])


def written_at(
    instance: dg.DagsterInstance, asset: dg.AssetKey, events: Collection[int]
) -> Mapping[str, Materialization]:
    """Materializations by partition, from the numbers of their events, 10,000 at most."""
    if not events:
        return {}
    of_these = dg.AssetRecordsFilter(asset_key=asset, storage_ids=[*events])
    records = instance.fetch_materializations(of_these, len(events)).records
    return {str(record.partition_key): _of_record(record) for record in records}


class InputState(NamedTuple):
    """A partition of an input as it is `now`, beside what was made of it before: `target`."""

    instance: dg.DagsterInstance
    asset: dg.AssetKey
    partition: str
    target: Materialization
    now: Materialization

    def has_changed(self) -> bool:
        """Whether it has another version now than the target was made of."""
        if not self._is_newer or self.target.knows(self.asset, self.now.version):
            return False
        # A run over several partitions tells a hash of all. Their events tell more, as long as they
        # are kept; when they are gone it is better to make the target once more.
        return bool(self._versions(after=self._seen) - self._versions(before=self._seen + 1))

    def went_to_and_fro(self) -> bool:
        """Whether it was another for a time since the target's step began."""
        return self._is_newer and bool(self._versions(after=self._seen) - {self.now.version})

    @property
    def _seen(self) -> int:
        return self.target.seen_of(self.asset)

    @property
    def _is_newer(self) -> bool:
        return self.now.event > self._seen

    def _versions(self, *, after: int | None = None, before: int | None = None) -> set[str]:
        """The versions told by all events after one, or by the newest one before another."""
        of_these = dg.AssetRecordsFilter(
            asset_key=self.asset,
            asset_partitions=[self.partition],
            after_storage_id=after,
            before_storage_id=before,
        )
        most = _MOST_RECORDS if before is None else 1
        records = self.instance.fetch_materializations(of_these, most).records
        return {_of_record(record).version for record in records} - {""}


def _of_record(record: dg.EventLogRecord) -> Materialization:
    made = record.asset_materialization
    return Materialization(
        record.storage_id, record.timestamp, record.run_id, (made and made.tags) or {}
    )
