"""Collecting the training examples of one connection: read, check, store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from twd_shared.clients.application import ApplicationDatabase
from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.store.snapshots import SnapshotStore
from twd_training.examples.models import TrainingItem
from twd_training.examples.store import Outcome, TrainingSet
from twd_training.examples.submissions import Reading, read_submissions


@dataclass(frozen=True, slots=True)
class Collected:
    """What was read and what became of it; `version` is that of the snapshot checked against."""

    reading: Reading
    items: tuple[TrainingItem, ...]
    outcome: Outcome
    version: int

    @property
    def fingerprint(self) -> str:
        """Hash of the accepted items: what a knowledge base will hold of them."""
        accepted = sorted((item.content_hash, *item.tables) for item in self.items if item.accepted)
        return content_fingerprint(part for parts in accepted for part in parts)


def collect_examples(
    connection_id: str,
    application: ApplicationDatabase,
    snapshots: SnapshotStore,
    training_set: TrainingSet,
) -> Collected:
    """Make the connection's training set what users wrote, checked against its newest snapshot.

    Raises ApplicationUnavailable, ApplicationRefused, MetadataUnavailable, and UnknownConnection
    when there is no snapshot yet.
    """
    # Here, as the SQL parser takes a third of a second to import and code servers need none.
    from twd_training.examples.checking import KnownTables, check
    from twd_training.examples.healing import settled
    from twd_training.examples.past import Past

    # All is read while the set is held: of two runs at once, the later writes what is newer.
    with training_set.editing(connection_id) as edit:
        version, snapshot = snapshots.load_newest(connection_id)
        reading = read_submissions(application, connection_id)
        known = KnownTables.of(snapshot)
        past = Past(snapshots, connection_id, version.version)
        checked = (check(one, connection_id, known) for one in reading.submissions)
        items = tuple(
            without_repeats(
                settled(item, edit.before.get(item.item_id), version.version, known, past)
                for item in checked
            )
        )
        outcome = edit.replace(version.version, items, reading.marker)
    return Collected(reading, items, outcome, version.version)


def without_repeats(items: Iterable[TrainingItem]) -> Iterator[TrainingItem]:
    """The items, of those that say the same only the first accepted."""
    seen: set[tuple[str, str, str]] = set()
    for item in items:
        question = " ".join((item.question or "").split()).casefold()
        said = (item.kind, question, " ".join(item.content.split()).rstrip("; "))
        if item.accepted and said in seen:
            reason = "an earlier one says the same"
            yield replace(item, accepted=False, reason=reason, accepted_version=None)
        else:
            if item.accepted:
                seen.add(said)
            yield item
