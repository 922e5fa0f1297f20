"""What a knowledge base is made of now: schema, documentation and examples, as the stores say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twd_shared.schema_model.models import Snapshot
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.documentation import DocumentationStore, TableCard
from twd_shared.store.snapshots import SnapshotStore
from twd_training.examples.models import Submission, TrainingItem
from twd_training.examples.store import TrainingSet
from twd_training.knowledge_base.documents import Document, documents_of


@dataclass(frozen=True, slots=True)
class Material:
    """The inputs of a knowledge base, and the documents made from them.

    `items` are the accepted ones; `snapshot_version` is the version of `snapshot`.
    """

    snapshot_version: int
    snapshot: Snapshot
    cards: Sequence[TableCard]
    items: Sequence[TrainingItem]
    documents: Sequence[Document]


def _fitting(
    connection_id: str, version: int, snapshot: Snapshot, database: MetadataDatabase
) -> list[TrainingItem]:
    """The accepted items; of those that an older snapshot judged, what still is right by names.

    They are judged whole by the next run that can read the application.
    """
    training_set = TrainingSet(database)
    items = training_set.accepted(connection_id)
    if training_set.judged_by(connection_id) >= version:
        return items
    # Here, as the SQL parser takes a third of a second to import.
    from twd_training.examples.checking import check
    from twd_training.examples.healing import settled
    from twd_training.examples.known_tables import KnownTables
    from twd_training.examples.past import Past

    known = KnownTables.of(snapshot)
    past = Past(SnapshotStore(database), connection_id, version, known)

    def is_right(item: TrainingItem) -> bool:
        submission = Submission("", item.kind, item.question, item.content)
        return settled(check(submission, "", known), item, version, known, past).accepted

    return [item for item in items if is_right(item)]


def read_material(connection_id: str, database: MetadataDatabase) -> Material:
    """The connection's newest inputs; raises UnknownConnection if its schema was never read."""
    version, snapshot = SnapshotStore(database).load_newest(connection_id)
    cards = DocumentationStore(database).cards(connection_id)
    items = _fitting(connection_id, version.version, snapshot, database)
    documents = documents_of(snapshot, cards, items)
    return Material(version.version, snapshot, cards, items, documents)
