"""The sensor that follows the application's list of connections."""

import dagster as dg

from twd_schema.defs.jobs import ALL_OF_A_SOURCE
from twd_schema.keyed_hash import keyed_hash
from twd_schema.lifecycle.following import Memory, follow, written
from twd_shared.clients.catalog import Listing
from twd_shared.contract import source_databases
from twd_shared.errors import TwdError
from twd_shared.resources.servers import QdrantResource
from twd_shared.resources.stores import CatalogResource, MetadataStoreResource
from twd_shared.run_requests import Attempts, claim_run, first_claims
from twd_shared.schema_model.wording import counted
from twd_shared.settings import Settings
from twd_shared.store.connections import RegisteredConnection

# With their waits, 18 hours and what the runs take. The daily verification asks again, whatever
# failed before.
MOST_IMPORTS = 24

# What a tick requests; the rest has its turn at the next one. Queueing a run is part of the
# tick, and took the daemon up to 1.9 s on two busy cores, which import eight databases a minute.
_MOST_REQUESTS = 12

# Nothing can be asked of a database before it is imported, and all else about it waits for that.
_PRIORITY = 1

_PARTITIONS = str(source_databases.name)


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
        memory = Memory.of(context.cursor)
        try:
            listing = catalog.catalog.listing()
            seen = follow(
                listing,
                context.instance.get_dynamic_partitions(_PARTITIONS),
                metadata_store.database,
                qdrant.schema_index,
                memory,
                settings.snapshot_days,
                context.log.warning,
            )
        except TwdError as error:
            return dg.SkipReason(str(error))
        for sentence in seen.told:
            context.log.info(sentence)
        wishes = {
            item.connection_id: keyed_hash(metadata_store.dsn, written(item))
            for item in listing.connections
        }
        attempts = Attempts(memory.attempts, MOST_IMPORTS)
        # Not of those that are only not listed, or not readable, at this tick.
        attempts.forget_others(seen.unsynced)
        claims = (
            claim_run(
                context.instance,
                attempts,
                registered,
                wishes[registered.connection_id],
                "new_connection_sensor",
                ALL_OF_A_SOURCE,
                _PRIORITY,
            )
            for registered in seen.plan.to_import
        )
        requests = first_claims(claims, _MOST_REQUESTS)
        memory.attempts = attempts.cursor()
        changes = [
            source_databases.build_add_request(list(seen.plan.partitions_to_add)),
            source_databases.build_delete_request(seen.removals.taken_out),
        ]
        waiting = _nothing_to_import(listing, seen.plan.to_import)
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None
            if requests
            else dg.SkipReason(" ".join((waiting, *seen.removals.problems))),
            dynamic_partitions_requests=[item for item in changes if item.partition_keys],
            cursor=memory.cursor(),
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
