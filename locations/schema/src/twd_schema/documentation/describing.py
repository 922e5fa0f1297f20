"""Asking a language model to describe tables: only those that it has not seen as they are now.

Each answer is kept as it comes, so that a run that is cut off goes on where it stopped, of a wide
table too. A model that fails or is slow never stands in the way of the documentation: what it did
not say is asked next time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from twd_schema.documentation.facts import TableFacts
from twd_schema.documentation.questions import (
    MalformedAnswer,
    content_hash,
    descriptions_in,
    questions_about,
)
from twd_schema.documentation.turns import GivenUp, Turns
from twd_shared.errors import MetadataFailure, ModelUnavailable, TwdError
from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.models import Table
from twd_shared.store.descriptions import DescriptionStore, ModelAnswer

_AT_ONCE = 4
# So many tables in a row for which the server failed, after its own retries, and it is left alone.
_FAILURES_IN_A_ROW = 3
# A model that answers rubbish alone would be asked for hours, each time, and documentation waits.
_MALFORMED_IN_A_ROW = 20


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A model's name and how it is asked; `ask` raises this project's errors."""

    name: str
    ask: Callable[[str], str]


@dataclass(slots=True)
class Described:
    """Descriptions by table, and how many of them are `cached`, `answered` now, or `malformed`.

    `problem` is why the model did not describe the others, in one sentence or more.
    """

    texts: dict[TableName, Mapping[str, str]]
    cached: int = 0
    answered: int = 0
    malformed: int = 0
    problem: str = ""


def describe_tables(
    connection_id: str,
    tables: Iterable[tuple[Table, TableFacts]],
    model: LanguageModel,
    store: DescriptionStore,
    until: float,
) -> Described:
    """Descriptions of the tables, by the model or by what it answered to the same question before.

    An answer that is malformed twice leaves its table without; so does a server that fails. After
    three failures or twenty such tables in a row, when the server lacks the model, or at the
    moment `until`, the others are not asked. Raises the errors of the store alone.
    """
    kept = store.of_model(connection_id)
    described = Described({})
    open_tables: list[_Inquiry] = []
    for table, facts in tables:
        inquiry = _Inquiry(table, facts, model.name)
        answer = kept.get(inquiry.name)
        if answer and answer.content_hash == inquiry.content_hash:
            described.texts[inquiry.name] = answer.texts
        else:
            open_tables.append(inquiry)
    described.cached = len(described.texts)
    # Not by name: of neighbours that alike get no answer of use, all after them would get none.
    open_tables.sort(key=lambda inquiry: inquiry.content_hash)
    _ask_all(connection_id, open_tables, Turns(model.ask, _AT_ONCE, until), store, described)
    return described


class _Inquiry:
    """One table and what a model is asked about it."""

    def __init__(self, table: Table, facts: TableFacts, model: str) -> None:
        self.name = (table.schema, table.name)
        self._table = table
        self._questions = questions_about(table, facts)
        self.content_hash = content_hash(model, self._questions)
        # Of a wide table each answer is kept by itself until all are there.
        self._parts = [content_hash(model, [question]) for question in self._questions]

    def answer(
        self, connection_id: str, turns: Turns, store: DescriptionStore
    ) -> Mapping[str, str]:
        """The descriptions, which are kept.

        Raises MalformedAnswer if one is malformed twice, GivenUp, the errors of model and store.
        """
        is_wide = len(self._questions) > 1
        kept = store.parts_of_model(connection_id, self.name) if is_wide else {}
        texts: dict[str, str] = {}
        for question, part in zip(self._questions, self._parts, strict=True):
            found = kept.get(part)
            if found is None:
                found = self._answer_to(question, turns)
                # What the table is has been said in the first answer, maybe more than it was asked.
                found = {column: text for column, text in found.items() if column not in texts}
                if is_wide:
                    store.keep_part(connection_id, self.name, ModelAnswer(part, found), self._parts)
            texts |= found
        store.keep_answer(connection_id, self.name, ModelAnswer(self.content_hash, texts))
        return texts

    def _answer_to(self, question: str, turns: Turns) -> dict[str, str]:
        try:
            return descriptions_in(turns.ask(question), self._table)
        except MalformedAnswer:
            # At temperature 0 the same words get the same answer, so they are not the same.
            again = (
                f"{question}\nYour last answer was not that JSON object. Answer with it alone.\n"
            )
            return descriptions_in(turns.ask(again), self._table)


def _ask_all(
    connection_id: str,
    inquiries: list[_Inquiry],
    turns: Turns,
    store: DescriptionStore,
    described: Described,
) -> None:
    failures = malformed = 0
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="describing") as threads:
        futures = {
            threads.submit(inquiry.answer, connection_id, turns, store): inquiry
            for inquiry in inquiries
        }
        try:
            for future in as_completed(futures):
                try:
                    described.texts[futures[future].name] = future.result()
                except GivenUp:
                    continue
                except MalformedAnswer:
                    described.malformed += 1
                    malformed += 1
                    if malformed == _MALFORMED_IN_A_ROW:
                        turns.end(
                            f"After {malformed} tables in a row without an answer of use the "
                            "language model was not asked about the others."
                        )
                except MetadataFailure:
                    raise
                except TwdError as error:
                    described.problem = str(error)
                    failures += 1
                    if isinstance(error, ModelUnavailable) or failures >= _FAILURES_IN_A_ROW:
                        turns.end()
                    continue
                else:
                    described.answered += 1
                    malformed = 0
                failures = 0
        finally:
            # What goes wrong here must not wait for a thousand questions.
            turns.end()
    described.problem = " ".join(filter(None, (described.problem, turns.problem)))
