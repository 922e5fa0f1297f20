"""What is evaluated: the schema index and versions of the knowledge base, asked all at once."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from functools import cache
from itertools import islice

from twd_shared.clients.embedding import embed_each, embed_within
from twd_shared.clients.ollama import TEXTS_IN_A_CALL, Ollama
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.errors import ModelUnavailable
from twd_shared.retrieval.candidates import label
from twd_shared.retrieval.questions import LabelledQuestion
from twd_shared.retrieval.scoring import RANKS, Score, scores_of
from twd_shared.retrieval.search import rank_tables
from twd_training.evaluation.prompt import Context, pair_text
from twd_training.evaluation.store import KNOWLEDGE_BASE, SCHEMA_INDEX
from twd_training.examples.models import TrainingItem
from twd_training.knowledge_base.collections import Collections, Found
from twd_training.knowledge_base.names import Part
from twd_training.knowledge_base.versions import ModelVersion

# What a language model is shown of each part; Vanna's own number.
_SHOWN = 10
# A table may be found through several documents, and a question's own pair is left out.
_DOCUMENTS = 30
_NOT_SAID = re.compile(r"[^\w<>=+*/-]+")

_IsAlike = Callable[[str, str], bool]


class KnowledgeBaseQuestions:
    """Questions that are asked of versions of one knowledge base.

    A question that a user taught is never answered by itself: every version is scored as if it
    did not hold that pair, nor another SQL of that question.
    """

    def __init__(
        self,
        questions: Sequence[LabelledQuestion],
        knowledge_base: Collections,
        ollama: Ollama,
        until: Future[None] | None = None,
    ) -> None:
        """Embeds nothing yet; each model embeds the questions once, and none when `until` is done.

        A thread that asks is freed by `until` from an Ollama that does not answer.
        """
        self._questions = questions
        self._knowledge_base = knowledge_base
        self._ollama = ollama
        self._until = until
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        for place, question in enumerate(questions):
            self._places[question.text].append(place)
        self._learned: defaultdict[str, dict[int, list[float]]] = defaultdict(dict)
        self._vectors: dict[str, dict[int, list[float]]] = {}

    def learn(self, model: str, text: str, vector: list[float]) -> None:
        """Take over what the model has just given for a text, should that be one of the questions.

        It need not be embedded once more.
        """
        for place in self._places.get(text, ()):
            self._learned[model][place] = vector

    def scores(
        self, number: int, model: str, dimension: int, without: Collection[str] = ()
    ) -> list[Score]:
        """Scores of a version that `model` embedded, as if it lacked the documents in `without`.

        `without` holds content hashes. A version whose model is gone, or now gives vectors of
        another length, finds nothing. Raises the errors of the embedding and the index.
        """
        try:
            found = self._found(number, model, dimension)
        except ModelUnavailable:
            found = {}
        return self._scores(found, without)

    def scores_of_new(
        self, number: int, model: str, dimension: int, wait: Callable[[], None]
    ) -> list[Score]:
        """Scores of a version that is being made: it is asked nothing before `wait` returns.

        The questions are embedded at once. Raises ModelUnavailable too: that its model is gone for
        a moment says nothing of the version.
        """
        return self._scores(self._found(number, model, dimension, wait), ())

    def _scores(
        self, found: Mapping[int, Sequence[Found]], without: Collection[str]
    ) -> list[Score]:
        is_alike = _alike()
        rankings = [
            [
                label
                for document in found.get(place, ())
                if document.content_hash not in without
                and not _gives_away(document, question.text, question.sql, is_alike)
                for label in document.tables
            ]
            for place, question in enumerate(self._questions)
        ]
        return scores_of(KNOWLEDGE_BASE, self._questions, rankings)

    def _found(
        self, number: int, model: str, dimension: int, wait: Callable[[], None] = lambda: None
    ) -> dict[int, list[Found]]:
        """What a version has for each question; the first are asked while others are embedded."""
        found: dict[int, list[Found]] = {}
        with closing(self._embedded(model)) as embedded:
            while part := dict(islice(embedded, TEXTS_IN_A_CALL)):
                wait()
                vectors = list(part.values())
                if all(len(vector) == dimension for vector in vectors):
                    answers = self._knowledge_base.search(number, vectors, _DOCUMENTS, texts=False)
                    found.update(zip(part, answers, strict=True))
        return found

    def _embedded(self, model: str) -> Generator[tuple[int, list[float]], None, None]:
        """(place of a question, its vector), in order of completion; embedded once a model."""
        if model in self._vectors:
            yield from self._vectors[model].items()
            return
        # A copy: another thread may still learn.
        learned = dict(self._learned[model])
        given: dict[int, list[float]] = {}
        left = [place for place in range(len(self._questions)) if place not in learned]
        texts = [self._questions[place].text for place in left]
        for index, vector in embed_each(self._ollama.using(model), texts, "query", self._until):
            given[left[index]] = vector
            yield left[index], vector
        yield from learned.items()
        given |= learned
        self._vectors[model] = given


def schema_index_scores(
    questions: Sequence[LabelledQuestion], connection_id: str, ollama: Ollama, index: SchemaIndex
) -> list[Score]:
    """Scores of the schema index; raises the errors of the embedding and the index."""
    rankings = _of_index(questions, connection_id, ollama, index)
    return scores_of(SCHEMA_INDEX, questions, rankings)


def contexts_of(
    pairs: Sequence[TrainingItem],
    version: ModelVersion,
    knowledge_base: Collections,
    ollama: Ollama,
) -> list[Context]:
    """What a version holds about each pair's question, as Vanna asks it: so much of each part.

    It is asked as if it held neither the pair nor another that gives its SQL or question away.
    Raises ModelUnavailable when its model is gone or is another one, and the errors of the
    embedding and the index.
    """
    questions = [pair.question or "" for pair in pairs]
    vectors = embed_within(ollama.using(version.model), questions, "query")
    if any(len(vector) != version.dimension for vector in vectors):
        raise ModelUnavailable(
            f"Model {version.model!r} is not the one that made version {version.version}."
        )

    is_alike = _alike()

    def found(part: Part, limit: int) -> list[list[Found]]:
        return knowledge_base.search(version.version, vectors, limit, part)

    return [
        Context(
            [one.text for one in ddl],
            [one.text for one in documentation],
            [
                pair_text(one.question or "", one.sql or "")
                for one in similar
                if not _gives_away(one, pair.question, pair.content, is_alike)
            ][:_SHOWN],
        )
        for pair, ddl, documentation, similar in zip(
            pairs,
            found("ddl", _SHOWN),
            found("documentation", _SHOWN),
            found("sql", _DOCUMENTS),
            strict=True,
        )
    ]


def _gives_away(document: Found, question: str | None, sql: str | None, is_alike: _IsAlike) -> bool:
    """Whether a pair of the knowledge base says the question or its SQL, however it is written."""
    if document.sql is None or sql is None:
        return False
    return is_alike(document.question or "", question or "") or is_alike(document.sql, sql)


def _alike() -> _IsAlike:
    """Tells of two texts whether they say the same; each is read once, however often it is met.

    Many questions find the same pairs, whose SQL may be long.
    """
    plain = cache(_plain)
    return lambda one, other: plain(one) == plain(other)


def _plain(text: str) -> str:
    return _NOT_SAID.sub("", text.casefold())


def _of_index(
    questions: Sequence[LabelledQuestion], connection_id: str, ollama: Ollama, index: SchemaIndex
) -> list[list[str]]:
    collection = index.served()
    if collection is None:
        return [[] for _ in questions]
    rankings = rank_tables(
        [question.text for question in questions],
        connection_id=connection_id,
        index=index,
        ollama=ollama,
        collection=collection,
        limit=RANKS,
    )
    return [[label(name) for name in ranking] for ranking in rankings]
