"""Building a whole index beside the one that is served, and putting it in its place.

By another model or layout, or by the same for a full rebuild. A migration that was cut off goes on
where it stopped; until the one request that moves the aliases, readers notice nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twd_schema.indexing.asking import asked_of
from twd_schema.indexing.building import IndexBuilder
from twd_schema.indexing.comparison import Comparisons, Rankings, compare
from twd_shared.clients.index_collections import IndexCollection, Making, describe, making_of
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.errors import (
    IndexRejected,
    MigrationRefused,
    ModelUnavailable,
    PermanentError,
)
from twd_shared.retrieval.questions import LabelledQuestion
from twd_shared.retrieval.ranking import STANDARD, Weights
from twd_shared.retrieval.search import rank_tables
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.index_builds import IndexBuilds
from twd_shared.store.index_locks import IndexLocks
from twd_shared.store.index_states import IndexStateStore
from twd_shared.store.snapshots import SnapshotStore

_WAYS = (STANDARD, Weights(terms=0, named=0, related=0, schema=0))
"""As answers are made, and by vectors alone."""

# Says in a build's report whether it began as a rebuild.
_REBUILD = "rebuild"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class MigrationOptions:
    """`rebuild` also what the same model made; `most_loss` of recall@5 that is put up with.

    `least_recall` is the recall@5 that is asked for where nothing can be compared. `accept_loss`
    serves the new index whatever it finds.
    """

    rebuild: bool = False
    most_loss: float = 0.05
    accept_loss: bool = False
    least_recall: float = 0.6


@dataclass(frozen=True, slots=True)
class Migration:
    """What was done: `served` is read now, `before` was until then, if there was anything.

    `comparisons` is None when nothing was built or scored now; `note` says why, and why what was
    served could not be compared. `dropped` are collections.
    """

    served: IndexCollection
    before: str | None
    points: int
    comparisons: Comparisons | None
    note: str
    dropped: tuple[str, ...]


class LossRefused(MigrationRefused):
    """The new index finds too little: less than the one that is served, or than is asked for."""

    def __init__(self, message: str, comparisons: Comparisons) -> None:
        super().__init__(message)
        self.comparisons = comparisons


class IndexMigration:
    """Migrates one schema index to the configured model."""

    def __init__(
        self, index: SchemaIndex, ollama: Ollama, database: MetadataDatabase, say: Say
    ) -> None:
        """`say` is told each step, for a log."""
        self._index = index
        self._ollama = ollama
        self._database = database
        self._say = say
        self._builder = IndexBuilder(index, ollama, database, say)
        self._connections = ConnectionRegistry(database)
        self._snapshots = SnapshotStore(database)
        self._states = IndexStateStore(database)
        self._builds = IndexBuilds(database)
        self._locks = IndexLocks(database, index.alias)

    def run(self, options: MigrationOptions) -> Migration:
        """Serve an index made by the configured model and this code's layout.

        Raises MigrationRefused when another migration is going on, when a connection that is
        served cannot be built, or when what is served changes meanwhile; LossRefused when too much
        would not be found; ModelUnavailable when the model is gone; the errors of the servers. In
        all of these what is served stays and what was built is kept. The next run goes on with it,
        unless that is a rebuild after a refusal, which embeds everything again.
        """
        with self._locks.migrating() as alone:
            if not alone:
                raise MigrationRefused(
                    "The schema index is being migrated or rolled back by somebody else. "
                    "Wait for the end of that."
                )
            return self._run(options)

    def _run(self, options: MigrationOptions) -> Migration:
        making = making_of(self._ollama.embedding_model())
        before = self._index.names().live
        live, unreadable = self._readable(before)
        if live is not None and live.making == making:
            if self._builds.status(live.name) == "building":
                # The last run was cut off between the swap and its end.
                with self._locks.changing() as held:
                    states = self._builder.catch_up(live, self._counts(live.name))
                    held.still_held()
                    self._states.replace(states)
                return self._finish(live, None, "A migration that was cut off came to its end.")
            if not options.rebuild:
                return self._finish(live, live.name, "It is served already; nothing was built.")
        candidate = self._candidate(making, options.rebuild)
        self._say(f"Building {candidate.name} by {describe(making)}.")
        served_counts = self._counts(before)
        self._builder.build(candidate, served_counts)
        comparisons, note = self._compare(live, candidate)
        self._refuse_loss(candidate, comparisons, options)
        with self._locks.changing() as held:
            self._require_same(before, candidate)
            states = self._builder.catch_up(candidate, served_counts)
            # Before the swap: cut off behind it, nobody would score what is served then.
            self._builds.record(candidate, "building", self._report(comparisons, options))
            held.still_held()
            self._index.serve(candidate.name)
            self._states.replace(states)
        self._say(f"{candidate.name} is served now.")
        return self._finish(candidate, before, note or unreadable, comparisons)

    def _finish(
        self,
        served: IndexCollection,
        before: str | None,
        note: str,
        comparisons: Comparisons | None = None,
    ) -> Migration:
        self._builds.record(served, "served")
        points = sum(self._index.counts(served.name).values())
        return Migration(served, before, points, comparisons, note, self._drop_others())

    def _readable(self, name: str | None) -> tuple[IndexCollection | None, str]:
        if name is None:
            return None, "Nothing was served before."
        try:
            return self._index.collection(name), ""
        except IndexRejected as error:
            return None, f"What was served could not be compared. {error}"

    def _counts(self, name: str | None) -> dict[str, int]:
        """Points by connection; of a collection that cannot be read there are none."""
        try:
            return {} if name is None else self._index.counts(name)
        except IndexRejected:
            return {}

    def _candidate(self, making: Making, rebuild: bool) -> IndexCollection:
        previous = self._index.names().previous
        if previous is not None and not rebuild:
            # After a rollback, most of the way forward again is still there.
            kept, _ = self._readable(previous)
            if kept is not None and kept.making == making:
                self._builds.record(kept, "building", {_REBUILD: rebuild})
                return kept
        with self._locks.creating():
            begun = self._index.unserved(making)
            if begun is not None and rebuild and not self._is_unfinished_rebuild(begun):
                # What a rebuild is asked for to replace must not come back through it.
                self._index.drop(begun.name)
                self._builds.record_dropped(begun.name)
                begun = None
            candidate = begun or self._index.create(
                making, self._ollama.token_budget(), self._builds.names()
            )
            # In here: a first import takes what nobody is known to build.
            self._builds.record(candidate, "building", {_REBUILD: rebuild})
            return candidate

    def _is_unfinished_rebuild(self, collection: IndexCollection) -> bool:
        name = collection.name
        return (
            self._builds.status(name) == "building"
            and self._builds.report(name).get(_REBUILD) is True
        )

    def _compare(
        self, live: IndexCollection | None, candidate: IndexCollection
    ) -> tuple[Comparisons, str]:
        asked: dict[str, tuple[str, list[LabelledQuestion]]] = {}
        for registered in self._connections.known():
            if registered.is_active and self._snapshots.newest(registered.connection_id):
                _, snapshot = self._snapshots.load_newest(registered.connection_id)
                questions = asked_of(self._database, registered.connection_id, snapshot)
                asked[registered.partition_key] = (registered.connection_id, questions)
        before: list[dict[str, Rankings] | None] = []
        note = ""
        # One model after the other: a server may have room for one at a time.
        for weights in _WAYS:
            try:
                before.append(None if live is None else self._rankings(live, asked, weights))
            except PermanentError as error:
                before.append(None)
                note = note or f"What was served could not be asked. {error}"
        after = [self._rankings(candidate, asked, weights) for weights in _WAYS]
        hybrid, dense = (
            compare(
                {
                    key: (questions, None if old is None else old[key], new[key])
                    for key, (_, questions) in asked.items()
                }
            )
            for old, new in zip(before, after, strict=True)
        )
        return Comparisons(hybrid, dense), note

    def _rankings(
        self,
        collection: IndexCollection,
        asked: dict[str, tuple[str, list[LabelledQuestion]]],
        weights: Weights,
    ) -> dict[str, Rankings]:
        """What the collection finds, by partition key."""
        return {
            key: self._ranking(collection, connection_id, questions, weights)
            for key, (connection_id, questions) in asked.items()
        }

    def _ranking(
        self,
        collection: IndexCollection,
        connection_id: str,
        questions: list[LabelledQuestion],
        weights: Weights,
    ) -> Rankings:
        rankings = rank_tables(
            [question.text for question in questions],
            connection_id=connection_id,
            index=self._index,
            ollama=self._ollama,
            collection=collection,
            weights=weights,
        )
        return [[f"{schema}.{table}" for schema, table in ranking] for ranking in rankings]

    def _refuse_loss(
        self, candidate: IndexCollection, comparisons: Comparisons, options: MigrationOptions
    ) -> None:
        way, worst = comparisons.worst
        before, after = worst.before, worst.after
        if not after.questions:
            return
        if before is None:
            self._say(f"recall@5 of {after.questions} questions: {after.recall_at_5:.3f}.")
            told = (
                f"finds too little: its recall@5 is {after.recall_at_5:.3f}, less than the "
                f"{options.least_recall:g} of TWD_RECALL_BOUND, and what is served cannot be "
                "compared with it."
            )
            refused = after.recall_at_5 < options.least_recall
        else:
            self._say(
                f"recall@5 of {after.questions} questions, {way}: "
                f"{before.recall_at_5:.3f} → {after.recall_at_5:.3f}."
            )
            told = (
                f"finds less than what is served: {way} recall@5 falls from "
                f"{before.recall_at_5:.3f} to {after.recall_at_5:.3f}, by more than "
                f"{options.most_loss:g}."
            )
            refused = worst.loss > options.most_loss
        if refused and not options.accept_loss:
            self._builds.record(candidate, "refused", self._report(comparisons, options))
            raise LossRefused(
                f"{candidate.name} {told} It is kept and not served. Use another model, "
                "or run index_migration_job with accept_loss: true.",
                comparisons,
            )

    def _report(self, comparisons: Comparisons, options: MigrationOptions) -> dict[str, Any]:
        return {**comparisons.as_json(), _REBUILD: options.rebuild}

    def _require_same(self, before: str | None, candidate: IndexCollection) -> None:
        if self._index.names().live != before:
            raise MigrationRefused(
                "Another collection is served than when the migration began. Nothing was changed; "
                "run index_migration_job again, and it goes on with what was built."
            )
        digest = self._ollama.using(candidate.model).digest()
        if not digest and candidate.model_digest:
            raise ModelUnavailable(
                f"Ollama has no model {candidate.model} any more; {candidate.name} was built by "
                f"it. Nothing was changed. Run: ollama pull {candidate.model}, then "
                "index_migration_job again."
            )
        if digest != candidate.model_digest:
            raise MigrationRefused(
                f"Model {candidate.model} was pulled again while {candidate.name} was built. "
                "Nothing was changed; run index_migration_job again."
            )

    def _drop_others(self) -> tuple[str, ...]:
        """Drop what no alias names: candidates that were given up, and what is older."""
        dropped: list[str] = []
        for name in self._index.collections():
            if self._index.drop(name):
                self._builds.record_dropped(name)
                dropped.append(name)
        return tuple(dropped)
