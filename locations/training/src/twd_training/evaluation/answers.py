"""The SQL in a language model's answer, and whether it may be run. Pure.

What a model writes was suggested by texts of strangers: comments, documentation, pairs. It is run
only if it is one query that reads; the source's own read-only transaction comes on top of that.
"""

from __future__ import annotations

import re

from sqlglot import exp
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import TokenType

from twd_shared.sql.parsing import dialect_of, parsed, unfenced
from twd_shared.sql.writing import only_reads
from twd_training.evaluation.outcomes import Compared

NOT_PARSED = "it does not parse, and was not run"
SEVERAL = "it is more than one statement"
NOT_A_QUERY = "it is no query that only reads"

_ROWS = (exp.Query, exp.Values)
# By what a statement begins, behind brackets and comments; anything else is prose.
_STATEMENT = re.compile(
    r"""(?:[\s(;] | --[^\n]*\n | /\*[^*]*(?:\*(?!/)[^*]*)*\*/)*
    (?:select|with|values|table|explain|show|insert|update|delete|merge|create|drop|alter|truncate
      |copy|do|call|set|reset|grant|revoke|begin|start|commit|rollback|lock|vacuum|analyze|listen
      |notify|prepare|execute|declare|refresh|reindex|cluster|comment|security)\b""",
    re.IGNORECASE | re.VERBOSE,
)


def sql_in(answer: str) -> str:
    """The SQL of an answer, without fence."""
    text = unfenced(answer).replace("\0", " ").strip()
    # JSON can hold half of a surrogate pair, which neither database can.
    return text.encode("utf-8", "replace").decode()


def refusal(sql: str, db_type: str) -> Compared | None:
    """What is to be said of SQL that is not run; None = it is one query that only reads."""
    if not _STATEMENT.match(sql):
        return Compared("no_sql", "the answer holds no SQL")
    statements = parsed(sql, db_type)
    if not statements:
        return Compared("failed", NOT_PARSED)
    if len(statements) > 1:
        return Compared("refused", SEVERAL)
    if not isinstance(statements[0], _ROWS) or not only_reads(statements, db_type):
        return Compared("refused", NOT_A_QUERY)
    return None


def is_ordered(sql: str, db_type: str) -> bool:
    """Whether the order of a query's rows is asked for: an ORDER BY at its top."""
    statements = parsed(sql, db_type)
    if not statements:
        return False
    top = statements[0]
    return (top.unnest() if isinstance(top, exp.Subquery) else top).args.get("order") is not None


def without_end(sql: str, db_type: str) -> str:
    """A single statement without the semicolon and the comments behind it, to stand in another."""
    try:
        tokens = dialect_of(db_type).tokenize(sql)
    except TokenError:
        return sql
    ends = [token.end for token in tokens if token.token_type != TokenType.SEMICOLON]
    return sql[: ends[-1] + 1] if ends else sql
