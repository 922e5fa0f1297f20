"""Deleting how conditions were evaluated long ago.

Dagster does so after ticks of its asset daemon alone, which has nothing to do where the sensors of
the code locations evaluate the conditions.
"""

from datetime import datetime, timedelta

import dagster as dg

EVALUATION_DAYS = 30
"""After so many days Dagster's asset daemon deletes an evaluation."""


def delete_old_evaluations(instance: dg.DagsterInstance, now: datetime) -> None:
    """Delete the evaluations of conditions older than `EVALUATION_DAYS`."""
    storage = instance.schedule_storage
    if storage is not None and storage.supports_auto_materialize_asset_evaluations:
        storage.purge_asset_evaluations((now - timedelta(days=EVALUATION_DAYS)).timestamp())
