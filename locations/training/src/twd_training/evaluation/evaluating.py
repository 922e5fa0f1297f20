"""Evaluating one connection: its labelled questions, asked of what is served, and recorded."""

from __future__ import annotations

from dataclasses import dataclass

from qdrant_client import QdrantClient

from twd_shared.clients.ollama import Ollama
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.errors import IndexRejected, IndexUnavailable, UnknownConnection
from twd_shared.retrieval.questions import question_set_hash
from twd_shared.retrieval.scoring import Score
from twd_shared.store.connections import RegisteredConnection
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.snapshots import SnapshotStore
from twd_training.evaluation.questions import labelled_questions
from twd_training.evaluation.retrievers import KnowledgeBaseQuestions, schema_index_scores
from twd_training.evaluation.store import KNOWLEDGE_BASE, Evaluated, Evaluations
from twd_training.examples.store import TrainingSet
from twd_training.knowledge_base.collections import Collections
from twd_training.knowledge_base.versions import ModelVersion, ModelVersions


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of what is served on a question set, and of a version that is held beside it.

    `version` is the live one, None = none is; `history` what was ever recorded of the knowledge
    base, by version.
    """

    version: ModelVersion | None
    held: ModelVersion | None
    question_set_hash: str
    question_count: int
    scores: tuple[Score, ...]
    held_scores: tuple[Score, ...]
    history: tuple[Evaluated, ...]

    @property
    def versions(self) -> tuple[ModelVersion, ...]:
        """The live and the held version, as far as there are any."""
        return tuple(version for version in (self.version, self.held) if version is not None)

    def overall(self, retriever: str) -> Score | None:
        """What is served of the retriever, over all questions; None if nothing is, or was asked."""
        return _overall(self.scores, retriever)

    @property
    def held_overall(self) -> Score | None:
        """The held version's score over all questions; None if none is held."""
        return _overall(self.held_scores, KNOWLEDGE_BASE)


def evaluate_connection(
    connection: RegisteredConnection,
    database: MetadataDatabase,
    client: QdrantClient,
    index: SchemaIndex,
    ollama: Ollama,
) -> Evaluation:
    """Score retrieval for the connection and record it, for the live and for a held version.

    The schema that questions are made from is the one that the newer of both was made from.
    Raises UnknownConnection when there is no knowledge base, IndexUnavailable when a version was
    dropped meanwhile, and the errors of the servers.
    """
    connection_id = connection.connection_id
    versions = ModelVersions(database)
    live, held = versions.live(connection_id), versions.held(connection_id)
    kept = [version for version in (live, held) if version is not None]
    if not kept:
        raise UnknownConnection(
            f"Connection {connection_id} ({connection.database_name}) has no knowledge base. "
            "Run training_job."
        )
    newest = max(version.snapshot_version for version in kept)
    snapshot = SnapshotStore(database).load(connection_id, newest)
    questions = labelled_questions(snapshot, TrainingSet(database).accepted(connection_id))
    set_hash = question_set_hash(questions)
    of_index = schema_index_scores(questions, connection_id, ollama, index)
    collections = Collections(client, connection.partition_key)
    asked = KnowledgeBaseQuestions(questions, collections, ollama)
    evaluations = Evaluations(database)
    of_version: dict[int, list[Score]] = {}
    for version in kept:
        try:
            of_base = asked.scores(version.version, version.model, version.dimension)
        except IndexRejected:
            if collections.missing(version.collections.values()):
                raise _no_longer_kept(version) from None
            raise
        of_version[version.version] = [*of_index, *of_base]
        evaluations.record(
            connection_id, version.version, set_hash, len(questions), of_version[version.version]
        )
    return Evaluation(
        live,
        held,
        set_hash,
        len(questions),
        tuple(of_version[live.version] if live else of_index),
        tuple(of_version[held.version] if held else ()),
        tuple(evaluations.history(connection_id, KNOWLEDGE_BASE)),
    )


def _no_longer_kept(version: ModelVersion) -> IndexUnavailable:
    return IndexUnavailable(
        f"Version {version.version} of the knowledge base was dropped while it was scored, as a "
        "training or a person put others in its place. The next try scores what is kept now."
    )


def _overall(scores: tuple[Score, ...], retriever: str) -> Score | None:
    of_all = (s for s in scores if (s.retriever, s.origin) == (retriever, "all"))
    return next(of_all, None)
