"""How conditions were evaluated is deleted after a month, as no daemon of Dagster does it here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from twd_shared.evaluation_retention import delete_old_evaluations

pytestmark = pytest.mark.integration


@dg.asset(automation_condition=dg.AutomationCondition.eager())
def automated() -> None: ...


def test_an_evaluation_is_kept_for_thirty_days(instance: dg.DagsterInstance) -> None:
    storage = instance.schedule_storage
    assert storage is not None
    [result] = dg.evaluate_automation_conditions([automated], instance).results
    evaluation = result.serializable_evaluation.with_run_ids(set())
    storage.add_auto_materialize_asset_evaluations(1, [evaluation])

    def kept_after(days: int) -> int:
        delete_old_evaluations(instance, datetime.now(UTC) + timedelta(days=days))
        return len(storage.get_auto_materialize_asset_evaluations(automated.key, limit=10))

    assert [kept_after(29), kept_after(31)] == [1, 0]
