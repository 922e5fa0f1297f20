"""Schedules of the schema location: what is done whether or not a change was noticed.

Each connection has a slot of its own in a period, so that a thousand are not synced all at once.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from twd_schema.defs.jobs import ALL_OF_A_SOURCE
from twd_schema.lifecycle.slots import slot_of
from twd_shared.contract import VERIFY_TAG, source_databases
from twd_shared.errors import TwdError
from twd_shared.resources.stores import MetadataStoreResource
from twd_shared.run_requests import run_tags
from twd_shared.run_subjects import PARTITION_TAG
from twd_shared.settings import Settings
from twd_shared.store.connections import RegisteredConnection

_SLOT_MINUTES = 15
_SYNC_HOURS = 6
# At night, when sources and users are quiet.
_VERIFY_FROM, _VERIFY_UNTIL = 1, 5
_VERIFY_HOURS = _VERIFY_UNTIL - _VERIFY_FROM
_ALMOST_A_DAY = timedelta(hours=20)
# Of a night that nobody ticked, this much is made up for in one tick: Dagster takes its time to
# queue each run, and no other schedule has its turn meanwhile.
_MOST_AT_ONCE, _MOST_SLOTS_AT_ONCE = 50, 2
# A sync that a change asks for goes first.
_VERIFICATION_PRIORITY = "-1"


def sync_schedules(
    settings: Settings, job: "dg.UnresolvedAssetJobDefinition"
) -> Iterator[dg.ScheduleDefinition]:
    """The schedules `schema_sync_schedule` and `schema_verification_schedule`."""

    @dg.schedule(
        name="schema_sync_schedule",
        job=job,
        cron_schedule=f"*/{_SLOT_MINUTES} * * * *",
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=(
            f"Syncs each active connection every {_SYNC_HOURS} hours, in a quarter of an hour of "
            "its own."
        ),
    )
    def sync(
        context: dg.ScheduleEvaluationContext, metadata_store: MetadataStoreResource
    ) -> list[dg.RunRequest] | dg.SkipReason:
        try:
            indexed = metadata_store.index_states.connection_ids()
            known = metadata_store.connections.known()
        except TwdError as error:
            return dg.SkipReason(str(error))
        moment = context.scheduled_execution_time
        slot = _slot_at(moment, moment.hour % _SYNC_HOURS)
        due = [
            item
            for item in known
            if item.is_active
            and item.connection_id in indexed
            and slot_of(item.connection_id, _slots(_SYNC_HOURS)) == slot
        ]
        return [_request(item, moment, "schema_sync_schedule") for item in due] or dg.SkipReason(
            "No imported connection has its turn in this quarter of an hour."
        )

    @dg.schedule(
        name="schema_verification_schedule",
        job=job,
        cron_schedule=f"*/{_SLOT_MINUTES} {_VERIFY_FROM}-{_VERIFY_UNTIL - 1} * * *",
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=(
            "Once a day reads each active connection in full and compares every point of it, "
            "whatever failed or was given up before."
        ),
    )
    def verification(
        context: dg.ScheduleEvaluationContext, metadata_store: MetadataStoreResource
    ) -> list[dg.RunRequest] | dg.SkipReason:
        try:
            known = metadata_store.connections.known()
        except TwdError as error:
            return dg.SkipReason(str(error))
        moment = context.scheduled_execution_time
        slot, slots = _slot_at(moment, moment.hour - _VERIFY_FROM), _slots(_VERIFY_HOURS)
        # Without its partition a run cannot be requested. What a skipped hour or a stopped daemon
        # has left out is made up for by the next ticks.
        partitions = set(context.instance.get_dynamic_partitions(str(source_databases.name)))
        waiting = partitions - _verified_since(context.instance, moment - _ALMOST_A_DAY)
        due = [
            (own_slot, item)
            for item in known
            if item.is_active
            and item.partition_key in waiting
            and (own_slot := slot_of(item.connection_id, slots)) <= slot
        ]
        due.sort(key=lambda found: found[0])
        most = max(_MOST_AT_ONCE, _MOST_SLOTS_AT_ONCE * math.ceil(len(partitions) / slots))
        tags = {VERIFY_TAG: "all", "dagster/priority": _VERIFICATION_PRIORITY}
        return [
            _request(item, moment, "schema_verification_schedule", tags) for _, item in due[:most]
        ] or dg.SkipReason("No connection has its turn in this quarter of an hour.")

    yield sync
    yield verification


def _slots(hours: int) -> int:
    return hours * 60 // _SLOT_MINUTES


def _slot_at(moment: datetime, hour: int) -> int:
    return (hour * 60 + moment.minute) // _SLOT_MINUTES


def _verified_since(instance: dg.DagsterInstance, moment: datetime) -> set[str]:
    """Partitions whose verification was requested since, however it ended."""
    # Dagster compares the time as it is written, without its zone, with times in UTC.
    since = moment.astimezone(UTC)
    runs = instance.get_runs(dg.RunsFilter(tags={VERIFY_TAG: "all"}, created_after=since))
    return {run.tags.get(PARTITION_TAG, "") for run in runs}


def _request(
    item: RegisteredConnection, moment: datetime, trigger: str, tags: dict[str, str] | None = None
) -> dg.RunRequest:
    return dg.RunRequest(
        partition_key=item.partition_key,
        asset_selection=list(ALL_OF_A_SOURCE),
        run_key=f"{item.connection_id}@{moment.isoformat()}",
        tags={**run_tags(item.connection_id, item.database_name, trigger), **(tags or {})},
    )
