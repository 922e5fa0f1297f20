"""Outcomes without a database, made up: for volume, where the sources need not run.

Results have the columns that the SQL names and invented rows; error texts are PostgreSQL's with
the names of the SQL. What is shown to people comes from `outcomes.observe` instead.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from zlib import crc32

from twd_local.application import outcomes
from twd_local.application.outcomes import Outcome, Outcomes
from twd_local.application.questions import Question

_EMPTY_SHARE = 0.06
_MOST_ROWS = 400
_ROWS_KEPT = 3
_WORDS = ("Hà Nội", "PENELOPE", "Rock", "Chai", "Ernst Handel", "2022-05-14", "N/A", "Côte d'Or")
# Kind → where the SQL has the name at fault, and what PostgreSQL says of it.
_ERRORS = {
    outcomes.SYNTAX_ERROR: (r" FORM (\w+)", 'syntax error at or near "{}"'),
    outcomes.UNKNOWN_COLUMN: (r"(\w+),", 'column "{}" does not exist'),
    outcomes.UNKNOWN_TABLE: (r" FROM (tbl_\w+)", 'relation "{}" does not exist'),
    outcomes.AMBIGUOUS_COLUMN: (
        r" ON \w+\.(\w+) = \w+\.\1\b",
        'column reference "{}" is ambiguous',
    ),
    outcomes.NOT_SQL: (r"(\w+)", 'syntax error at or near "{}"'),
}
_TYPE_ERRORS = {
    "round(": "function round(double precision, integer) does not exist",
    "upper(": "function upper(integer) does not exist",
    "'n/a'": 'invalid input syntax for type numeric: "n/a"',
    "date_trunc(": "function date_trunc(unknown, integer) does not exist",
    "'2024-02-30'": 'date/time field value out of range: "2024-02-30"',
}


class ImaginedOutcomes(Mapping[Question, Outcomes]):
    """Outcomes of questions, made when they are looked up."""

    def __init__(self, questions: Sequence[Question]) -> None:
        """Outcomes of `questions`, in their order."""
        self._questions = dict.fromkeys(questions)
        self._made: dict[Question, _OfQuestion] = {}

    def __getitem__(self, question: Question) -> Outcomes:
        made = self._made.get(question)
        if made is None:
            made = self._made[question] = _OfQuestion(question)
        return made

    def __iter__(self) -> Iterator[Question]:
        return iter(self._questions)

    def __len__(self) -> int:
        return len(self._questions)


class _OfQuestion(Mapping[str, Outcome]):
    """One question's outcomes by kind. The usual one is made without the others' SQL."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._made = outcomes.unasked(question)

    @cached_property
    def _statements(self) -> Mapping[str, str]:
        return outcomes.statements(self._question)

    def __getitem__(self, kind: str) -> Outcome:
        made = self._made.get(kind)
        if made is None:
            usual = kind == outcomes.usual_kind(self._question)
            sql = self._question.sql if usual else self._statements[kind]
            made = self._made[kind] = imagined(kind, sql)
        return made

    def __iter__(self) -> Iterator[str]:
        return iter({**self._statements, **self._made})

    def __len__(self) -> int:
        return len({**self._statements, **self._made})


def imagined(kind: str, sql: str) -> Outcome:
    """What the source might have said to SQL of that kind."""
    error = _error(kind, sql)
    return Outcome(kind, sql, None if error else _result(sql), error)


def _error(kind: str, sql: str) -> str | None:
    if kind in _ERRORS:
        pattern, text = _ERRORS[kind]
        match = re.search(pattern, sql)
        return text.format(match[1] if match else "")
    if kind == outcomes.TYPE_ERROR:
        return next(text for sign, text in _TYPE_ERRORS.items() if sign in sql)
    if kind == outcomes.REFUSED:
        refused = "cannot execute {} in a read-only transaction".format(sql.partition(" ")[0])
        return "permission denied for table pg_authid" if "pg_authid" in sql else refused
    return None


def _result(sql: str) -> str:
    draw = random.Random(crc32(sql.encode()))
    columns = re.findall(r" AS (\w+)", sql.partition(" FROM ")[0]) or ["name", "value"]
    count = 0 if draw.random() < _EMPTY_SHARE else 1 + int(draw.random() ** 3 * _MOST_ROWS)
    rows = [
        [draw.choice(_WORDS) if draw.random() < 0.5 else draw.randrange(10_000) for _ in columns]
        for _ in range(min(count, _ROWS_KEPT))
    ]
    found = {"columns": columns, "row_count": count, "rows": rows}
    return json.dumps(found, ensure_ascii=False)
