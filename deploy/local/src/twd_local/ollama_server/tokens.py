"""How the lexical model reads a text: words, their spelling variants, and token counts.

Belongs here: pure functions from text to pieces. Not here: weights and vectors (`lexical.py`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain

# A run of letters (combining marks kept), or of digits, or one visible character of any other kind.
_PIECE = re.compile(r"[^\W\d_][^\W\d_\u0300-\u036f]*[\u0300-\u036f]*|\d+|\S")
_CAMEL_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Scripts written without spaces between words: Han, kana, Hangul, Thai, Lao, Khmer.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\U00020000-\U0002ffff]+"
)
# Task prefixes that callers of some embedding models put before a text; they carry no content.
_TASK_PREFIX = re.compile(r"\s*(?:search_query|search_document|clustering|classification)\s*:")
_LETTERS_PER_TOKEN = 5
_DIGITS_PER_TOKEN = 3
# The texts of one database hold the same few thousand pieces over and over.
_PIECES_KEPT = 50_000


def without_task_prefix(text: str) -> str:
    """The text behind a leading `search_query:`-like prefix; the text itself when there is none."""
    match = _TASK_PREFIX.match(text)
    return text[match.end() :] if match else text


def words(text: str) -> Iterator[str]:
    """Lower-case words of a text: identifiers split at case, underscore and digit borders.

    Scripts without spaces give single characters and overlapping pairs instead of words.
    """
    pieces = _PIECE.findall(unicodedata.normalize("NFKC", text))
    return chain.from_iterable(map(_words_of, pieces))


@lru_cache(maxsize=_PIECES_KEPT)
def _words_of(piece: str) -> tuple[str, ...]:
    if not piece[0].isalnum():
        return ()
    words: list[str] = []
    for part in _CAMEL_HUMP.split(piece):
        word = part.lower()
        if _UNSPACED.search(word):
            words += _unspaced_words(word)
        else:
            words.append(word)
    return tuple(words)


def _unspaced_words(run: str) -> Iterator[str]:
    at = 0
    for match in _UNSPACED.finditer(run):
        if match.start() > at:
            yield run[at : match.start()]
        block = match.group()
        yield from block
        yield from (block[i : i + 2] for i in range(len(block) - 1))
        at = match.end()
    if at < len(run):
        yield run[at:]


def without_accents(word: str) -> str:
    """The word in its base letters: `hóa đơn` and `hoa don` meet here."""
    if word.isascii():
        return word
    kept = (c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
    return "".join(kept).replace("đ", "d")


def singular(word: str) -> str:
    """A light fold of English plural endings; words it does not know stay as they are."""
    if len(word) < 4 or not word.isascii() or not word.endswith("s"):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "ches", "shes", "xes", "zzes")):
        return word[:-2]
    if word.endswith(("ss", "us", "is")):
        return word
    return word[:-1]


def clip_to_tokens(text: str, limit: int) -> tuple[str, int, bool]:
    """The longest beginning of a text that fits `limit` tokens.

    Counting is the model's own and depends on the text alone: a token is five letters of a word,
    three digits of a number, one character of an unspaced script, or one other visible character.

    Returns: (text that fits, its tokens, whether something was cut off).
    """
    used = 0
    for match in _PIECE.finditer(text):
        cost = _tokens_of(match.group())
        if used + cost > limit:
            # A piece may be longer than all the room there is: a character is never below a token.
            return text[: match.start() + max(0, limit - used)], limit, True
        used += cost
    return text, used, False


@lru_cache(maxsize=_PIECES_KEPT)
def _tokens_of(piece: str) -> int:
    if _UNSPACED.search(piece):
        return len(piece)
    per_token = _DIGITS_PER_TOKEN if piece[0].isdigit() else _LETTERS_PER_TOKEN
    return -(-len(piece) // per_token)
