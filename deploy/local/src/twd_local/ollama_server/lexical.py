"""The lexical embedding models: hashed identifier words and character n-grams.

Belongs here: weights and vectors. Not here: reading text (`tokens.py`), HTTP (`server.py`).
They know spelling, not meaning: two words are near each other when they share letters. They differ
in the number of places that features are hashed to, so that a change of models can be shown.
Feature hashing with signs after Weinberger et al., "Feature Hashing for Large Scale Multitask
Learning" (2009); logarithmic term frequency as in the SMART system's `l` weighting.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from twd_local.ollama_server import tokens

CONTEXT_TOKENS = 2048
# Raise it when a change makes the same text give another vector: the digest follows.
REVISION = 1

_FOLDED_WEIGHT = 0.7
_NGRAMS_WEIGHT = 0.6
_NOISE_WEIGHT = 0.08
_STOP_WEIGHT = 0.15
_NUMBER_WEIGHT = 0.3
_NGRAM_SIZES = (3, 4, 5)
# N-grams of longer words say nothing more and would let one hostile word cost minutes.
_LONGEST_NGRAM_WORD = 48

# Words that stand in every table's DDL or query, and so tell no table from another.
_NOISE_TEXT = """
add all alter always and array as asc based between bigint bigserial bit bool boolean btree by
bytea cascade case char check collate column columns constraint create cross
current database date datetime decimal default delete desc distinct double drop else end exists
false float foreign from full having if in index inner insert int integer interval into is
join json jsonb key keys left like limit materialized not null nullable numeric offset on or
outer partition precision primary public real references right schema select sequence
serial set smallint sql table tables text then time timestamp timestamptz true type union unique
update using uuid values varchar varying view where with without zone nextval regclass id
"""
_STOP_TEXT = """
a an the of to for at its it this that these those are was were be been has have had do does did
how what which who whose when why there their they them we our us you your i my me per each
every any some many much most more than least less show list give find tell get please can could
would should will about out up over under các những cái của và là có không cho trong với theo
được bị từ đến ở tại nào gì bao nhiêu mỗi hãy tôi một này đó khi thì mà ra vào trên dưới hơn
nhất liệt kê biết
"""
_NOISE = frozenset(_NOISE_TEXT.split())
_STOP = frozenset(_STOP_TEXT.split())

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LexicalModel:
    """An embedding model: its name, and the length of its vectors."""

    name: str
    dimensions: int

    @property
    def digest(self) -> str:
        """Content address of the model: 64 hexadecimal digits that change with its behaviour."""
        return hashlib.sha256(f"{self.name}/{self.dimensions}/{REVISION}".encode()).hexdigest()

    def embed(self, text: str) -> Vector:
        """One text → float32 vector of `dimensions`, L2 norm 1, the same on every machine.

        A text without any word (empty, punctuation only) gives one fixed unit vector, because a
        zero vector has no direction for a cosine index to compare.
        """
        counts = Counter(tokens.words(tokens.without_task_prefix(text)))
        if not counts:
            counts[""] = 1
        # Sorted, so that floating-point sums do not depend on the order of words in the text.
        features = [(_word_features(word), count) for word, count in sorted(counts.items())]
        frequencies = [1.0 + math.log(count) for _, count in features]
        sizes = [len(where) for (where, _), _ in features]
        values = np.concatenate([what for (_, what), _ in features])
        total = np.bincount(
            np.concatenate([where for (where, _), _ in features]) % self.dimensions,
            weights=values * np.repeat(frequencies, sizes),
            minlength=self.dimensions,
        )
        norm = float(np.linalg.norm(total))
        if norm == 0.0:  # features can cancel out exactly
            return self.embed("")
        return (total / norm).astype(np.float32)


TWD_LEXICAL = LexicalModel("twd-lexical", 768)
TWD_LEXICAL_SMALL = LexicalModel("twd-lexical-small", 256)
MODELS = (TWD_LEXICAL, TWD_LEXICAL_SMALL)


@lru_cache(maxsize=50_000)
def _word_features(word: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Hashes and signed values that one word adds to a vector, at the hash modulo its length."""
    weight = _word_weight(word)
    features: list[tuple[str, float]] = [(f"w:{tokens.singular(word)}", weight)]
    folded = tokens.without_accents(word)
    if folded != word:
        features = [(f"a:{word}", weight), (f"w:{folded}", weight * _FOLDED_WEIGHT)]
    grams = _ngrams(tokens.singular(folded))
    if grams:
        share = weight * _NGRAMS_WEIGHT / math.sqrt(len(grams))
        features += [(f"g:{gram}", share) for gram in grams]
    where = np.empty(len(features), dtype=np.int64)
    what = np.empty(len(features), dtype=np.float64)
    for i, (name, value) in enumerate(features):
        hashed = int.from_bytes(
            # A JSON text may hold half of a surrogate pair; it is a character like any other here.
            hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(),
            "big",
        )
        where[i] = hashed >> 1
        what[i] = value if hashed & 1 else -value
    return where, what


def _word_weight(word: str) -> float:
    if word in _NOISE:
        return _NOISE_WEIGHT
    if word in _STOP:
        return _STOP_WEIGHT
    return _NUMBER_WEIGHT if word.isdigit() else 1.0


def _ngrams(word: str) -> list[str]:
    if len(word) < min(_NGRAM_SIZES) or word.isdigit():
        return []
    marked = f"^{word[:_LONGEST_NGRAM_WORD]}$"
    return [marked[i : i + size] for size in _NGRAM_SIZES for i in range(len(marked) - size + 1)]
