"""What Dagster keeps of the checks of assets that have a partition for each source."""

from __future__ import annotations

import dagster as dg

from twd_shared.asset_checks import check_of_sources
from twd_shared.contract import source_databases

ASSET = dg.AssetKey("made")


@dg.asset(
    key=ASSET,
    partitions_def=source_databases,
    check_specs=[check_of_sources("made_well", ASSET, "It was made well.")],
)
def made(context) -> dg.MaterializeResult:  # Dagster reads the annotation, which is a text here.
    passed = context.partition_key != "shop"
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=passed)])


def test_a_failed_check_of_a_source_is_kept_when_that_of_another_passes() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(str(source_databases.name), ["shop", "store"])
        for partition in ("shop", "store"):
            dg.materialize([made], instance=instance, partition_key=partition)
        check = dg.AssetCheckKey(ASSET, "made_well")
        kept = instance.event_log_storage.get_asset_check_partition_info([check])
    assert {one.partition_key: one.latest_execution_status.value for one in kept} == {
        "shop": "FAILED",
        "store": "SUCCEEDED",
    }
