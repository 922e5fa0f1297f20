"""What a training costs: the first, one without a change, one with a hundredth changed; Vanna's.

The floor is what the model server alone needs for the texts of the first one, 64 a call. Checking
the pairs counts as part of a training, and so does the gate with its questions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Set
from contextlib import closing
from statistics import median
from typing import NamedTuple

from benchmarks.index.first import BATCH, floor_seconds
from benchmarks.index.model_server import CountingRelay, paced_ollama
from benchmarks.index.thousand_tables import thousand_tables, with_changes
from benchmarks.services import Services
from benchmarks.training.own import OwnTraining, metadata_of_its_own
from benchmarks.training.pairs import Pair
from benchmarks.training.thousand_pairs import five_hundred_pairs, with_edits
from benchmarks.training.vanna_peer import PeerTraining, missing_points, wrong_points
from twd_shared.clients.qdrant import open_client
from twd_shared.schema_model.models import Snapshot
from twd_shared.store.database import MetadataDatabase
from twd_training.knowledge_base.documents import Document, EmbeddedText

ROUNDS = 3
CHANGED_TABLES = 10
EDITED_PAIRS = 5


class Turn(NamedTuple):
    """Seconds of checking the pairs and of the publication."""

    collecting: float
    publishing: float

    @property
    def seconds(self) -> float:
        """Both."""
        return self.collecting + self.publishing


class Embedded(NamedTuple):
    """The texts that a training had to embed, and the calls of /api/embed by what was in them."""

    texts: int
    calls: int
    """With texts that were not embedded before."""
    others: int
    """The gate's questions and samples, and what is asked about the model."""

    @property
    def least_calls(self) -> int:
        """So many calls hold the texts."""
        return -(-self.texts // BATCH)


class Points(NamedTuple):
    """What is wrong in a knowledge base after a change."""

    wrong: int
    missing: int


class Speed(NamedTuple):
    """Medians of rounds; the peer's training is measured once."""

    accepted: int
    documents: int
    texts: int
    first: Turn
    unchanged: Turn
    changed: Turn
    peer_seconds: float
    embedded: dict[str, Embedded]
    ours: Points
    peer: Points

    @property
    def floor(self) -> float:
        """Seconds that the model server needs for the texts of the first training."""
        return floor_seconds(self.texts)


def measure(servers: Services) -> Speed:
    """Train a thousand tables with five hundred pairs in each round anew, then Vanna."""
    snapshot = thousand_tables()
    pairs = five_hundred_pairs(snapshot)
    turns: dict[str, list[Turn]] = {"first": [], "unchanged": [], "changed": []}
    with paced_ollama() as url, metadata_of_its_own(servers) as database:
        for number in range(1, ROUNDS + 1):
            own = OwnTraining(servers, database, f"bench_training_{number}", number)
            for name, turn in _turns(own, snapshot, pairs, url):
                turns[name].append(turn)
            own.drop()
        counted = _count(servers, database, snapshot, pairs, url)
    return counted._replace(**{name: _middle(taken) for name, taken in turns.items()})


def _turns(
    own: OwnTraining, snapshot: Snapshot, pairs: list[Pair], url: str
) -> Iterable[tuple[str, Turn]]:
    own.keep(snapshot)
    own.teach(pairs)
    yield "first", _turn(own, url)
    yield "unchanged", _turn(own, url)
    _change(own, snapshot, pairs)
    yield "changed", _turn(own, url)


def _change(own: OwnTraining, snapshot: Snapshot, pairs: list[Pair]) -> None:
    own.keep(with_changes(snapshot, CHANGED_TABLES, "Kept by another department since then."))
    own.teach(with_edits(pairs, EDITED_PAIRS))


def _turn(own: OwnTraining, url: str) -> Turn:
    collecting = _seconds(own.collect)
    return Turn(collecting, _seconds(lambda: own.train(url)))


def _count(
    servers: Services, database: MetadataDatabase, snapshot: Snapshot, pairs: list[Pair], url: str
) -> Speed:
    """The calls of each training, and what is left in Qdrant by ours and by Vanna."""
    own = OwnTraining(servers, database, "bench_training_counted", ROUNDS + 1)
    embedded: dict[str, Embedded] = {}
    known: set[EmbeddedText] = set()
    own.keep(snapshot)
    own.teach(pairs)
    before: list[Document] = []
    accepted = 0
    with CountingRelay(url) as relay:
        for name in ("first", "unchanged", "changed"):
            if name == "changed":
                _change(own, snapshot, pairs)
            in_this = own.collect()
            own.train(relay.url)
            now = own.material().documents
            wanted = _texts(now) - known
            embedded[name] = _embedded(relay.take_all(), wanted)
            known |= wanted
            if name == "first":
                before, accepted = list(now), in_this
    after = own.material().documents
    prefix = f"kb_{own.key}_"
    ours = Points(
        wrong_points(servers.qdrant, prefix, after), missing_points(servers.qdrant, prefix, after)
    )
    own.drop()
    with closing(open_client(servers.qdrant)) as client, closing(PeerTraining(client, url)) as peer:
        seconds = _seconds(lambda: peer.train_all(before))
        # Who trains Vanna gives it what is new; nothing tells it what is no longer so.
        old = {document.content_hash for document in before}
        peer.train_all(document for document in after if document.content_hash not in old)
    peers = Points(
        wrong_points(servers.qdrant, "vanna_", after),
        missing_points(servers.qdrant, "vanna_", after),
    )
    nothing = Turn(0, 0)
    return Speed(
        accepted=accepted,
        documents=len(before),
        texts=len(_texts(before)),
        first=nothing,
        unchanged=nothing,
        changed=nothing,
        peer_seconds=seconds,
        embedded=embedded,
        ours=ours,
        peer=peers,
    )


def _texts(documents: Iterable[Document]) -> set[EmbeddedText]:
    return {text for document in documents for text in document.texts}


def _embedded(calls: list[Set[str]], wanted: set[EmbeddedText]) -> Embedded:
    """A text that comes a second time is the gate's sample."""
    waiting = {one.text for one in wanted}
    count = 0
    for inputs in calls:
        if not waiting.isdisjoint(inputs):
            count += 1
            waiting -= inputs
    return Embedded(len(wanted), count, len(calls) - count)


def _middle(turns: list[Turn]) -> Turn:
    return Turn(
        median(turn.collecting for turn in turns), median(turn.publishing for turn in turns)
    )


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
