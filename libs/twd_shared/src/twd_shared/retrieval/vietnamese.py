"""Vietnamese questions about schemas in English: the English words for what they name.

Most schemas have English names, and neither term weights nor most embedding models bring
`khách hàng` to `customer`.
Belongs here: finding phrases. Not here: the phrases (`vietnamese_words.py`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from twd_shared.retrieval.vietnamese_words import PHRASES
from twd_shared.terms.sparse import without_accents
from twd_shared.terms.stop_words import ENGLISH_STOP_WORDS

_LONGEST_PHRASE = 4
_PHRASES_THAT_TELL = 2
_SYLLABLE = re.compile(r"[^\W\d_]+")
# Letters of Vietnamese, in lower case and composed.
_ACCENTED = re.compile(r"[àáâãèéêìíòóôõùúýăđĩũơư\u1ea0-\u1ef9]")


def english_of(question: str) -> list[str]:
    """The English words for each Vietnamese phrase of a question, in order; [] if it has none.

    The longest phrase wins where several begin at a word. Without accents only phrases of two
    syllables or more are recognised, and beside English words like `which` only where there are
    two of them: `khach hang` could be nothing else, but `do an` is English as well.
    """
    composed = unicodedata.normalize("NFC", question).lower()
    syllables = _SYLLABLE.findall(composed)
    sure: list[str] = []
    found: list[str] = []
    position = 0
    while position < len(syllables):
        length, english, is_sure = _phrase_at(syllables, position)
        if english:
            found.append(english)
            if is_sure:
                sure.append(english)
        position += length
    is_english = not _ACCENTED.search(composed) and not ENGLISH_STOP_WORDS.isdisjoint(syllables)
    return sure if is_english and len(found) - len(sure) < _PHRASES_THAT_TELL else found


def _phrase_at(syllables: Sequence[str], position: int) -> tuple[int, str, bool]:
    """Syllables of the phrase that begins there, its English, and whether its accents say so."""
    for length in range(min(_LONGEST_PHRASE, len(syllables) - position), 0, -1):
        phrase = " ".join(syllables[position : position + length])
        if english := PHRASES.get(phrase):
            return length, english, not phrase.isascii()
        if length > 1 and (english := _UNACCENTED.get(phrase)):
            return length, english, False
    return 1, "", False


def _unaccented() -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for phrase, english in PHRASES.items():
        if " " in phrase:
            found.setdefault(without_accents(phrase), set()).update(english.split())
    return {phrase: " ".join(sorted(words)) for phrase, words in found.items()}


_UNACCENTED = _unaccented()
