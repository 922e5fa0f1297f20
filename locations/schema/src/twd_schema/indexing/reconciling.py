"""Making one connection's points equal to its documents: write, verify, only then delete.

Belongs here: what is done to the points of one collection. Not here: which collection, locks, and
what is recorded of it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic
from typing import Any

from twd_schema.indexing.documents import Document
from twd_schema.indexing.origins import KnownPoint
from twd_schema.indexing.sorting import HASHES, SHORTENED, Sorting
from twd_shared.clients.embedding import embed_within
from twd_shared.clients.index_collections import REMEDY, IndexCollection, describe
from twd_shared.clients.index_layout import Point, Rewriting, mark_of
from twd_shared.clients.index_points import ConnectionPoints
from twd_shared.clients.ollama import Ollama, TextsTooLong
from twd_shared.errors import (
    EmbeddingRejected,
    IndexOutdated,
    IndexUnavailable,
    ModelUnavailable,
)
from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.schema_model.keys import TableName
from twd_shared.store.index_origins import TableOrigin
from twd_shared.store.index_states import IndexState

_WRITERS = 2
_TABLE = ("schema_name", "table_name")


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What was done to the points; `expected` and `present` are points after it.

    `repaired` counts points that were not as recorded though nobody had changed them: exact when
    the documents are the recorded ones, and else the least that it can be. `shortened` are the
    tables of which the model took only the beginning of a text, now or when it was embedded.
    """

    content_hash: str
    presence_hash: str
    embedded: int
    rewritten: int
    unchanged: int
    deleted: int
    repaired: int
    shortened: tuple[str, ...]
    expected: int
    present: int
    origins: Mapping[TableName, TableOrigin] | None = None
    """What the points were made of, by table; None if they were not looked at one by one."""
    embedding_seconds: float = field(default=0.0, compare=False)
    """What embedding took, with the writing that went on meanwhile."""


