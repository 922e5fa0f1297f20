"""Names in a text for people: as whole words, whatever their case and Unicode form."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"\w+")


def plain(text: str) -> str:
    """The text as names and texts are compared: composed, and without case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def is_word(name: str) -> bool:
    """Whether a name is one word, which stands in a text's words or not at all."""
    return _WORD.fullmatch(name) is not None


class Text:
    """A text in which names are looked for."""

    def __init__(self, text: str) -> None:
        """Read its words."""
        self._text = plain(text)
        self.words = frozenset(_WORD.findall(self._text))

    def names(self, name: str) -> bool:
        """Whether the name, which is `plain`, stands in it: a word, or several as written."""
        if is_word(name):
            return name in self.words
        # Most texts hold few of the names: a plain search costs the least.
        return name in self._text and bool(
            re.search(rf"(?<!\w){re.escape(name)}(?!\w)", self._text)
        )
