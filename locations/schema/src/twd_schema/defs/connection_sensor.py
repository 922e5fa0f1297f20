"""The sensor that follows the application's list of connections."""

import time
from collections.abc import Sequence
from itertools import islice

import dagster as dg
import msgspec

from twd_schema.defs.jobs import ALL_OF_A_SOURCE
from twd_schema.drift.store import DiffStore
from twd_schema.history.retention import forget_gone_connections
from twd_schema.lifecycle.absences import Absences
from twd_schema.lifecycle.keyed_hash import keyed_hash
from twd_schema.lifecycle.reconciliation import plan_lifecycle
from twd_schema.lifecycle.removal import returned, take_out_each
from twd_shared.clients.catalog import Listing
from twd_shared.contract import source_databases
from twd_shared.errors import TwdError
from twd_shared.resources.servers import QdrantResource
from twd_shared.resources.stores import CatalogResource, MetadataStoreResource
from twd_shared.run_requests import Attempts, claim_run
from twd_shared.schema_model.models import encode
from twd_shared.schema_model.wording import counted
from twd_shared.settings import Settings
from twd_shared.store.connections import RegisteredConnection

# With their waits, about a day. The daily verification asks again, whatever failed before.
MOST_IMPORTS = 24

# What a tick requests; the rest has its turn at the next one. Queueing a run is part of the
# tick, and took the daemon up to 1.9 s on two busy cores, which import eight databases a minute.
_MOST_REQUESTS = 12

# How often it is looked whether a restored Qdrant has brought points back: one request for each of
# its two or three collections.
_LOOK_SECONDS = 3600

# Nothing can be asked of a database before it is imported, and all else about it waits for that.
_PRIORITY = 1

_PARTITIONS = str(source_databases.name)


class _Memory(msgspec.Struct):
    """What new_connection_sensor remembers from tick to tick, as JSON in its cursor."""

    attempts: str = "{}"
    absences: dict[str, int] = {}
    not_taken_out: list[str] = []
    looked_at: float = 0.0

    @classmethod
    def of(cls, cursor: str | None) -> "_Memory":
        try:
            return msgspec.json.decode(cursor or "{}", type=cls)
        except msgspec.DecodeError:
            return cls()

    def cursor(self) -> str:
        return msgspec.json.encode(self, order="sorted").decode()


def _untouchable(
    listing: Listing, known: Sequence[RegisteredConnection], absences: Absences
) -> set[str]:
    """Ids of known connections of which this tick's list says nothing that can be believed."""
    unreadable = {row.connection_id for row in listing.unreadable}
    mentioned = unreadable | {item.connection_id for item in listing.connections}
    active = [item.connection_id for item in known if item.is_active]
    absent = {item for item in active if item not in mentioned}
    too_short = absences.count(absent, len(active))
    # A row without id may be any of those that are absent.
    doubted = absent if None in unreadable else too_short
    return doubted | {item for item in unreadable if item is not None}


def new_connection_sensor(
    settings: Settings, job: "dg.UnresolvedAssetJobDefinition"
) -> dg.SensorDefinition:
    """The sensor that follows the application's list of connections."""

    @dg.sensor(
        name="new_connection_sensor",
        job=job,
        minimum_interval_seconds=settings.new_connection_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Compares the application's whole list of connections with what is known: imports "
            "what is new, takes out what is paused or gone."
        ),
    )
    def sensor(
        context: dg.SensorEvaluationContext,
        metadata_store: MetadataStoreResource,
        catalog: CatalogResource,
        qdrant: QdrantResource,
    ) -> dg.SensorResult | dg.SkipReason:
        memory = _Memory.of(context.cursor)
        absences = Absences(memory.absences)
        try:
            listing = catalog.catalog.listing()
            listed = listing.connections
            metadata_store.connections.register(listed)
            known = metadata_store.connections.known()
            untouchable = _untouchable(listing, known, absences)
            synced = DiffStore(metadata_store.database).synced_fingerprints().keys()
            plan = plan_lifecycle(
                listed,
                known,
                context.instance.get_dynamic_partitions(_PARTITIONS),
                synced,
                untouchable,
            )
            to_take_out = list(plan.to_take_out)
            # A clock may have been set back.
            if abs(time.time() - memory.looked_at) >= _LOOK_SECONDS:
                memory.looked_at = time.time()
                try:
                    for registered in returned(
                        set(known).difference(to_take_out), qdrant.schema_index
                    ):
                        context.log.warning(
                            f"{registered.partition_key} was taken out, and is in the index."
                        )
                        to_take_out.append(registered)
                except TwdError as error:
                    context.log.warning(
                        f"Points of removed connections were not looked for: {error}"
                    )
                    # To wait for the same server once more would take the rest of the tick.
                    to_take_out.clear()
            removals = take_out_each(
                to_take_out,
                qdrant.schema_index,
                metadata_store.database,
                memory.not_taken_out,
            )
            for gone in forget_gone_connections(metadata_store.snapshots, settings.snapshot_days):
                context.log.info(f"The history of connection {gone} is forgotten.")
        except TwdError as error:
            return dg.SkipReason(str(error))
        for partition_key in removals.in_use:
            context.log.info(f"{partition_key} is in use; it goes out later.")
        for problem in (*removals.problems, *(row.reason for row in listing.unreadable)):
            context.log.warning(problem)
        for registered in known:
            if registered.connection_id in absences.counts:
                context.log.warning(f"{registered.partition_key} is no longer listed.")
        # What a user can change, so that an import that failed is tried at once.
        written = {
            item.connection_id: "\0".join(
                (
                    item.database_name,
                    item.connection_string,
                    encode(item.extraction).decode(),
                )
            )
            for item in listed
        }
        attempts = Attempts(memory.attempts, MOST_IMPORTS)
        # Not of those that are only not listed, or not readable, at this tick.
        attempts.forget_others({item.connection_id for item in known if item.is_active} - synced)
        # Made one by one: what is beyond the most of a tick is not counted as an attempt.
        claims = (
            claim_run(
                context.instance,
                attempts,
                registered,
                keyed_hash(metadata_store.dsn, written[registered.connection_id]),
                "new_connection_sensor",
                ALL_OF_A_SOURCE,
                _PRIORITY,
            )
            for registered in plan.to_import
        )
        requests = list(islice((request for request in claims if request), _MOST_REQUESTS))
        changes = [
            source_databases.build_add_request(list(plan.partitions_to_add)),
            source_databases.build_delete_request(removals.taken_out),
        ]
        nothing = " ".join((_nothing_to_import(listing, plan.to_import), *removals.problems))
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else dg.SkipReason(nothing),
            dynamic_partitions_requests=[item for item in changes if item.partition_keys],
            cursor=_Memory(
                attempts.cursor(), absences.counts, removals.not_taken_out, memory.looked_at
            ).cursor(),
        )

    return sensor


def _nothing_to_import(listing: Listing, waiting: tuple[RegisteredConnection, ...]) -> str:
    if not waiting:
        listed = counted(len(listing.connections), "connection")
        others = counted(len(listing.unreadable), "other")
        return f"{listed} listed, all that are active are imported." + (
            f" {others} cannot be read: this tick's log says why." if listing.unreadable else ""
        )
    names = ", ".join(item.partition_key for item in waiting[:10])
    return (
        f"To be imported: {counted(len(waiting), 'connection')} ({names}), whose runs are in "
        "flight, or have failed and wait for their next try. A corrected connection string is "
        f"tried at once; what failed {MOST_IMPORTS} times waits for the daily verification."
    )
