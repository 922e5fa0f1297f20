"""Makes a restored metadata database fit for this release: `python -m twd_local.backup.prepare`.

A process of its own: Dagster reads the database's address from the environment, once.
"""

from __future__ import annotations

import sys

import dagster as dg

from twd_shared import instance
from twd_shared.store import migrate

_CANCELING = dg.DagsterRunStatus.CANCELING
_IN_FLIGHT = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, _CANCELING]
_REASON = "This run was going on when the backup was made that was restored: its process is gone."


def main() -> int:
    """Migrate schema `twd` and Dagster's tables, and end what was going on.

    0 = done, 2 = it failed, and stderr says why.
    """
    if failed := migrate.main([]):
        return failed
    with dg.DagsterInstance.get() as found:
        instance.prepare(found)
        end_runs(found)
    return 0


def end_runs(found: dg.DagsterInstance) -> int:
    """Mark runs as ended whose processes cannot be there any more; gives how many.

    As failed, so that the daemon starts them again as it does after any crash (dagster.yaml,
    run_retries). Their pool slots are freed.
    """
    runs = found.get_runs(dg.RunsFilter(statuses=_IN_FLIGHT))
    for run in runs:
        if run.status == _CANCELING:
            found.report_run_canceled(run, _REASON)
        else:
            found.report_run_failed(run, _REASON)
        found.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return len(runs)


if __name__ == "__main__":
    sys.exit(main())
