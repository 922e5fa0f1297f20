"""What Dagster is told of a person's decision over the gate, which no run writes."""

from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from twd_shared.contract import TRAINED_MODEL
from twd_shared.input_knowledge import DATA_VERSION_TAG, Materialization, newest
from twd_training.defs.assets import PROMOTION_CHECK, promotion_check, version_of_served

if TYPE_CHECKING:
    from twd_training.knowledge_base.publishing import Published


def report_decided(
    instance: dg.DagsterInstance, partition_key: str, published: "Published", decision: str
) -> None:
    """Tell which version is served now, so that it is evaluated, and what the check of it says.

    The decision is not made of newer inputs: what a training has not seen yet stays unseen.
    """
    before = _newest(instance, partition_key)
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            TRAINED_MODEL.key,
            partition=partition_key,
            description=decision,
            metadata={"version": published.version.version} if published.version else {},
            tags={
                **(before.input_tags if before else {}),
                DATA_VERSION_TAG: version_of_served(published),
            },
        )
    )
    check, told = promotion_check(published), _newest(instance, partition_key)
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=TRAINED_MODEL.key,
            check_name=PROMOTION_CHECK,
            passed=check.passed,
            metadata=check.metadata,
            target_materialization_data=AssetCheckEvaluationTargetMaterializationData(
                storage_id=told.event, run_id=told.run_id, timestamp=told.timestamp
            )
            if told
            else None,
            severity=check.severity,
            description=check.description,
        )
    )


def _newest(instance: dg.DagsterInstance, partition_key: str) -> Materialization | None:
    return newest(instance, TRAINED_MODEL.key, [partition_key]).get(partition_key)
