"""Building a whole index beside the one that is served, and putting it in its place.

By another model or layout, or by the same for a full rebuild. A migration that was cut off goes on
where it stopped; until the one request that moves the aliases, readers notice nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twd_schema.indexing.building import IndexBuilder
from twd_schema.indexing.comparison import Comparison, compare
from twd_schema.indexing.shares import using
from twd_shared.clients.index_collections import IndexCollection, Making, describe, making_of
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.errors import IndexRejected, MigrationRefused, PermanentError
from twd_shared.retrieval.questions import LabelledQuestion, generated_questions
from twd_shared.retrieval.search import rank_tables
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.index_builds import IndexBuilds
from twd_shared.store.index_locks import IndexLocks
from twd_shared.store.index_states import IndexStateStore
from twd_shared.store.snapshots import SnapshotStore

_QUESTIONS_A_CONNECTION = 100

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class MigrationOptions:
    """`rebuild` also what the same model made; `most_loss` of recall@5 that is put up with.

    `accept_loss` serves the new index whatever it loses.
    """

    rebuild: bool = False
    most_loss: float = 0.05
    accept_loss: bool = False


@dataclass(frozen=True, slots=True)
class Migration:
    """What was done: `served` is read now, `before` was until then, if there was anything.

    `comparison` is None when nothing was compared; `note` says why. `dropped` are collections.
    """

    served: IndexCollection
    before: str | None
    points: int
    comparison: Comparison | None
    note: str
    dropped: tuple[str, ...]


class LossRefused(MigrationRefused):
    """The new index finds less than the one that is served, by more than is put up with."""

    def __init__(self, message: str, comparison: Comparison) -> None:
        super().__init__(message)
        self.comparison = comparison


class IndexMigration:
    """Migrates one schema index to the configured model."""

    def __init__(
        self, index: SchemaIndex, ollama: Ollama, database: MetadataDatabase, say: Say
    ) -> None:
        """`say` is told each step, for a log."""
        self._index = index
        self._ollama = ollama
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
        would no longer be found; the errors of the servers. In all of these what is served stays,
        what was built is kept, and the next run goes on with it.
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
                with self._locks.changing():
                    states = self._builder.catch_up(live, self._counts(live.name))
                    self._states.replace(states)
                return self._finish(live, None, "A migration that was cut off came to its end.")
            if not options.rebuild:
                return self._finish(live, live.name, "It is served already; nothing was built.")
        candidate = self._candidate(making, options.rebuild)
        self._builds.record(candidate, "building")
        self._say(f"Building {candidate.name} by {describe(making)}.")
        served_counts = self._counts(before)
        self._builder.build(candidate, served_counts)
        comparison, note = None, unreadable
        if live is not None:
            comparison, note = self._compare(live, candidate)
        if comparison is not None:
            self._refuse_loss(candidate, comparison, options)
        with self._locks.changing():
            self._require_same(before, candidate)
            states = self._builder.catch_up(candidate, served_counts)
            self._index.serve(candidate.name)
            self._states.replace(states)
        self._say(f"{candidate.name} is served now.")
        return self._finish(candidate, before, note, comparison)

    def _finish(
        self,
        served: IndexCollection,
        before: str | None,
        note: str,
        comparison: Comparison | None = None,
    ) -> Migration:
        self._builds.record(served, "served", comparison and comparison.as_json())
        points = sum(self._index.counts(served.name).values())
        return Migration(served, before, points, comparison, note, self._drop_others())

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
                return kept
        with self._locks.creating():
            return self._index.unserved(making) or self._index.create(
                making, self._ollama.token_budget(), self._builds.names()
            )

    def _compare(
        self, live: IndexCollection, candidate: IndexCollection
    ) -> tuple[Comparison | None, str]:
        asked: dict[str, tuple[str, list[LabelledQuestion]]] = {}
        for registered in self._connections.known():
            if registered.is_active and self._snapshots.newest(registered.connection_id):
                _, snapshot = self._snapshots.load_newest(registered.connection_id)
                questions = generated_questions(snapshot, _QUESTIONS_A_CONNECTION)
                asked[registered.partition_key] = (registered.connection_id, questions)
        try:
            # One model after the other: a server may have room for one at a time.
            before = {key: self._rankings(live, *item) for key, item in asked.items()}
        except PermanentError as error:
            return None, f"What was served could not be asked. {error}"
        after = {key: self._rankings(candidate, *item) for key, item in asked.items()}
        return compare({key: (asked[key][1], before[key], after[key]) for key in asked}), ""

    def _rankings(
        self, collection: IndexCollection, connection_id: str, questions: list[LabelledQuestion]
    ) -> list[list[str]]:
        rankings = rank_tables(
            [question.text for question in questions],
            connection_id=connection_id,
            index=self._index,
            ollama=self._ollama,
            collection=collection,
        )
        return [[f"{schema}.{table}" for schema, table in ranking] for ranking in rankings]

    def _refuse_loss(
        self, candidate: IndexCollection, comparison: Comparison, options: MigrationOptions
    ) -> None:
        self._say(
            f"recall@5 of {comparison.after.questions} questions: "
            f"{comparison.before.recall_at_5:.3f} → {comparison.after.recall_at_5:.3f}."
        )
        if comparison.loss > options.most_loss and not options.accept_loss:
            self._builds.record(candidate, "refused", comparison.as_json())
            raise LossRefused(
                f"{candidate.name} finds less than what is served: recall@5 falls from "
                f"{comparison.before.recall_at_5:.3f} to {comparison.after.recall_at_5:.3f}, by "
                f"more than {options.most_loss:g}. It is kept and not served. Use another model, "
                "or run index_migration_job with accept_loss: true.",
                comparison,
            )

    def _require_same(self, before: str | None, candidate: IndexCollection) -> None:
        if self._index.names().live != before:
            raise MigrationRefused(
                "Another collection is served than when the migration began. Nothing was changed; "
                "run index_migration_job again, and it goes on with what was built."
            )
        digest = using(self._ollama, candidate.model).digest()
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
