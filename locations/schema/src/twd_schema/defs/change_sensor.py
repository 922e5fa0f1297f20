"""The sensor that asks every active source whether its schema differs from the index."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import dagster as dg

from twd_schema.defs.freshness_asset import freshness_events
from twd_schema.defs.jobs import ALL_OF_A_SOURCE
from twd_schema.defs.resources import SourceDatabaseResource
from twd_schema.drift.detection import Detector
from twd_schema.drift.freshness import Judgement, judge
from twd_schema.drift.store import DiffStore
from twd_shared.errors import TwdError
from twd_shared.resources.stores import CatalogResource, MetadataStoreResource
from twd_shared.run_requests import Attempts, claim_run
from twd_shared.settings import Settings
from twd_shared.store.connections import RegisteredConnection
from twd_shared.store.source_checks import SourceCheck, SourceCheckStore

# With their waits, about two hours. The daily verification asks again, whatever failed before.
MOST_SYNCS = 8
# Dagster takes its time to queue each; the others are requested at the next tick.
_MOST_REQUESTS = 50


def schema_change_sensor(
    settings: Settings, job: "dg.UnresolvedAssetJobDefinition"
) -> dg.SensorDefinition:
    """The sensor `schema_change_sensor`."""

    @dg.sensor(
        name="schema_change_sensor",
        job=job,
        minimum_interval_seconds=settings.schema_change_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Asks all active sources at once whether their schema may have changed, and requests "
            "a sync where it differs from what the index holds. A failed sync is requested again, "
            f"with waits, {MOST_SYNCS} times in all."
        ),
    )
    def sensor(
        context: dg.SensorEvaluationContext,
        metadata_store: MetadataStoreResource,
        catalog: CatalogResource,
        source_database: SourceDatabaseResource,
    ) -> dg.SensorResult | dg.SkipReason:
        diffs = DiffStore(metadata_store.database)
        store = SourceCheckStore(metadata_store.database)
        try:
            indexed = diffs.synced_fingerprints()
            known = {
                item.connection_id: item
                for item in metadata_store.connections.known()
                if item.is_active and item.connection_id in indexed
            }
            before = store.all()
            answers = Detector(
                source_database.reader,
                lambda connection_id: metadata_store.snapshots.load_newest(connection_id)[1],
                metadata_store.dsn,
            ).ask(
                [
                    item
                    for item in catalog.catalog.listing().connections
                    if item.is_active and item.connection_id in known
                ],
                before,
            )
            # Once more: a sync may have ended while the sources were asked.
            judged = judge(answers, diffs.synced_fingerprints(), before)
            attempts = Attempts(context.cursor, MOST_SYNCS)
            attempts.forget_others(
                {key for key, one in judged.items() if one.wish} | known.keys() - judged.keys()
            )
            requests = _requests(context.instance, attempts, judged, known)
            checks = [_with_end(one, attempts) for one in judged.values()]
            store.record(checks)
            _tell_registry(checks, known, metadata_store)
        except TwdError as error:
            return dg.SkipReason(str(error))
        for check in checks:
            if check.freshness == "unreadable":
                context.log.warning(check.cause)
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else dg.SkipReason(_summary(checks, len(known))),
            cursor=attempts.cursor(),
            asset_events=freshness_events(before, store.all(), metadata_store.connections.known()),
        )

    return sensor


def _requests(
    instance: dg.DagsterInstance,
    attempts: Attempts,
    judged: Mapping[str, Judgement],
    known: Mapping[str, RegisteredConnection],
) -> list[dg.RunRequest]:
    requests: list[dg.RunRequest] = []
    for connection_id, one in judged.items():
        if one.wish and len(requests) < _MOST_REQUESTS:
            request = claim_run(
                instance,
                attempts,
                known[connection_id],
                one.wish,
                "schema_change_sensor",
                ALL_OF_A_SOURCE,
            )
            requests += [request] if request else []
    return requests


def _with_end(judgement: Judgement, attempts: Attempts) -> SourceCheck:
    check = judgement.check
    if not attempts.has_given_up(check.connection_id, judgement.wish):
        return check
    return replace(
        check,
        freshness="given_up",
        cause=f"Its schema has changed, and {MOST_SYNCS} syncs have not brought the index up to "
        "date. Look at the last failed run; the daily verification tries again.",
    )


def _tell_registry(
    checks: Sequence[SourceCheck],
    known: Mapping[str, RegisteredConnection],
    metadata_store: MetadataStoreResource,
) -> None:
    for check in checks:
        registered = known[check.connection_id]
        if check.freshness == "unreadable":
            if (registered.status, registered.status_reason) != ("failing", check.cause):
                metadata_store.connections.set_status(check.connection_id, "failing", check.cause)
        elif check.freshness == "fresh" and registered.status != "ok":
            metadata_store.connections.set_status(check.connection_id, "ok")


def _summary(checks: Sequence[SourceCheck], known: int) -> str:
    counts = {
        freshness: sum(check.freshness == freshness for check in checks)
        for freshness in ("fresh", "drifted", "given_up", "unreadable")
    }
    return (
        f"{len(checks)} of {known} sources asked: {counts['fresh']} fresh, {counts['drifted']} "
        f"changed and already being synced or waiting, {counts['given_up']} given up, "
        f"{counts['unreadable']} not readable."
    )
