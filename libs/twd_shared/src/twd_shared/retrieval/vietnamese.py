"""Vietnamese questions about schemas in English: the English words for what they name.

Most schemas have English names, and neither term weights nor most embedding models bring
`khách hàng` to `customer`. A question keeps its own words and gets the English ones behind them.
Belongs here: finding phrases. Not here: the phrases (`vietnamese_words.py`).
"""

from __future__ import annotations

import re
import unicodedata

from twd_shared.retrieval.terms import without_accents
from twd_shared.retrieval.vietnamese_words import PHRASES

_LONGEST_PHRASE = 4
_SYLLABLE = re.compile(r"[^\W\d_]+")


def with_english(question: str) -> str:
    """The question, followed by the English for its Vietnamese phrases; else as it is.

    The longest phrase wins where several begin at a word. Written without accents, only phrases of
    two syllables or more are recognised: `ban` alone could be anything, `khach hang` could not.
    """
    syllables = _SYLLABLE.findall(unicodedata.normalize("NFC", question).lower())
    english: list[str] = []
    position = 0
    while position < len(syllables):
        for length in range(min(_LONGEST_PHRASE, len(syllables) - position), 0, -1):
            phrase = " ".join(syllables[position : position + length])
            translation = PHRASES.get(phrase) or (length > 1 and _UNACCENTED.get(phrase))
            if translation:
                english.append(translation)
                position += length
                break
        else:
            position += 1
    return f"{question} {' '.join(dict.fromkeys(english))}" if english else question


def _unaccented() -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for phrase, english in PHRASES.items():
        if " " in phrase:
            found.setdefault(without_accents(phrase), set()).update(english.split())
    return {phrase: " ".join(sorted(words)) for phrase, words in found.items()}


_UNACCENTED = _unaccented()
