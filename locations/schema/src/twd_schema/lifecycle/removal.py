"""Taking a connection out: nothing of it stays searchable; its history stays."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from twd_shared.errors import TwdError
from twd_shared.schema_model.wording import counted
from twd_shared.store.connections import ConnectionRegistry, RegisteredConnection
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.documentation import DocumentationStore
from twd_shared.store.index_locks import IndexLocks
from twd_shared.store.index_origins import IndexOrigins
from twd_shared.store.index_states import IndexStateStore
from twd_shared.store.source_checks import SourceCheckStore

if TYPE_CHECKING:
    from twd_shared.clients.schema_index import SchemaIndex

# A tick of the sensor has a minute for all that it does; the rest has its turn at the next one.
_MOST = 200
_SECONDS = 20
_MOST_NAMES = 10


@dataclass(slots=True)
class Removals:
    """Partition keys of what was taken out and of what is in use; `failed` are those by reason.

    `waiting` are ids of those that failed before and had no turn.
    """

    taken_out: list[str] = field(default_factory=list[str])
    in_use: list[str] = field(default_factory=list[str])
    waiting: list[str] = field(default_factory=list[str])
    failed: dict[str, list[RegisteredConnection]] = field(
        default_factory=dict[str, list[RegisteredConnection]]
    )

    @property
    def not_taken_out(self) -> list[str]:
        """Ids of those that could not be taken out, now or before."""
        failed = [item.connection_id for group in self.failed.values() for item in group]
        return [*failed, *self.waiting]

    @property
    def problems(self) -> list[str]:
        """What failed, and for which connections: a sentence for each reason."""
        told: list[str] = []
        for reason, group in self.failed.items():
            names = ", ".join(item.partition_key for item in group[:_MOST_NAMES])
            told.append(
                f"{counted(len(group), 'connection')} could not be taken out and "
                f"will be at a later tick ({names}): {reason}"
            )
        return told


def returned(
    known: Iterable[RegisteredConnection], index: SchemaIndex
) -> list[RegisteredConnection]:
    """Those that are not active and of which the index holds points all the same.

    A Qdrant that was restored from a backup brings points back, and nothing else knows of them.
    Of connections that are not `known` none is named: their points may be somebody else's.
    """
    held = {item for name in index.collections() for item in index.counts(name)}
    back = [item for item in known if not item.is_active and item.connection_id in held]
    return sorted(back, key=lambda item: item.partition_key)


def take_out_each(
    connections: Iterable[RegisteredConnection],
    index: SchemaIndex,
    database: MetadataDatabase,
    failed_before: Collection[str] = (),
    seconds: float = _SECONDS,
) -> Removals:
    """Take out each of them, whatever becomes of the others: 200 at most, for so many `seconds`.

    Those with ids in `failed_before` have their turn last: what fails again delays nobody.
    """
    done = Removals()
    until = monotonic() + seconds
    in_turn = sorted(connections, key=lambda item: item.connection_id in failed_before)
    tried = 0
    for item in in_turn[:_MOST]:
        if tried and monotonic() >= until:
            break
        tried += 1
        try:
            is_out = take_out(item.connection_id, index, database)
        except TwdError as error:
            done.failed.setdefault(str(error), []).append(item)
        else:
            (done.taken_out if is_out else done.in_use).append(item.partition_key)
    left = (item.connection_id for item in in_turn[tried:])
    done.waiting = [key for key in left if key in failed_before]
    return done


def take_out(connection_id: str, index: SchemaIndex, database: MetadataDatabase) -> bool:
    """Remove a connection's points and documentation and mark it inactive.

    False, and nothing is done, while it is being published or another collection is put in place:
    then a later tick does it. The points go first and the marks last: cut off half-way, the next
    tick does it again, or a connection that is active again by then is imported again.
    """
    with IndexLocks(database, index.alias).taking_out(connection_id) as held:
        if held:
            held.still_held()
            states = IndexStateStore(database)
            states.begin(connection_id)
            index.delete_connection(connection_id)
            DocumentationStore(database).delete(connection_id)
            states.delete(connection_id)
            IndexOrigins(database).delete(connection_id)
            SourceCheckStore(database).delete(connection_id)
            ConnectionRegistry(database).deactivate(connection_id)
    return held is not None
