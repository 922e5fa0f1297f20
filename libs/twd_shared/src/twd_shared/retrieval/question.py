"""A question as it is searched for: its words, and the English of its Vietnamese ones."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from twd_shared.clients.embedding import cut_text
from twd_shared.retrieval.vietnamese import english_of
from twd_shared.terms.sparse import all_words, significant_words


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: the text that is searched for, its stems, and what must be found of it.

    `stems` are without stop words, `said` with them; `own` are those of the question itself. A
    meaning is a set of stems of which one is enough: the English words for a Vietnamese phrase.
    """

    text: str
    stems: frozenset[str]
    said: frozenset[str]
    own: frozenset[str]
    meanings: Sequence[frozenset[str]]

    def coverage(self, known: Set[str]) -> float:
        """The share that is found among the words `known`: of its meanings or of its own words.

        The larger one, as a schema may be in Vietnamese, and a name in an English question may look
        like a phrase.
        """
        own = [frozenset({stem}) for stem in self.own]
        return max(_share(self.meanings, known), _share(own, known))


def read_question(question: str) -> Asked:
    """The question with the English for its Vietnamese phrases behind its own words.

    Of a Vietnamese question the phrases are its meanings, as schemas are seldom in Vietnamese; of
    another one each word is. A question of pages is cut as for its embedding: what it is about
    stands at its beginning, or nowhere.
    """
    question = cut_text(question)
    phrases = english_of(question)
    text = f"{question} {' '.join(dict.fromkeys(' '.join(phrases).split()))}".rstrip()
    stems = frozenset(significant_words(text))
    of_phrases = (frozenset(significant_words(phrase)) for phrase in phrases)
    meanings = of_phrases if phrases else (frozenset({stem}) for stem in sorted(stems))
    return Asked(
        text if phrases else question,
        stems,
        frozenset(all_words(text)),
        frozenset(significant_words(question)),
        tuple(dict.fromkeys(meanings)),
    )


def _share(meanings: Sequence[frozenset[str]], known: Set[str]) -> float:
    found = sum(not meaning.isdisjoint(known) for meaning in meanings)
    return found / len(meanings) if meanings else 0.0
