"""The sensor that asks every active source whether its schema differs from the index."""

from collections.abc import Mapping, Sequence

import dagster as dg

from twd_schema.defs.freshness_asset import freshness_observation
from twd_schema.defs.jobs import ALL_OF_A_SOURCE
from twd_schema.defs.resources import SourceDatabaseResource
from twd_schema.drift.detection import PATIENCE_SECONDS, Answer, DetectionLimits, Detector
from twd_schema.drift.freshness import (
    Judgement,
    changed_statuses,
    freshness_records,
    given_up,
    judge,
)
from twd_schema.drift.store import DiffStore, Synced
from twd_shared.errors import TwdError
from twd_shared.resources.stores import CatalogResource, MetadataStoreResource
from twd_shared.run_requests import Attempts, claim_run, first_claims, is_in_flight
from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.sensor_memory import SensorMemory
from twd_shared.settings import Settings
from twd_shared.store.connections import RegisteredConnection
from twd_shared.store.source_checks import SourceCheck, SourceCheckStore

# With their waits, about two hours. The daily verification asks again, whatever failed before.
MOST_SYNCS = 8
# Dagster takes its time to queue each; the others are requested at the next tick.
_MOST_REQUESTS = 50


class _Memory(SensorMemory):
    """`attempts` are the requests for syncs; `shown` is a hash of what the UI was shown last."""

    attempts: str = "{}"
    shown: str = ""


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
            indexed = diffs.synced()
            known = {
                item.connection_id: item
                for item in metadata_store.connections.known()
                if item.is_active and item.connection_id in indexed
            }
            before = store.all()
            listing = catalog.catalog.listing()
            answers = Detector(
                source_database.reader(metadata_store.database, PATIENCE_SECONDS),
                lambda connection_id: metadata_store.snapshots.load_newest(connection_id)[1],
                metadata_store.dsn,
                DetectionLimits.beside_runs(source_database.host_readings),
            ).ask(
                [
                    item
                    for item in listing.connections
                    if item.is_active and item.connection_id in known
                ],
                before,
            )
            # Of what cannot be asked, the list says why.
            answers |= {
                row.connection_id: Answer("", None, row.reason)
                for row in listing.unreadable
                if row.connection_id in known
            }
            # A sync that ended meanwhile wrote another schema than was asked for: its source has
            # its turn at the next tick.
            now = diffs.synced()
            held = {key: value for key, value in now.items() if indexed.get(key) == value}
            judged = judge(answers, held, before)
            memory = _Memory.of(context.cursor)
            attempts = Attempts(memory.attempts, MOST_SYNCS)
            fresh = {key for key, one in judged.items() if one.check.freshness == "fresh"}
            attempts.forget_others(known.keys() - fresh)
            judged = given_up(
                judged,
                lambda key, wish: (
                    attempts.has_given_up(key, wish)
                    and not is_in_flight(context.instance, known[key], ALL_OF_A_SOURCE)
                ),
                MOST_SYNCS,
            )
            requests = _requests(context.instance, attempts, judged, known, held)
            checks = [one.check for one in judged.values()]
            store.record(checks)
            metadata_store.connections.set_statuses(changed_statuses(checks, known))
            shown = freshness_records(metadata_store.connections.known(), store.all(), now)
        except TwdError as error:
            return dg.SkipReason(str(error))
        for check in checks:
            if check.freshness == "unreadable":
                context.log.warning(check.cause)
        told = content_fingerprint(f"{record}" for record in shown)
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else dg.SkipReason(_summary(checks, len(known))),
            cursor=_Memory(attempts.cursor(), told).cursor(),
            asset_events=[] if told == memory.shown else [freshness_observation(shown)],
        )

    return sensor


def _requests(
    instance: dg.DagsterInstance,
    attempts: Attempts,
    judged: Mapping[str, Judgement],
    known: Mapping[str, RegisteredConnection],
    held: Mapping[str, Synced],
) -> list[dg.RunRequest]:
    claims = (
        claim_run(
            instance,
            attempts,
            known[connection_id],
            one.wish,
            "schema_change_sensor",
            ALL_OF_A_SOURCE,
            standing=held[connection_id].fingerprint,
            # What is told of a schema that has gone again is wrong as long as this waits.
            is_urgent=one.wish == held[connection_id].fingerprint,
        )
        for connection_id, one in judged.items()
        if one.wish
    )
    return first_claims(claims, _MOST_REQUESTS)


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
