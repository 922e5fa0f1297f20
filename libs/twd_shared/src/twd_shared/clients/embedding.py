"""Embedding texts that may be too long for the model: each is cut only as far as needed.

How long a text may be is estimated first, for every caller in the same way; what the server still
refuses for its length is cut further, without touching the other texts of the call.
"""

from __future__ import annotations

from collections.abc import Sequence

from twd_shared.clients.ollama import Ollama, Purpose
from twd_shared.errors import TextTooLong

LONGEST_TEXT = 6000
"""Estimated length above which a text is cut before it is sent.

nomic-embed-text takes 2,048 tokens; identifiers come to three characters a token or more.
"""

# A model that refuses so short a text has no context worth the name: cutting on would hide it.
_SHORTEST_CUT = 100


def estimated_length(text: str) -> int:
    """Length in ASCII characters; a letter outside ASCII can be a token of its own, so it is 3."""
    return 3 * len(text) - 2 * len(text.encode("ascii", "ignore"))


def cut_text(text: str) -> str:
    """The text's beginning whose estimated length is `LONGEST_TEXT` at most."""
    while (excess := estimated_length(text) - LONGEST_TEXT) > 0:
        text = text[: -((excess + 2) // 3)]
    return text


def embed_within(ollama: Ollama, texts: Sequence[str], purpose: Purpose) -> list[list[float]]:
    """One vector a text, in order, of as much of its beginning as the model takes.

    Raises what `Ollama.embed` raises; TextTooLong only when even a short beginning is refused.
    """
    return _embed(ollama, [cut_text(text) for text in texts], purpose)


def _embed(ollama: Ollama, texts: Sequence[str], purpose: Purpose) -> list[list[float]]:
    try:
        return ollama.embed(texts, purpose)
    except TextTooLong:
        if len(texts) == 1:
            shorter = texts[0][: len(texts[0]) * 3 // 4]
            if len(shorter) < _SHORTEST_CUT:
                raise
            return _embed(ollama, [shorter], purpose)
    # The server does not say which text it means: halving finds it in few calls.
    middle = len(texts) // 2
    return _embed(ollama, texts[:middle], purpose) + _embed(ollama, texts[middle:], purpose)
