"""Texts as sparse vectors of words and character n-grams, for documents and questions alike.

Belongs here: what a term is and what it weighs. Not here: vectors of a model, fusion, requests.
The weights are those of BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework:
BM25 and Beyond", 2009) without the inverse document frequency, which Qdrant applies itself to a
sparse vector with the modifier `idf`. Qdrant keeps no mean length, so `_MEAN_LENGTH` is fixed.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from threading import Lock

import snowballstemmer

from twd_shared.schema_model.wording import words
from twd_shared.terms.stop_words import STOP_WORDS

TERMS_REVISION = 1
"""Raise it when the same text gives other terms: what is indexed under another one is rebuilt."""

_K1 = 1.5
_B = 0.5
_MEAN_LENGTH = 90.0
_NAME_WEIGHT = 3.0
_NGRAM_WEIGHT = 0.3
_NGRAM_SIZES = (3, 4)
# A name of kilobytes would fill a vector with n-grams that nobody asks for.
_LONGEST_WORD = 48


@dataclass(frozen=True, slots=True)
class SparseTerms:
    """A sparse vector: term ids in ascending order (unsigned 32 bits) and their weights."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


def document_terms(
    *, names: Iterable[str], columns: Iterable[str], prose: Iterable[str]
) -> SparseTerms:
    """The terms of a document; each text may be an identifier or a sentence.

    Names weigh most, the fewer words they have: `invoice` is more about invoices than
    `invoice_line` is. What stands in many columns weighs by the root of how often.
    """
    counts: defaultdict[int, float] = defaultdict(float)
    for name in names:
        stems = list(naming_words(name))
        for stem in stems:
            _add(counts, stem, _NAME_WEIGHT / len(stems))
    for texts in (columns, prose):
        often = Counter(stem for text in texts for stem in naming_words(text))
        for stem, times in often.items():
            _add(counts, stem, math.sqrt(times))
    length = sum(counts.values())
    floor = _K1 * (1 - _B + _B * length / _MEAN_LENGTH)
    # Few weights are different from each other, and rounding each term's alone takes longest.
    weights = {n: round(n * (_K1 + 1) / (n + floor), 6) for n in set(counts.values())}
    ordered = sorted(counts)
    return SparseTerms(tuple(ordered), tuple([weights[counts[term]] for term in ordered]))


def question_terms(question: str) -> SparseTerms:
    """The terms of a question; a word that stands in it twice weighs double."""
    weights: defaultdict[int, float] = defaultdict(float)
    for stem in significant_words(question):
        _add(weights, stem, 1.0)
    return _sparse(weights)


def significant_words(text: str) -> Iterator[str]:
    """The stems of a text's or identifier's words, without accents and without stop words.

    Stop words are taken out while they have their accents: of Vietnamese `bàn` (table) and
    `bạn` (you) only one is a stop word.
    """
    return (_stem(word) for word in _split(text) if word not in STOP_WORDS)


def naming_words(text: str) -> Iterator[str]:
    """As `significant_words`, but a name keeps its stop words: `price_list`, `return`.

    A text with a space in it is no name.
    """
    return significant_words(text) if " " in text else all_words(text)


def all_words(text: str) -> Iterator[str]:
    """The stems of all words of a text or identifier, stop words as well."""
    return map(_stem, _split(text))


def _split(text: str) -> list[str]:
    return words(unicodedata.normalize("NFC", text)).split()


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    letters = without_accents(word)
    # It keeps the word that it works on: of two threads at once, each would get a mixture.
    with _stemming:
        return _stemmer.stemWord(letters)


def without_accents(word: str) -> str:
    """The word in its base letters: `hóa đơn` and `hoa don` meet here."""
    if word.isascii():
        return word
    kept = (c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
    return "".join(kept).replace("đ", "d")


def _add(weights: defaultdict[int, float], stem: str, weight: float) -> None:
    for term, share in _terms_of(stem):
        weights[term] += weight * share


@lru_cache(maxsize=50_000)
def _terms_of(stem: str) -> tuple[tuple[int, float], ...]:
    marked = f"^{stem[:_LONGEST_WORD]}$"
    ngrams = {
        marked[start : start + size]
        for size in _NGRAM_SIZES
        for start in range(len(marked) - size + 1)
    }
    return (
        (_term_id(f"word {stem}"), 1.0),
        *((_term_id(f"ngram {ngram}"), _NGRAM_WEIGHT) for ngram in sorted(ngrams)),
    )


def _term_id(term: str) -> int:
    return int.from_bytes(
        blake2b(term.encode(errors="surrogatepass"), digest_size=4).digest(), "big"
    )


def _sparse(weights: Mapping[int, float]) -> SparseTerms:
    ordered = sorted(weights)
    return SparseTerms(tuple(ordered), tuple(round(weights[term], 6) for term in ordered))


# https://snowballstem.org/algorithms/english/stemmer.html
_stemmer = snowballstemmer.stemmer("english")
_stemming = Lock()
