"""What came of a question: the SQL of the assistant, what the source database said, as data.

Belongs here: deriving the right and the typically wrong SQL of a question, and running both on
the real source database, so that results and error texts are the database's own. Not here: who
asks when (`messages.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

import psycopg2

from twd_local.application.questions import Corpus, Question

SYNTAX_ERROR = "syntax error"
UNKNOWN_COLUMN = "unknown column"
UNKNOWN_TABLE = "unknown table"
TIMEOUT = "timeout"
ANSWERED = "answered"
NO_SQL = "no sql"

STATEMENT_TIMEOUT_MS = 30_000
_ROWS_KEPT = 3
# Columns that a language model likes to assume; none of the sample schemas has them.
_ASSUMED_COLUMNS = ("status_code", "full_name", "total_amount", "deleted_at")
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
    """Kind of error → the question's SQL with that error in it."""
    assumed = _ASSUMED_COLUMNS[len(question.sql) % len(_ASSUMED_COLUMNS)]
    return {
        SYNTAX_ERROR: question.sql.replace(" FROM ", " FORM ", 1),
        UNKNOWN_COLUMN: re.sub(
            r"SELECT (DISTINCT (ON \(\w+\) )?)?", rf"\g<0>{assumed}, ", question.sql, count=1
        ),
        UNKNOWN_TABLE: re.sub(r" FROM (\w+)", r" FROM tbl_\1", question.sql, count=1),
    }


def observe(corpus: Corpus, dsn: str) -> dict[Question, Outcomes]:
    """Run every question's SQL, right and wrong, on the source database (read only).

    Raises: SourceUnreachable when the database cannot be connected to.
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

        return {
            question: {
                ANSWERED: run(ANSWERED, question.sql),
                **{kind: run(kind, sql) for kind, sql in broken_variants(question).items()},
                TIMEOUT: Outcome(TIMEOUT, question.sql, error=_TIMEOUT_ERROR),
                NO_SQL: Outcome(NO_SQL),
            }
            for question in corpus.questions
        }
