"""Deleting the results of checks whose run is no more, which Dagster leaves when it deletes a run.

A check is what its newest result says, so that one stays, whatever became of its run.
"""

import dagster as dg
import sqlalchemy as sa
from dagster._core.instance.utils import RUNLESS_RUN_ID
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

_PAGE = 1000


def delete_results_of_gone_runs(instance: dg.DagsterInstance) -> int:
    """Delete results of checks by runs that were deleted, but for the newest; returns how many."""
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return 0
    results = AssetCheckExecutionsTable
    newest = sa.select(sa.func.max(results.c.id)).group_by(
        results.c.asset_key, results.c.check_name, results.c.partition
    )
    superseded = sa.select(results.c.id, results.c.run_id).where(
        results.c.id.not_in(newest), results.c.run_id != RUNLESS_RUN_ID
    )
    with storage.index_connection() as connection:
        found = connection.execute(superseded).all()
        # Runs after results: a run is written down before its checks.
        runs = set(instance.get_run_ids())
        gone = [result for result, run_id in found if run_id not in runs]
        for start in range(0, len(gone), _PAGE):
            page = gone[start : start + _PAGE]
            connection.execute(results.delete().where(results.c.id.in_(page)))
    return len(gone)
