"""Vectors of a version's texts, as its model gives them now, written as soon as they are there."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic

from twd_shared.clients.embedding import embed_each, embed_within
from twd_shared.clients.ollama import TEXTS_UNDER_WAY, EmbeddingModel, Ollama
from twd_shared.errors import EmbeddingUnavailable
from twd_training.knowledge_base.collections import Collections
from twd_training.knowledge_base.documents import PURPOSES, Document, EmbeddedText

_WRITTEN_AT_ONCE = 256
# Writes that wait while more is embedded; each holds its vectors.
_MOST_WAITING = 4
# On a slower server the last texts would wait behind what else it is then given, and too long.
_SOON_SECONDS = 30


class ModelReplaced(EmbeddingUnavailable):
    """The model became another one while texts were embedded; nobody knows what is of which."""


def embedded(
    ollama: Ollama, texts: Collection[EmbeddedText], until: Future[None]
) -> dict[EmbeddedText, list[float]]:
    """The vector of each text for its purpose; raises the errors of the embedding.

    `until` ends it from another thread.
    """
    given: dict[EmbeddedText, list[float]] = {}
    for purpose in PURPOSES:
        of_purpose = sorted(text for text in texts if text.purpose == purpose)
        vectors = embed_within(ollama, [text.text for text in of_purpose], purpose, until)
        given.update(zip(of_purpose, vectors, strict=True))
    return given


def require_same_model(ollama: Ollama, model: EmbeddingModel) -> None:
    """Raise ModelReplaced if the server has another model by now than was embedded with."""
    if ollama.digest() != model.digest:
        raise ModelReplaced(
            f"Ollama got another model {model.name} while texts were embedded with it: it was "
            "pulled again or removed, and vectors of two models do not compare. What was embedded "
            "is not served; the next try embeds it anew."
        )


def write_embedded(
    number: int,
    documents: Sequence[Document],
    known: dict[EmbeddedText, Sequence[float]],
    collections: Collections,
    ollama: Ollama,
    model_id: str,
    *,
    before_writing: Callable[[], None] = lambda: None,
    when_embedded: Callable[[EmbeddedText, list[float]], None] = lambda *_: None,
    when_nearly_embedded: Callable[[], None] = lambda: None,
) -> int:
    """Write all points of a version; gives how many texts were embedded for it.

    `known` are vectors that need not be asked for; each is dropped when nothing needs it any more.
    A document is written as soon as its vectors are there, while others are embedded: a run that is
    killed has kept them. `before_writing` is called in another thread while the first are embedded,
    `when_embedded` with each text and what the model gave for it, `when_nearly_embedded` when the
    server is soon to have nothing more to do.
    Raises the errors of the embedding and the index.
    """
    uses = Counter(text for document in documents for text in document.texts)
    for text in known.keys() - uses.keys():
        del known[text]
    waiting: defaultdict[EmbeddedText, list[int]] = defaultdict(list)
    left: list[int] = []
    for place, document in enumerate(documents):
        # Not by a difference with `keys()`, which goes through all that is known.
        texts = [text for text in document.texts if text not in known]
        left.append(len(texts))
        for text in sorted(texts):
            waiting[text].append(place)
    writing: deque[Future[None]] = deque()

    def see_to_writes(most: int) -> None:
        """Raise what a write has raised; wait until so many at most are not over."""
        while writing and (writing[0].done() or len(writing) > most):
            writing.popleft().result()

    def complete() -> Iterator[int]:
        """The places of documents, each when its last vector has come."""
        yield from (place for place, count in enumerate(left) if not count)
        to_embed, began, has_told = len(waiting), monotonic(), False
        # Questions first: a pair is written with its second vector, else all at the very end.
        for purpose in reversed(PURPOSES):
            missing = [text for text in waiting if text.purpose == purpose]
            for index, vector in embed_each(ollama, [one.text for one in missing], purpose):
                # What cannot be written need not be embedded, which takes much longer.
                see_to_writes(_MOST_WAITING)
                known[missing[index]] = vector
                when_embedded(missing[index], vector)
                to_embed -= 1
                # Not before all of the questions are there: the gate asks with them.
                is_last = purpose == PURPOSES[0] and to_embed <= TEXTS_UNDER_WAY
                if is_last and not has_told:
                    seconds = (monotonic() - began) * to_embed / (len(waiting) - to_embed)
                    if has_told := seconds < _SOON_SECONDS:
                        when_nearly_embedded()
                for place in waiting[missing[index]]:
                    left[place] -= 1
                    if not left[place]:
                        yield place

    with ThreadPoolExecutor(1, "twd-training") as writer:
        batch: list[Document] = []
        writing.append(writer.submit(before_writing))

        def flush() -> None:
            vectors = {text: known[text] for document in batch for text in document.texts}
            writing.append(writer.submit(collections.write, number, batch[:], vectors, model_id))
            uses.subtract(text for document in batch for text in document.texts)
            for text in vectors:
                if not uses[text]:
                    del known[text]
            batch.clear()
            see_to_writes(_MOST_WAITING)

        for place in complete():
            batch.append(documents[place])
            if len(batch) == _WRITTEN_AT_ONCE:
                flush()
        flush()
        see_to_writes(0)
    return len(waiting)
