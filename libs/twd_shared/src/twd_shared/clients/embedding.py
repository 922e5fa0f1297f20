"""Embedding texts that may be too long for the model, for callers to whom a beginning is enough.

How long a text may be is estimated first, for every caller in the same way; what the server still
refuses for its length is cut further, without touching the other texts of the call. Who must not
lose a word divides texts by `Ollama.token_budget()` instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future

from twd_shared.clients.embedding_models import Purpose
from twd_shared.clients.ollama import Ollama, TextsTooLong

LONGEST_TEXT = 6000
"""Estimated length above which a text is cut before it is sent.

nomic-embed-text takes 2,048 tokens; identifiers come to three characters a token or more.
"""

# A model that refuses so short a text has no context worth the name: cutting on would hide it.
_SHORTEST_CUT = 100


def estimated_length(text: str) -> int:
    """Length in ASCII characters; a letter outside ASCII can be a token of its own, so it is 3."""
    return 3 * len(text) - 2 * len(text.encode("ascii", "ignore"))


def cut_text(text: str, longest: int = LONGEST_TEXT) -> str:
    """The text's beginning whose estimated length is `longest` at most."""
    while text and (excess := estimated_length(text) - longest) > 0:
        text = text[: -((excess + 2) // 3)]
    return text


def embed_within(
    ollama: Ollama, texts: Sequence[str], purpose: Purpose, until: Future[None] | None = None
) -> list[list[float]]:
    """One vector a text, in order; see `embed_each`."""
    vectors = dict(embed_each(ollama, texts, purpose, until))
    return [vectors[place] for place in range(len(texts))]


def embed_each(
    ollama: Ollama, texts: Sequence[str], purpose: Purpose, until: Future[None] | None = None
) -> Iterator[tuple[int, list[float]]]:
    """(place of a text, its vector), in order of completion, while others are embedded.

    Of a text as much of its beginning is embedded as the model takes: it cuts. Raises what
    `Ollama.embed` raises; TextsTooLong only when even a short beginning is refused. `until` ends it
    from another thread: see `iterate_apart`.
    """
    left = {position: cut_text(text) for position, text in enumerate(texts)}
    while left:
        places = list(left)
        try:
            sent = [left[place] for place in places]
            for start, part in ollama.embed_batches(sent, purpose, until):
                yield from zip(places[start : start + len(part)], part, strict=True)
            break
        except TextsTooLong as error:
            refused = {places[position]: left[places[position]] for position in error.positions}
            left = {place: text[: len(text) * 3 // 4] for place, text in refused.items()}
            if min(map(len, left.values())) < _SHORTEST_CUT:
                raise