class Reconciler:
    """Reconciles the points of one connection in one collection."""

    def __init__(self, collection: IndexCollection, points: ConnectionPoints) -> None:
        """`points` are those in `collection`."""
        self._collection = collection
        self._points = points

    @cached_property
    def held(self) -> Mapping[str, Mapping[str, Any]]:
        """The hashes of the points that were there when they were first asked for, by id."""
        return self._points.held(HASHES)

    def is_as_recorded(self, recorded: IndexState) -> bool:
        """Whether the points that are there are those that are recorded, each one."""
        hashes = (item.get("content_hash") for item in self.held.values())
        return recorded.is_complete and recorded.content_hash == self._fingerprint(hashes)

    def reconcile(
        self,
        documents: Iterable[Document | KnownPoint],
        ollama: Ollama,
        recorded: IndexState | None,
        before_change: Callable[[], None],
    ) -> Reconciliation:
        """Make the points exactly those of `documents`; running it again changes nothing.

        Documents may be made one by one: the first are embedded while others are made. Each batch
        is written as soon as it is embedded, so that a run that is killed has kept it. Nothing is
        deleted before all that was written is seen. `ollama` has the model that made the
        collection. `recorded` is what the collection is known to hold, if that is known;
        `before_change` is called before each change and stops the work by raising. Raises
        IndexUnavailable when the points read back are not the ones written, IndexOutdated when the
        model was pulled again meanwhile, ModelUnavailable when it was removed.
        """
        held = self.held
        sorting = Sorting(documents, held, self._collection.model_digest)
        started = monotonic()
        self._embed(sorting, ollama, before_change)
        embedding_seconds = monotonic() - started if sorting.to_embed else 0.0
        if sorting.to_embed:
            self._require_same_model(sorting.to_embed, ollama, before_change)
        content_hash = self._fingerprint(sorting.hashes.values())
        before = {key: payload.get("content_hash") for key, payload in held.items()}
        repaired = self._unexplained(recorded, before, sorting.hashes, content_hash)
        if sorting.to_rewrite:
            before_change()
            self._points.rewrite(
                Rewriting(item.point_id, item.terms, self._payload(item, sorting.shortened))
                for item in sorting.to_rewrite
            )
        written = {item.point_id for item in (*sorting.to_embed, *sorting.to_rewrite)}
        present = self._seen(sorting.hashes, written) if written else held.keys()
        if gone := sorted(present - sorting.hashes.keys()):
            before_change()
            self._points.delete(gone)
        return Reconciliation(
            content_hash=content_hash,
            presence_hash=_presence_of(sorting.hashes.values()),
            embedded=len(sorting.to_embed),
            rewritten=len(sorting.to_rewrite),
            unchanged=sorting.unchanged,
            deleted=len(gone),
            repaired=repaired,
            shortened=_labels(sorting.shortened.values()),
            origins=sorting.origins,
            expected=len(sorting.hashes),
            present=self._points.count() if gone else len(present),
            embedding_seconds=embedding_seconds,
        )

    def untouched(self, recorded: IndexState) -> Reconciliation | None:
        """What is said if the points are still those that are recorded, else None; reads few.

        They are counted by the first digits of their hashes: what is missing or added is seen, and
        of points that somebody replaced one in 256 each is not.
        """
        if not recorded.is_complete or not self._counts(
            recorded.presence_hash, recorded.point_count
        ):
            return None
        shortened = self._points.marked(SHORTENED, _TABLE)
        return _untouched(
            recorded.content_hash,
            recorded.presence_hash,
            recorded.point_count,
            _tables(shortened),
        )

    def compare(self, documents: Iterable[Document]) -> Reconciliation | None:
        """What reconciling would say if the points are those of `documents` already, else None."""
        hashes = {item.point_id: item.content_hash for item in documents}
        held = self._points.held(["content_hash", SHORTENED, *_TABLE])
        if hashes != {key: item.get("content_hash") for key, item in held.items()}:
            return None
        return _untouched(
            self._fingerprint(hashes.values()),
            _presence_of(hashes.values()),
            len(hashes),
            _tables(item for item in held.values() if item.get(SHORTENED)),
        )

    def _seen(self, wanted: Mapping[str, str], written: Set[str]) -> Set[str]:
        """The ids that are there now; raises IndexUnavailable if what is wanted is not there.

        Where little was written, that is read, and the others are counted by the first digits of
        their hashes; all are read if their numbers are not what they were.
        """
        if 2 * len(written) < len(wanted):
            read = self._points.payloads(sorted(written), ["content_hash"])
            expected = {key: str(item.get("content_hash")) for key, item in self.held.items()}
            expected.update((key, wanted[key]) for key in written)
            are_read = all(read.get(key, {}).get("content_hash") == wanted[key] for key in written)
            if are_read and self._counts(_presence_of(expected.values()), len(expected)):
                return expected.keys()
        held = self._points.held(["content_hash"])
        if any(held.get(key, {}).get("content_hash") != value for key, value in wanted.items()):
            raise IndexUnavailable(
                f"Collection {self._collection.name} does not hold what was written to it. "
                "Nothing old was removed; look at Qdrant's log and disk."
            )
        return held.keys()

    def _counts(self, presence_hash: str, points: int) -> bool:
        """Whether so many points are there, with these first digits of their hashes."""
        # A point without a mark is counted too.
        return (
            _presence_hash(self._points.marks()) == presence_hash and self._points.count() == points
        )

    def _fingerprint(self, hashes: Iterable[str | None]) -> str:
        # By what made them too: the same tables found by another model are another index.
        return content_fingerprint((*map(str, self._collection.making), *sorted(map(str, hashes))))

    def _unexplained(
        self,
        recorded: IndexState | None,
        held: Mapping[str, str | None],
        wanted: Mapping[str, str],
        wanted_hash: str,
    ) -> int:
        if (
            recorded is None
            or not recorded.is_complete
            or recorded.collection != self._collection.name
            or recorded.content_hash == self._fingerprint(held.values())
        ):
            return 0
        if recorded.content_hash == wanted_hash:
            return len({key for key, _ in held.items() ^ wanted.items()})
        return max(1, abs(len(held) - recorded.point_count))

    def _embed(self, sorting: Sorting, ollama: Ollama, before_change: Callable[[], None]) -> None:
        """Embed and write what must be, and add to `sorting` what had to be shortened for it."""
        refused: list[Document] = []
        # While one batch is on its way, the next is encoded, and more are embedded.
        with (
            ThreadPoolExecutor(_WRITERS, "twd-index") as writers,
            closing(ollama.embed_batches(sorting.texts(), "document")) as batches,
        ):
            writing: deque[Future[None]] = deque()
            try:
                for start, vectors in batches:
                    before_change()
                    part = sorting.to_embed[start : start + len(vectors)]
                    writing.append(writers.submit(self._write, part, vectors))
                    if len(writing) > _WRITERS:
                        writing.popleft().result()
            except TextsTooLong as error:
                refused = [sorting.to_embed[position] for position in error.positions]
            for written in writing:
                written.result()
        if refused:
            vectors = embed_within(ollama, [item.text for item in refused], "document")
            sorting.shortened.update((item.point_id, item.table) for item in refused)
            before_change()
            self._write(refused, vectors, sorting.shortened)

    def _require_same_model(
        self, embedded: Iterable[Document], ollama: Ollama, before_change: Callable[[], None]
    ) -> None:
        digest = ollama.digest()
        if digest == self._collection.model_digest:
            return
        if not digest:
            raise ModelUnavailable(
                f"Ollama lost model {self._collection.model} while texts were embedded with it. "
                f"Pull it: ollama pull {self._collection.model}. Nothing was removed from the "
                f"schema index {self._collection.name}; it is made whole at the next try."
            )
        # Nobody knows which of them are of which model. Without their hashes they are found by
        # words as before, and are embedded anew should the model that made the rest come back.
        before_change()
        self._points.rewrite(
            Rewriting(
                item.point_id,
                item.terms,
                {**self._payload(item, ()), "content_hash": "", "text_hash": ""},
            )
            for item in embedded
        )
        made_now = self._collection.making._replace(model_digest=digest)
        raise IndexOutdated(
            f"The schema index {self._collection.name} is made by "
            f"{describe(self._collection.making)}, but while texts were embedded Ollama got "
            f"{describe(made_now)}: it was pulled again, and its vectors do not compare. Nothing "
            f"was removed from the index; what was embedded now does not count as done. {REMEDY}"
        )

    def _write(
        self,
        documents: Sequence[Document],
        vectors: Sequence[Sequence[float]],
        shortened: Container[str] = (),
    ) -> None:
        dimension = self._collection.dimension
        if any(len(vector) != dimension for vector in vectors):
            raise EmbeddingRejected(
                f"Model {self._collection.model} has {dimension} dimensions but gave vectors of "
                f"{len(vectors[0])}. Look at the Ollama server; its model may be broken."
            )
        self._points.upsert(self._points_of(documents, vectors, shortened))

    def _points_of(
        self,
        documents: Sequence[Document],
        vectors: Sequence[Sequence[float]],
        shortened: Container[str],
    ) -> Iterator[Point]:
        for item, vector in zip(documents, vectors, strict=True):
            yield Point(item.point_id, vector, item.terms, self._payload(item, shortened))

    def _payload(self, document: Document, shortened: Container[str]) -> dict[str, Any]:
        return {
            **document.payload,
            "content_hash": document.content_hash,
            "content_mark": mark_of(document.content_hash),
            "text_hash": document.text_hash,
            "model": self._collection.model,
            "model_digest": self._collection.model_digest,
            "dimension": self._collection.dimension,
            # Told on every run: its vector is that of the beginning as long as its text stays.
            **({SHORTENED: True} if document.point_id in shortened else {}),
        }


def _untouched(
    content_hash: str, presence_hash: str, points: int, shortened: tuple[str, ...]
) -> Reconciliation:
    return Reconciliation(
        content_hash=content_hash,
        presence_hash=presence_hash,
        embedded=0,
        rewritten=0,
        unchanged=points,
        deleted=0,
        repaired=0,
        shortened=shortened,
        expected=points,
        present=points,
    )


def _presence_of(hashes: Iterable[str]) -> str:
    return _presence_hash(Counter(map(mark_of, hashes)))


def _presence_hash(marks: Mapping[str, int]) -> str:
    return content_fingerprint(f"{mark} {marks[mark]}" for mark in sorted(marks))


def _tables(payloads: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return _labels((item["schema_name"], item["table_name"]) for item in payloads)


def _labels(tables: Iterable[TableName]) -> tuple[str, ...]:
    return tuple(sorted({f"{schema}.{table}" for schema, table in tables}))
