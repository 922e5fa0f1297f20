"""What came of a question: the SQL of the assistant, what the source database said, as data.

Belongs here: deriving the right and the typically wrong SQL of a question, and running both on
the real source database, so that results and error texts are the database's own. Not here: who
asks when (`messages.py`), outcomes without a database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache

import psycopg2

from twd_local.application.questions import Corpus, Question

ANSWERED = "answered"
SYNTAX_ERROR = "syntax error"
UNKNOWN_COLUMN = "unknown column"
UNKNOWN_TABLE = "unknown table"
TYPE_ERROR = "type error"
AMBIGUOUS_COLUMN = "ambiguous column"
NOT_SQL = "not sql"
TIMEOUT = "timeout"
NO_SQL = "no sql"
# The only kind of a question that asks for what the application does not do.
REFUSED = "refused"
# Other SQL that runs: a statement more, and what is asked next about the same rows.
TWO_STATEMENTS = "two statements"
FIRST_ROWS = "first rows"
COUNTED = "counted"

STATEMENT_TIMEOUT_MS = 30_000
_ROWS_KEPT = 3
# Columns that a language model likes to assume; none of the sample schemas has them.
_ASSUMED_COLUMNS = ("status_code", "full_name", "total_amount", "deleted_at")
# Calls and literals of types that PostgreSQL, unlike its peers, does not convert by itself.
_MISTYPED = (
    "round(random(), 2) AS share",
    "upper(2024) AS label",
    "'n/a'::numeric AS rate",
    "date_trunc('month', 202401) AS period",
    "'2024-02-30'::date AS since",
)
# What a language model writes where its SQL should stand.
_NOT_SQL = (
    "I need to know which table you mean.",
    "Sorry, the schema does not contain this information.",
    "Bạn muốn xem theo tháng hay theo năm?",
    "Here is the query you asked for:",
)
# The text is PostgreSQL's; waiting for a real timeout would cost half a minute a question.
_TIMEOUT_ERROR = "canceling statement due to statement timeout"


class SourceUnreachable(RuntimeError):
    """A sample database could not be read; the message names it and the remedy."""


@dataclass(frozen=True)
class Outcome:
    """The assistant's SQL with its result (JSON text) or its error; neither without SQL."""

    kind: str
    sql: str | None = None
    result: str | None = None
    error: str | None = None


Outcomes = Mapping[str, Outcome]


def broken_variants(question: Question) -> dict[str, str]:
    """Kind of error → the question's SQL with that error in it; without those it cannot have."""
    sql, pick = question.sql, len(question.sql)
    broken = {
        SYNTAX_ERROR: sql.replace(" FROM ", " FORM ", 1),
        UNKNOWN_COLUMN: _with_column(sql, _ASSUMED_COLUMNS[pick % len(_ASSUMED_COLUMNS)]),
        UNKNOWN_TABLE: re.sub(r" FROM (\w+)", r" FROM tbl_\1", sql, count=1),
        TYPE_ERROR: _with_column(sql, _MISTYPED[pick % len(_MISTYPED)]),
        NOT_SQL: _NOT_SQL[pick % len(_NOT_SQL)],
    }
    if shared := re.search(r" ON \w+\.(\w+) = \w+\.\1\b", sql):
        at = sql.rindex("SELECT ", 0, shared.start())
        broken[AMBIGUOUS_COLUMN] = sql[:at] + _with_column(sql[at:], shared[1])
    return broken


def running_variants(question: Question) -> dict[str, str]:
    """Kind → other SQL about the rows of the question's own."""
    within = f"FROM ({question.sql}) AS answer"
    return {
        TWO_STATEMENTS: f"SET search_path TO public; {question.sql}",
        FIRST_ROWS: f"SELECT * {within} LIMIT 5",
        COUNTED: f"SELECT count(*) AS rows {within}",
    }


def usual_kind(question: Question) -> str:
    """REFUSED if its SQL writes, or reads what only the server's owner may; else ANSWERED."""
    may_run = question.sql.startswith(("SELECT", "WITH")) and "pg_authid" not in question.sql
    return ANSWERED if may_run else REFUSED


def statements(question: Question) -> dict[str, str]:
    """Kind → SQL, of all kinds that the source database is asked for."""
    if usual_kind(question) == REFUSED:
        return {REFUSED: question.sql}
    return {ANSWERED: question.sql, **broken_variants(question), **running_variants(question)}


def unasked(question: Question) -> dict[str, Outcome]:
    """Outcomes of a question that need no database to be known."""
    if usual_kind(question) == REFUSED:
        return {NO_SQL: Outcome(NO_SQL)}
    timeout = Outcome(TIMEOUT, question.sql, error=_TIMEOUT_ERROR)
    return {TIMEOUT: timeout, NO_SQL: Outcome(NO_SQL)}


def observe(
    corpus: Corpus, dsn: str, questions: Sequence[Question] | None = None
) -> dict[Question, Outcomes]:
    """Run the SQL of questions, right and wrong, on the source database (read only).

    `questions` are the corpus's own if None. Raises: SourceUnreachable when the database cannot
    be connected to.
    """
    try:
        connection = psycopg2.connect(dsn, connect_timeout=5)
    except psycopg2.OperationalError as error:
        raise SourceUnreachable(
            f"the sample database {corpus.database!r} cannot be read ({type(error).__name__}): "
            "start it, or register a working connection string for it, and seed again"
        ) from None
    with closing(connection):
        connection.set_session(readonly=True, autocommit=True)
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = %s", (STATEMENT_TIMEOUT_MS,))

        @cache
        def run(kind: str, sql: str) -> Outcome:
            with connection.cursor() as cursor:
                try:
                    cursor.execute(sql)
                except psycopg2.Error as error:
                    message = error.diag.message_primary or type(error).__name__
                    return Outcome(kind, sql, error=message)
                rows = cursor.fetchmany(_ROWS_KEPT)
                columns = [column.name for column in cursor.description or ()]
                result = {"columns": columns, "row_count": cursor.rowcount, "rows": rows}
                return Outcome(kind, sql, json.dumps(result, default=str, ensure_ascii=False))

        asked = corpus.questions if questions is None else questions
        return {
            question: {
                **{kind: run(kind, sql) for kind, sql in statements(question).items()},
                **unasked(question),
            }
            for question in asked
        }


def _with_column(sql: str, column: str) -> str:
    return re.sub(r"SELECT (DISTINCT (ON \(\w+\) )?)?", rf"\g<0>{column}, ", sql, count=1)
