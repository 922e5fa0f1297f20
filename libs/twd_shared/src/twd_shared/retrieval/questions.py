"""Labelled questions, and how they are made from names and foreign keys of a schema.

Pure and deterministic: the same schema gives the same questions. Made questions ask
for a table by its own words; they measure plumbing, users' questions measure quality.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.schema_model.models import Snapshot, Table
from twd_shared.schema_model.wording import words

Language = Literal["en", "vi"]
Origin = Literal["user", "generated"]

MOST_GENERATED = 200
# Letters that English texts do not use and Vietnamese ones can hardly avoid.
_VIETNAMESE = re.compile(r"[ăâđêôơưàáãèéìíòóõùúýĩũ\u1ea0-\u1ef9]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LabelledQuestion:
    """A question with the labels of the tables that answer it; `sql` if a user gave it.

    `others` are further sets of tables of which each answers it as well: schemas that hold the same
    tables are asked in the same words.
    """

    text: str
    tables: frozenset[str]
    origin: Origin
    language: Language
    sql: str | None = None
    others: frozenset[frozenset[str]] = frozenset()

    @property
    def answers(self) -> frozenset[frozenset[str]]:
        """All sets of tables that answer it."""
        return self.others | {self.tables}


def language_of(question: str) -> Language:
    """Vietnamese if its letters say so; without accents it passes for English."""
    composed = unicodedata.normalize("NFC", question)
    return "vi" if _VIETNAMESE.search(composed) else "en"


def generated_questions(snapshot: Snapshot, most: int = MOST_GENERATED) -> list[LabelledQuestion]:
    """English and Vietnamese questions on tables, columns and foreign keys, `most` at most.

    Each text is asked once, whichever of its tables answers it. Of more, those with the smallest
    hash stay: a fixed sample over the whole schema.
    """
    labels = {table.label for table in snapshot.tables}
    made: defaultdict[str, list[LabelledQuestion]] = defaultdict(list)
    for table in snapshot.tables:
        for question in (*_on_table(table), *_on_relationships(table, labels)):
            made[question.text].append(question)
    return [_as_one(made[text]) for text in sorted(made, key=steady_order)[:most]]


def question_set_hash(questions: Sequence[LabelledQuestion]) -> str:
    """Hash of the questions with their tables; their order does not matter."""
    return content_fingerprint(
        part
        for question in sorted(questions, key=lambda one: (one.text, sorted(one.tables)))
        for part in _hashed(question)
    )


def _hashed(question: LabelledQuestion) -> Iterator[str]:
    yield from (question.text, question.origin, *sorted(question.tables))
    if question.sql is not None:
        # Scores of before, when a pair in other letters gave the answer away, do not compare.
        yield "asked as if no pair said its SQL"
    for tables in sorted(map(sorted, question.others)):
        yield from ("or", *tables)


def _as_one(same: Sequence[LabelledQuestion]) -> LabelledQuestion:
    """One question of those with the same text."""
    answers = {question.tables for question in same}
    first = min(answers, key=sorted)
    return replace(same[0], tables=first, others=frozenset(answers - {first}))


def _on_table(table: Table) -> list[LabelledQuestion]:
    thing = words(table.name)
    gold = frozenset({table.label})
    questions = [
        LabelledQuestion(f"How many {thing} records are there?", gold, "generated", "en"),
        LabelledQuestion(f"Có bao nhiêu bản ghi {thing}?", gold, "generated", "vi"),
    ]
    in_keys = {name for key in table.foreign_keys for name in key.columns}
    in_keys.update(table.primary_key.columns if table.primary_key else ())
    # The longest name says most; names of keys stand in many tables.
    own = [column.name for column in table.columns if column.name not in in_keys]
    if own:
        column = words(max(own, key=lambda name: (len(name), name)))
        questions += [
            LabelledQuestion(f"List the {column} of each {thing}.", gold, "generated", "en"),
            LabelledQuestion(f"Liệt kê {column} của từng {thing}.", gold, "generated", "vi"),
        ]
    return questions


def _on_relationships(table: Table, labels: set[str]) -> list[LabelledQuestion]:
    questions: list[LabelledQuestion] = []
    thing = words(table.name)
    for key in table.foreign_keys:
        target = f"{key.referenced_schema}.{key.referenced_table}"
        if target not in labels:
            continue
        other = words(key.referenced_table)
        gold = frozenset({table.label, target})
        questions += [
            LabelledQuestion(
                f"Show each {thing} together with its {other}.", gold, "generated", "en"
            ),
            LabelledQuestion(f"Cho biết {thing} theo từng {other}.", gold, "generated", "vi"),
        ]
    return questions


def steady_order(text: str) -> bytes:
    """A key by which texts are drawn at random, and the same ones each time."""
    return hashlib.sha256(text.encode()).digest()
