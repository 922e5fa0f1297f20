"""Going back to the collection that was served before, and bringing it up to date."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from twd_schema.indexing.publication import Publisher, without_alias
from twd_schema.indexing.shares import Reading, Shares, unconnected
from twd_shared.clients.index_collections import REMEDY, IndexCollection
from twd_shared.clients.index_layout import LAYOUT
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.errors import IndexRejected, MigrationRefused, TwdError
from twd_shared.store.connections import ConnectionRegistry, RegisteredConnection
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.index_builds import IndexBuilds
from twd_shared.store.index_locks import IndexLocks
from twd_shared.store.index_states import IndexState, IndexStateStore
from twd_shared.store.snapshots import SnapshotStore


@dataclass(frozen=True, slots=True)
class Rollback:
    """From which collection, which may be gone, to which.

    `behind` says by partition key why one is not up to date.
    """

    before: str
    before_model: str
    served: IndexCollection
    up_to_date: int
    caught_up: tuple[str, ...]
    behind: dict[str, str]


def roll_back(index: SchemaIndex, ollama: Ollama, database: MetadataDatabase) -> Rollback:
    """Serve what was served before, in one request, then publish to it what has changed since.

    A connection that cannot be caught up, because its model is gone perhaps, stays as it was there
    and counts as not indexed, so that it is imported again. Doing it twice leads back.
    It also repairs an index whose served collection was deleted; one that lost its alias alone is
    kept as what was served before.
    Raises MigrationRefused during a migration, and when what was served before has another layout,
    which this release neither reads nor goes on with; IndexRejected when nothing that can be read
    is kept, MetadataUnavailable when a lock was lost meanwhile. Once something was changed, an
    error says how far it came.
    """
    shares, publisher = Shares(index, database), Publisher(index, ollama, database)
    snapshots, states = SnapshotStore(database), IndexStateStore(database)
    builds, locks = IndexBuilds(database), IndexLocks(database, index.alias)
    begun: list[IndexCollection] = []
    with _telling_how_far(index, begun), locks.migrating() as alone:
        if not alone:
            raise MigrationRefused(
                "The schema index is being migrated: terminate the run of index_migration_job "
                "first. Until its end it changes nothing of what is served."
            )
        with locks.changing() as held:
            before, previous = index.names()
            if previous is None:
                raise IndexRejected(
                    f"The schema index {index.alias} keeps no earlier collection to go back to."
                )
            served = index.collection(previous)
            if served.layout != LAYOUT:
                raise MigrationRefused(
                    f"{previous} has layout {served.layout}, and this release reads {LAYOUT}: "
                    "every question would be refused. Nothing was changed. Go back to the release "
                    f"that made it and roll back there; or {REMEDY[0].lower()}{REMEDY[1:]}"
                )
            lost = without_alias(index, builds) if before is None else None
            if lost == previous:
                # A migration that was cut off served another after it, and that is gone.
                lost = None
            before = before or lost
            before_model = _model_of(index, before)
            up_to_date: list[IndexState] = []
            outdated: list[RegisteredConnection] = []
            for registered in ConnectionRegistry(database).known():
                if not registered.is_active or snapshots.newest(registered.connection_id) is None:
                    continue
                version, snapshot = snapshots.load_newest(registered.connection_id)
                reading = Reading(unconnected(registered), snapshot, version.version)
                state = shares.state_in(served, reading)
                if state is None:
                    outdated.append(registered)
                else:
                    up_to_date.append(state)
            alone.still_held()
            held.still_held()
            begun.append(served)
            # First: cut off in between, what is not recorded is imported again, and is right then.
            states.replace(up_to_date)
            held.still_held()
            if lost is not None:
                index.serve(lost)
            index.exchange()
            builds.record(served, "served")
    caught_up: list[str] = []
    behind: dict[str, str] = {}
    for registered in outdated:
        try:
            version, snapshot = snapshots.load_newest(registered.connection_id)
            publisher.publish(unconnected(registered), snapshot, version.version)
        except TwdError as error:
            behind[registered.partition_key] = str(error)
        else:
            caught_up.append(registered.partition_key)
    return Rollback(
        before or "a collection that is gone",
        before_model,
        served,
        len(up_to_date),
        tuple(caught_up),
        behind,
    )


@contextmanager
def _telling_how_far(index: SchemaIndex, begun: Sequence[IndexCollection]) -> Iterator[None]:
    """Add to an error whether what is in `begun` is served by now: done again, it leads back."""
    try:
        yield
    except TwdError as error:
        if not begun:
            raise
        raise type(error)(str(error), _how_far(index, begun[0])) from None


def _how_far(index: SchemaIndex, served: IndexCollection) -> str:
    try:
        live = index.names().live
    except TwdError:
        return (
            f"Whether {index.alias} is {served.name} by now is not known: doing it again may lead "
            "back. See which collection the alias names first."
        )
    if live == served.name:
        return (
            f"But {index.alias} is {served.name} now: doing it again would lead back. What has "
            "changed since is published by the next import of each connection."
        )
    return (
        f"{index.alias} is {live or 'a collection that is gone'} as before; connections may count "
        "as not indexed, and are imported again by themselves. Do it again once that is mended."
    )


def _model_of(index: SchemaIndex, name: str | None) -> str:
    try:
        return index.collection(name).model if name else "of an unknown model"
    except IndexRejected:
        # One that cannot be read is a good reason to go back.
        return "of an unknown model"
