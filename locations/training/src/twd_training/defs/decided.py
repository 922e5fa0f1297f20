"""What Dagster is told of a person's decision over the gate, which no run writes."""

import time
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.utils import make_new_run_id

from twd_shared.contract import TRAINED_MODEL
from twd_shared.input_knowledge import DATA_VERSION_TAG, Materialization, newest
from twd_training.defs.assets import PROMOTION_CHECK, promotion_check, version_of_served

if TYPE_CHECKING:
    from twd_training.knowledge_base.publishing import Published

_CHECK = dg.AssetCheckKey(TRAINED_MODEL.key, PROMOTION_CHECK)


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
    evaluation = dg.AssetCheckEvaluation(
        asset_key=_CHECK.asset_key,
        check_name=_CHECK.name,
        passed=check.passed,
        # Dagster shows it at the time of the result that it replaces.
        metadata={**check.metadata, "decided": dg.MetadataValue.timestamp(time.time())},
        target_materialization_data=AssetCheckEvaluationTargetMaterializationData(
            storage_id=told.event, run_id=told.run_id, timestamp=told.timestamp
        )
        if told
        else None,
        severity=check.severity,
        description=check.description,
        partition=partition_key,
    )
    instance.report_dagster_event(
        dg.DagsterEvent(
            event_type_value=dg.DagsterEventType.ASSET_CHECK_EVALUATION.value,
            job_name="",
            event_specific_data=evaluation,
        ),
        _judged_by(instance, partition_key) or (before and before.run_id) or make_new_run_id(),
    )


def _judged_by(instance: dg.DagsterInstance, partition_key: str) -> str | None:
    """The run that judged the source last; its result is replaced.

    Of a check with partitions Dagster's storage takes one result without a run for each, and a
    person may decide over a source twice.
    """
    storage = instance.event_log_storage
    of_source = PartitionKeyFilter(key=partition_key)
    record = storage.get_latest_asset_check_execution_by_key([_CHECK], of_source).get(_CHECK)
    return record and record.run_id


def _newest(instance: dg.DagsterInstance, partition_key: str) -> Materialization | None:
    return newest(instance, TRAINED_MODEL.key, [partition_key]).get(partition_key)
