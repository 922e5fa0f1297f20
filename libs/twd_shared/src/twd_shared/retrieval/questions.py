"""Labelled questions, and how they are made from names and foreign keys of a schema.

Pure and deterministic: the same schema gives the same questions. Made questions ask
for a table by its own words; they measure plumbing, users' questions measure quality.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
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
    """A question with the labels of the tables that answer it; `sql` if a user gave it."""

    text: str
    tables: frozenset[str]
    origin: Origin
    language: Language
    sql: str | None = None


def language_of(question: str) -> Language:
    """Vietnamese if its letters say so; without accents it passes for English."""
    composed = unicodedata.normalize("NFC", question)
    return "vi" if _VIETNAMESE.search(composed) else "en"


def generated_questions(snapshot: Snapshot, most: int = MOST_GENERATED) -> list[LabelledQuestion]:
    """English and Vietnamese questions on tables, columns and foreign keys, `most` at most.

    Of more, those with the smallest hash stay: a fixed sample over the whole schema.
    """
    labels = {table.label for table in snapshot.tables}
    made = {
        question.text: question
        for table in snapshot.tables
        for question in (*_on_table(table), *_on_relationships(table, labels))
    }
    return sorted(made.values(), key=lambda question: steady_order(question.text))[:most]


def question_set_hash(questions: Sequence[LabelledQuestion]) -> str:
    """Hash of the questions with their tables; their order does not matter."""
    return content_fingerprint(
        part
        for question in sorted(questions, key=lambda one: (one.text, sorted(one.tables)))
        for part in (question.text, question.origin, *sorted(question.tables))
    )


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
