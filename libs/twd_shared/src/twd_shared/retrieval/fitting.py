"""Which texts are shown to a language model that reads only so much. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from twd_shared.clients.embedding import cut_text, estimated_length


def fitting(texts: Iterable[str], longest: int) -> list[str]:
    """The first texts that fit together; of a first one that is too long its beginning.

    `longest` is in estimated characters, of which three make a token.
    """
    taken: list[str] = []
    for text in texts:
        if not taken:
            text = cut_text(text, longest)
        longest -= estimated_length(text)
        if longest < 0:
            break
        taken.append(text)
    return taken
