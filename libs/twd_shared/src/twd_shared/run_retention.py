"""Deleting old runs with their events and output, which no retention setting of Dagster's does.

An asset is what its newest event says. Without that event Dagster would show a partition as never
materialized, and conditions would have it made again: the run that wrote it is kept, however old.
Events are told apart by their numbers, which in Dagster's SQLite storage are not unique.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import dagster as dg

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_OF_ASSETS = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_OBSERVATION}
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class OldRuns:
    """How many of the old runs were deleted, and how many kept for what they wrote."""

    deleted: int
    kept: int


def delete_old_runs(instance: dg.DagsterInstance, ended_before: datetime) -> OldRuns:
    """Delete the runs that ended before that moment and wrote nothing that is the newest.

    Cut off at any point, it is done again from where it was.
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
    return OldRuns(deleted, kept)


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
