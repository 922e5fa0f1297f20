"""Publishing what is published already: what is embedded, and what it takes beside LangChain."""

from __future__ import annotations

import gc
import math
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from benchmarks.index.clocks import Taken, clocked, middle
from benchmarks.index.first import BATCH
from benchmarks.index.model_server import Calls, CountingRelay
from benchmarks.index.own import OpenIndex, OwnIndex
from benchmarks.index.peer import peer_documents, peers
from benchmarks.index.thousand_tables import with_changes
from twd_schema.indexing.reconciling import Reconciler
from twd_schema.indexing.shares import Reading, Shares
from twd_shared.clients.embedding_models import prefix_of
from twd_shared.schema_model.models import Snapshot

ROUNDS = 15
CHANGED = (10, 70)

FINDING = "ours, finding that nothing changed"


class Embedded(NamedTuple):
    """What a publication embedded: the documents that differ, and the calls of /api/embed."""

    name: str
    documents: int
    calls: Calls

    @property
    def batches(self) -> int:
        """The least calls that so many documents need."""
        return math.ceil(self.documents / BATCH)


def count_calls(open_index: OpenIndex, snapshot: Snapshot, ollama_url: str) -> list[Embedded]:
    """Publish for the first time, without a change, and with changes; each by new clients."""
    counted: list[Embedded] = []
    with CountingRelay(ollama_url) as relay:

        def publish(name: str, published: Snapshot, expected: int) -> None:
            with open_index("counted", relay.url) as own:
                version = own.keep(published)
                points = own.publish(published, version).points
                if points.embedded != expected or points.present != len(published.tables):
                    raise RuntimeError(f"{name}: {expected} texts differ, but it did {points}.")
                budget = own.collection.token_budget
                prefix = prefix_of(own.collection.model, "document")
                texts = {prefix + one.text for one in own.documents(published, version, budget)}
            counted.append(Embedded(name, expected, relay.take(texts)))

        publish("first", snapshot, len(snapshot.tables))
        publish("unchanged", snapshot, 0)
        for count in CHANGED:
            snapshot = with_changes(snapshot, count, f"One of {count} that were looked at again.")
            publish(f"{count} tables changed", snapshot, count)
    return counted


class Turns(NamedTuple):
    """Medians by name, and how often LangChain's quickest embeds when ten documents changed."""

    ours: dict[str, Taken]
    theirs: dict[str, Taken]
    their_calls: int


def take_turns(open_index: OpenIndex, snapshot: Snapshot, ollama_url: str) -> Turns:
    """Ours and LangChain's in turn, over the same documents, of which none has changed."""
    with open_index("turns", ollama_url) as own:
        version = own.keep(snapshot)
        ours = _ours(own, snapshot, version)
        budget = own.collection.token_budget
        given = peer_documents(own.documents(snapshot, version, budget))
        indexes = list(peers(own.ollama))
        for index in indexes:
            index.publish(given)
        theirs: dict[str, Callable[[], object]] = {
            index.name: partial(index.publish, given) for index in indexes
        }
        taken: defaultdict[str, list[Taken]] = defaultdict(list)
        # Millions of numbers that LangChain keeps are not to be looked through in anybody's turn.
        gc.collect()
        gc.freeze()
        for _ in range(ROUNDS):
            for name, work in (ours | theirs).items():
                taken[name].append(clocked(work))
        gc.unfreeze()
        medians = {name: middle(each) for name, each in taken.items()}
        quickest = min(indexes, key=lambda index: medians[index.name].seconds)
        before = quickest.embed_calls
        changed = with_changes(snapshot, CHANGED[0], "Changed.")
        quickest.publish(peer_documents(own.documents(changed, own.keep(changed), budget)))
        return Turns(
            {name: medians[name] for name in ours},
            {name: medians[name] for name in theirs},
            quickest.embed_calls - before,
        )


def _ours(own: OwnIndex, snapshot: Snapshot, version: int) -> dict[str, Callable[[], object]]:
    """What to repeat, by name, on a connection that is published here."""
    recorded = own.publish(snapshot, version).state
    collection = own.collection
    documents = own.documents(snapshot, version, collection.token_budget)
    shares = Shares(own.index, own.database)
    reading = Reading(own.connection, snapshot, version)
    points = own.index.points(own.connection.connection_id, collection.name)
    reconciler = Reconciler(collection, points)

    def refuse_change() -> None:
        raise RuntimeError("Something is to be changed though nothing has changed.")

    return {
        FINDING: lambda: shares.bring_up(collection, reading, own.ollama, recorded),
        "ours, all of publish()": lambda: own.publish(snapshot, version),
        "ours, given the documents and nothing recorded": lambda: reconciler.reconcile(
            documents, own.ollama, None, refuse_change
        ),
    }
