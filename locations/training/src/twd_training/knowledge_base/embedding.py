"""Vectors of a version's texts, as its model gives them now, written as soon as they are there."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from twd_shared.clients.embedding import embed_each, embed_within
from twd_shared.clients.ollama import Ollama
from twd_training.knowledge_base.collections import Collections, points_of
from twd_training.knowledge_base.documents import PURPOSES, Document, EmbeddedText

_WRITTEN_AT_ONCE = 256
# Writes that wait while more is embedded; each holds its vectors.
_MOST_WAITING = 4


def embedded(ollama: Ollama, texts: Collection[EmbeddedText]) -> dict[EmbeddedText, list[float]]:
    """The vector of each text for its purpose; raises the errors of the embedding."""
    given: dict[EmbeddedText, list[float]] = {}
    for purpose in PURPOSES:
        of_purpose = sorted(text for text in texts if text.purpose == purpose)
        vectors = embed_within(ollama, [text.text for text in of_purpose], purpose)
        given.update(zip(of_purpose, vectors, strict=True))
    return given


def write_embedded(
    number: int,
    documents: Sequence[Document],
    known: dict[EmbeddedText, Sequence[float]],
    collections: Collections,
    ollama: Ollama,
    model_id: str,
) -> int:
    """Write all points of a version; gives how many texts were embedded for it.

    `known` are vectors that need not be asked for; the others are added to it. A document is
    written as soon as its vectors are there, while others are embedded: a run that is killed has
    kept them. Raises the errors of the embedding and the index.
    """
    waiting: defaultdict[EmbeddedText, list[int]] = defaultdict(list)
    left: list[int] = []
    for place, document in enumerate(documents):
        texts = {point.text for point in points_of(document, model_id)} - known.keys()
        left.append(len(texts))
        for text in sorted(texts):
            waiting[text].append(place)

    def complete() -> Iterator[int]:
        """The places of documents, each when its last vector has come."""
        yield from (place for place, count in enumerate(left) if not count)
        # Questions first: a pair is written with its second vector, else all at the very end.
        for purpose in reversed(PURPOSES):
            missing = [text for text in waiting if text.purpose == purpose]
            for index, vector in embed_each(ollama, [one.text for one in missing], purpose):
                known[missing[index]] = vector
                for place in waiting[missing[index]]:
                    left[place] -= 1
                    if not left[place]:
                        yield place

    with ThreadPoolExecutor(1, "twd-training") as writer:
        writing: deque[Future[None]] = deque()
        batch: list[Document] = []

        def flush() -> None:
            writing.append(writer.submit(collections.write, number, batch[:], known, model_id))
            batch.clear()
            if len(writing) > _MOST_WAITING:
                writing.popleft().result()

        for place in complete():
            batch.append(documents[place])
            if len(batch) == _WRITTEN_AT_ONCE:
                flush()
        flush()
        for written in writing:
            written.result()
    return len(waiting)
