"""Deleting old runs with their events and output, which no retention setting of Dagster's does.

Events that sensors and people write belong to no run: they are deleted by themselves.

An asset is what its newest event says. Without that event Dagster would show a partition as never
materialized, and conditions would have it made again: it is kept with its run, however old.
Events are told apart by their numbers, which in Dagster's SQLite storage are not unique.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
import sqlalchemy as sa
from dagster._core.instance.utils import RUNLESS_RUN_ID
from dagster._core.storage.event_log.schema import AssetEventTagsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_OF_ASSETS = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_OBSERVATION}
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class OldRuns:
    """How many of the old runs were deleted, and how many kept for what they wrote.

    `events` are those of no run that were deleted.
    """

    deleted: int
    kept: int
    events: int


def delete_old_runs(instance: dg.DagsterInstance, ended_before: datetime) -> OldRuns:
    """Delete the runs that ended before that moment and wrote nothing that is the newest.

    So are events of assets that belong to no run. Cut off at any point, it is done again from where
    it was.
    """
    newest = _newest_events(instance)
    deleted = kept = 0
    ended = dg.RunsFilter(statuses=_ENDED, updated_before=ended_before)
    for run_id in instance.get_run_ids(ended):
        if newest.isdisjoint(_events_of_assets(instance, run_id)):
            # The output first: once the run is gone, nothing would tell that it is there.
            instance.compute_log_manager.delete_logs(prefix=[run_id])
            instance.delete_run(run_id)
            deleted += 1
        else:
            kept += 1
    return OldRuns(deleted, kept, _delete_runless_events(instance, ended_before, newest))


def _delete_runless_events(instance: dg.DagsterInstance, before: datetime, kept: set[int]) -> int:
    """Delete what no run wrote before that moment; Dagster itself deletes events by runs alone."""
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return 0
    events, tags = SqlEventLogStorageTable, AssetEventTagsTable
    old = sa.select(events.c.id).where(
        events.c.run_id == RUNLESS_RUN_ID,
        events.c.dagster_event_type.in_([kind.value for kind in _OF_ASSETS]),
        # Written in UTC, without a zone.
        events.c.timestamp < before.astimezone(UTC).replace(tzinfo=None),
    )
    with storage.index_connection() as connection:
        found = [one for one in connection.scalars(old) if one not in kept]
        for start in range(0, len(found), _PAGE):
            ids = found[start : start + _PAGE]
            connection.execute(tags.delete().where(tags.c.event_id.in_(ids)))
            connection.execute(events.delete().where(events.c.id.in_(ids)))
    return len(found)


def _newest_events(instance: dg.DagsterInstance) -> set[int]:
    """Ids of the newest event of each asset and each partition of one."""
    newest: set[int] = set()
    keys = list(instance.get_asset_keys())
    for key in keys:
        for kind in _OF_ASSETS:
            by_partition = instance.event_log_storage.get_latest_storage_id_by_partition(key, kind)
            newest.update(by_partition.values())
    for record in instance.get_asset_records(keys):
        entry = record.asset_entry
        for event in (entry.last_materialization_record, entry.last_observation_record):
            if event:
                newest.add(event.storage_id)
    return newest


def _events_of_assets(instance: dg.DagsterInstance, run_id: str) -> Iterator[int]:
    cursor: str | None = None
    while True:
        page = instance.get_records_for_run(run_id, cursor=cursor, of_type=_OF_ASSETS, limit=_PAGE)
        for record in page.records:
            yield record.storage_id
        if not page.has_more:
            return
        cursor = page.cursor
