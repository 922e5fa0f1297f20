"""Following the application's list of connections: what one look at it finds, and what it does.

Belongs here: registering what is listed, and taking out what is paused or gone. Not here: requests
for imports, which are Dagster's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from twd_schema.drift.store import DiffStore
from twd_schema.history.retention import forget_gone_connections
from twd_schema.lifecycle.absences import Absences
from twd_schema.lifecycle.reconciliation import Plan, plan_lifecycle
from twd_schema.lifecycle.removal import Removals, returned, take_out_each
from twd_shared.clients.catalog import Connection, Listing
from twd_shared.errors import TwdError
from twd_shared.schema_model.models import encode
from twd_shared.sensor_memory import SensorMemory
from twd_shared.store.connections import ConnectionRegistry, RegisteredConnection
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.snapshots import SnapshotStore

if TYPE_CHECKING:
    from twd_shared.clients.schema_index import SchemaIndex

# How often it is looked whether a restored Qdrant has brought points back: one request for each of
# its two or three collections.
_LOOK_SECONDS = 3600


class Memory(SensorMemory):
    """What is remembered from one look to the next.

    `attempts` are the requests for imports, as `twd_shared.run_requests` keeps them; `absences`
    the looks at which an id was not listed, in a row; `not_taken_out` the ids that could not be
    taken out; `looked_at` when points that came back were looked for, in Unix seconds.
    """

    attempts: str = "{}"
    absences: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    not_taken_out: list[str] = msgspec.field(default_factory=list[str])
    looked_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Followed:
    """What a look has found and done; `unsynced` are ids of active ones that are not imported.

    `told` are sentences for people on what was done.
    """

    plan: Plan
    removals: Removals
    unsynced: set[str]
    told: tuple[str, ...]


def follow(
    listing: Listing,
    partitions: Collection[str],
    database: MetadataDatabase,
    index: SchemaIndex,
    memory: Memory,
    snapshot_days: int,
    warn: Callable[[str], None],
) -> Followed:
    """Register what is listed and take out what is paused or gone; `memory` is brought up to date.

    `partitions` are the partition keys that exist. The history of what has not been listed for
    `snapshot_days` is forgotten; 0 = never. `warn` is told what people should look at. Running it
    again changes nothing. Raises the errors of the database.
    """
    registry = ConnectionRegistry(database)
    registry.register(listing.connections)
    known = registry.known()
    absences = Absences(memory.absences)
    untouchable = _untouchable(listing, known, absences)
    synced = DiffStore(database).synced().keys()
    plan = plan_lifecycle(listing.connections, known, partitions, synced, untouchable)
    to_take_out = list(plan.to_take_out)
    # A clock may have been set back.
    if abs(time.time() - memory.looked_at) >= _LOOK_SECONDS:
        memory.looked_at = time.time()
        try:
            back = returned(set(known).difference(to_take_out), index)
            to_take_out += back
            for item in back:
                warn(f"{item.partition_key} was taken out, and is in the index.")
        except TwdError as error:
            warn(f"Points of removed connections were not looked for: {error}")
            # To wait for the same server once more would take the rest of the tick.
            to_take_out.clear()
    removals = take_out_each(to_take_out, index, database, memory.not_taken_out)
    forgotten = forget_gone_connections(SnapshotStore(database), snapshot_days)
    for problem in (*removals.problems, *(row.reason for row in listing.unreadable)):
        warn(problem)
    for item in known:
        if item.connection_id in absences.counts:
            warn(f"{item.partition_key} is no longer listed.")
    memory.absences, memory.not_taken_out = absences.counts, removals.not_taken_out
    return Followed(
        plan=plan,
        removals=removals,
        unsynced={item.connection_id for item in known if item.is_active} - synced,
        told=(
            *(f"{item} is in use; it goes out later." for item in removals.in_use),
            *(f"The history of connection {item} is forgotten." for item in forgotten),
        ),
    )


def written(connection: Connection) -> str:
    """What a user can change of it, so that an import that failed is tried at once; a secret."""
    parts = (
        connection.database_name,
        connection.connection_string,
        encode(connection.extraction).decode(),
    )
    return "\0".join(parts)


def _untouchable(
    listing: Listing, known: Sequence[RegisteredConnection], absences: Absences
) -> set[str]:
    """Ids of known connections of which this list says nothing that can be believed."""
    unreadable = {row.connection_id for row in listing.unreadable}
    mentioned = unreadable | {item.connection_id for item in listing.connections}
    active = [item.connection_id for item in known if item.is_active]
    absent = {item for item in active if item not in mentioned}
    too_short = absences.count(absent, len(active))
    # A row without id may be any of those that are absent.
    doubted = absent if None in unreadable else too_short
    return doubted | {item for item in unreadable if item is not None}
