"""Schedules of the schema location."""

import dagster as dg

from twd_schema.defs.jobs import ALL_OF_A_SOURCE
from twd_shared.alerting import run_tags
from twd_shared.errors import TwdError
from twd_shared.resources.stores import MetadataStoreResource
from twd_shared.settings import Settings


def schema_sync_schedule(
    settings: Settings, job: "dg.UnresolvedAssetJobDefinition"
) -> dg.ScheduleDefinition:
    """The schedule that syncs every active connection, whether or not a change was noticed."""

    @dg.schedule(
        name="schema_sync_schedule",
        job=job,
        cron_schedule="0 */6 * * *",
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every six hours, syncs all active connections.",
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, metadata_store: MetadataStoreResource
    ) -> list[dg.RunRequest] | dg.SkipReason:
        try:
            indexed = metadata_store.index_states.connection_ids()
            known = metadata_store.connections.known()
        except TwdError as error:
            return dg.SkipReason(str(error))
        moment = context.scheduled_execution_time.isoformat()
        return [
            dg.RunRequest(
                partition_key=item.partition_key,
                asset_selection=list(ALL_OF_A_SOURCE),
                run_key=f"{item.connection_id}@{moment}",
                tags=run_tags(item.connection_id, item.database_name, "schema_sync_schedule"),
            )
            for item in known
            if item.is_active and item.connection_id in indexed
        ] or dg.SkipReason("No connection is imported yet.")

    return schedule
