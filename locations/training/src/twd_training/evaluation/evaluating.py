"""Evaluating one connection: its labelled questions, asked of what is served, and recorded."""

from __future__ import annotations

from dataclasses import dataclass

from qdrant_client import QdrantClient

from twd_shared.clients.ollama import Ollama
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.errors import UnknownConnection
from twd_shared.retrieval.questions import generated_questions, question_set_hash
from twd_shared.retrieval.scoring import Score
from twd_shared.store.connections import RegisteredConnection
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.snapshots import SnapshotStore
from twd_training.evaluation.questions import questions_of_users
from twd_training.evaluation.retrievers import evaluate
from twd_training.evaluation.store import Evaluations
from twd_training.examples.store import TrainingSet
from twd_training.knowledge_base.collections import Collections
from twd_training.knowledge_base.versions import ModelVersion, ModelVersions


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of a live version on a question set."""

    version: ModelVersion
    question_set_hash: str
    question_count: int
    scores: tuple[Score, ...]

    def overall(self, retriever: str) -> Score:
        """The retriever's score over all questions."""
        return next(
            score for score in self.scores if (score.retriever, score.origin) == (retriever, "all")
        )


def evaluate_connection(
    connection: RegisteredConnection,
    database: MetadataDatabase,
    client: QdrantClient,
    index: SchemaIndex,
    ollama: Ollama,
) -> Evaluation:
    """Score retrieval for the connection and record it.

    The schema that questions are made from is the one that the live version was made from.
    Raises UnknownConnection when there is no live knowledge base, and the errors of the servers.
    """
    connection_id = connection.connection_id
    version = ModelVersions(database).live(connection_id)
    if version is None:
        raise UnknownConnection(
            f"Connection {connection_id} ({connection.database_name}) has no knowledge base. "
            "Run training_job."
        )
    snapshot = SnapshotStore(database).load(connection_id, version.snapshot_version)
    questions = [
        *questions_of_users(TrainingSet(database).accepted(connection_id)),
        *generated_questions(snapshot),
    ]
    scores = evaluate(
        questions,
        connection_id=connection_id,
        ollama=ollama,
        index=index,
        knowledge_base=Collections(client, connection.partition_key),
    )
    set_hash = question_set_hash(questions)
    Evaluations(database).record(connection_id, version.version, set_hash, len(questions), scores)
    return Evaluation(version, set_hash, len(questions), tuple(scores))
