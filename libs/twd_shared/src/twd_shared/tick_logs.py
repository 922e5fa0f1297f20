"""Deleting what ticks of sensors and schedules logged, once Dagster has deleted the ticks.

Dagster's `retention` deletes the ticks alone. Sensors of automation conditions log at each tick:
without this, their files would grow for ever.
"""

from pathlib import Path

import dagster as dg
import sqlalchemy as sa
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.schedules.schema import JobTickTable
from dagster._core.storage.schedules.sql_schedule_storage import SqlScheduleStorage


def delete_logs_of_gone_ticks(instance: dg.DagsterInstance) -> int:
    """Delete the logs whose tick is no more, where they are files; returns how many."""
    manager, storage = instance.compute_log_manager, instance.schedule_storage
    if not (
        isinstance(manager, LocalComputeLogManager) and isinstance(storage, SqlScheduleStorage)
    ):
        return 0
    # The files first: a tick is written down before it logs.
    logs = _tick_logs(manager)
    with storage.connect() as connection:
        ticks = {str(tick_id) for tick_id in connection.scalars(sa.select(JobTickTable.c.id))}
    gone = [log_key for log_key in logs if log_key[-1] not in ticks]
    for log_key in gone:
        manager.delete_logs(log_key=log_key)
    return len(gone)


def _tick_logs(manager: LocalComputeLogManager) -> list[list[str]]:
    """The keys of all logs of ticks: repository, sensor or schedule, number of the tick."""
    # All code locations have the repository that Dagster names when nobody does.
    any_log = manager.get_captured_local_path([SINGLETON_REPOSITORY_NAME, "any"], "err")
    folder = Path(any_log).parent
    if not folder.is_dir():
        return []
    return [
        log_key
        for sensor in folder.iterdir()
        for log_key in manager.get_log_keys_for_log_key_prefix(
            [SINGLETON_REPOSITORY_NAME, sensor.name], ComputeIOType.STDERR
        )
        if log_key[-1].isdecimal()
    ]
