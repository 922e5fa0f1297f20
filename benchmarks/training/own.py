"""Our training of one connection on real servers: every step by new clients, as a process has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import psycopg2

from benchmarks.index.model_server import MODEL
from benchmarks.services import Services
from benchmarks.training.pairs import Pair
from twd_schema.documentation.documenting import document_connection
from twd_shared.clients.application import ApplicationDatabase
from twd_shared.clients.catalog import Connection
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.qdrant import open_client
from twd_shared.schema_model.models import Snapshot
from twd_shared.sources.access import SourceAccess
from twd_shared.sql.grammar import PostgresGrammar
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.descriptions import DescriptionStore
from twd_shared.store.documentation import DocumentationStore
from twd_shared.store.migrate import upgrade
from twd_shared.store.snapshots import SnapshotStore
from twd_training.examples.collecting import collect_examples
from twd_training.examples.store import TrainingSet
from twd_training.knowledge_base.collections import Collections
from twd_training.knowledge_base.material import Material, read_material
from twd_training.training import Trained, train

# What TWD_PROMOTION_TOLERANCE and TWD_RECALL_BOUND are when nobody sets them.
_TOLERANCE, _LEAST_RECALL = 0.01, 0.6
_NO_SOURCE = SourceAccess.configured("postgresql", "loopback", "", 60.0)


class OwnTraining:
    """A connection whose schema, documentation and pairs a benchmark sets, and its training."""

    def __init__(self, servers: Services, database: MetadataDatabase, name: str, number: int):
        """`number` is the connection's id, `name` its own; `database` is migrated."""
        self._qdrant = servers.qdrant
        self._database = database
        self._connection = Connection(str(number), name, "postgresql", True, "none")
        [registered] = ConnectionRegistry(database).register([self._connection])
        self.key = registered.partition_key
        self._application = servers.application(f"{name}_application")
        self._execute(
            "insert into database_connections (id, name, connection_string, db_type)"
            " values (%s, %s, 'none', 'postgresql')",
            [(number, name)],
        )

    def keep(self, snapshot: Snapshot) -> None:
        """Save and document the snapshot, as the schema location does before a training."""
        snapshots = SnapshotStore(self._database)
        snapshots.save(self._connection.connection_id, snapshot)
        document_connection(
            self._connection.connection_id,
            snapshots,
            DocumentationStore(self._database),
            DescriptionStore(self._database),
            None,
        )

    def teach(self, pairs: Sequence[Pair]) -> None:
        """Make these the pairs that users taught; one of a known question keeps its row."""
        questions = tuple(pair.question for pair in pairs)
        self._execute("delete from training_data where question not in %s", [(questions,)])
        self._execute(
            "with edited as (update training_data set content = %s, updated_at = now()"
            " where question = %s returning id)"
            " insert into training_data (connection_id, kind, question, content)"
            " select %s, 'question_sql', %s, %s where not exists (select from edited)",
            [
                (pair.sql, pair.question, self._connection.connection_id, pair.question, pair.sql)
                for pair in pairs
            ],
        )

    def collect(self) -> int:
        """Check the pairs against the schema; gives how many are accepted."""
        collected = collect_examples(
            self._connection,
            ApplicationDatabase(self._application),
            SnapshotStore(self._database),
            TrainingSet(self._database),
            _NO_SOURCE,
            PostgresGrammar(self._application),
        )
        return sum(item.accepted for item in collected.items)

    def train(self, ollama_url: str) -> Trained:
        """Publish the knowledge base, as trained_model does."""
        with closing(open_client(self._qdrant)) as client:
            ollama = Ollama(ollama_url, MODEL)
            return train(
                self.key,
                self._database,
                client,
                ollama,
                tolerance=_TOLERANCE,
                least_recall=_LEAST_RECALL,
                link="",
            )

    def material(self) -> Material:
        """What the knowledge base has to hold now."""
        return read_material(self._connection.connection_id, self._database)

    def drop(self) -> None:
        """Delete the knowledge base: the server keeps all of it in memory."""
        with closing(open_client(self._qdrant)) as client:
            collections = Collections(client, self.key)
            collections.drop(collections.present())

    def _execute(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        with (
            closing(psycopg2.connect(self._application)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.executemany(statement, rows)


@contextmanager
def metadata_of_its_own(servers: Services) -> Iterator[MetadataDatabase]:
    """A migrated metadata database."""
    dsn = servers.database("bench_training")
    upgrade(dsn)
    with closing(MetadataDatabase(dsn)) as database:
        yield database
