"""Whether SQLite's grammar takes a query: asked of the library that Python has, of no database.

The parser of this library takes some texts that SQLite does not, such as `extract(year from …)` and
`total::int`. A query is parsed as that of a view, and the view is not made: so nothing is run, no
name is looked for, and a query over a query over a query costs no more than it is long.
https://sqlite.org/lang_createview.html
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import TokenType

from twd_shared.sql.parsing import LONGEST_SQL, dialect_of

_AS_A_VIEW = "explain create temp view asked as\n"
_REFUSAL = re.compile(r'near ".*": syntax error|unrecognized token: |incomplete input', re.DOTALL)
# The database may be of a newer release than this library: in aggregates ORDER BY is of 3.44, and
# underscores between digits are of 3.46.
_NEWER = re.compile(r'near "order"|unrecognized token: "[\w.]*\d_', re.IGNORECASE)
# How SQLite's other statements begin. What can be no view is not asked of.
_NO_QUERIES = frozenset(
    """alter analyze attach begin commit create delete detach drop end explain insert pragma reindex
    release replace rollback savepoint update vacuum""".split()
)
_WRITES = frozenset({"delete", "insert", "replace", "update"})
_DEPTHS = {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}


def refused_by_sqlite(statements: Sequence[str]) -> set[int]:
    """The places of the texts that hold a query that is none of SQLite's; a text may hold several.

    Writes and statements of other kinds are not refused.
    """
    with closing(sqlite3.connect(":memory:")) as database:
        return {
            place
            for place, text in enumerate(statements)
            if any(_refuses(database, query) for query in _queries_in(text))
        }


def _refuses(database: sqlite3.Connection, query: str) -> bool:
    try:
        database.execute(_AS_A_VIEW + query)
    except (sqlite3.Error, ValueError) as error:
        # A ValueError is one of text that cannot be sent.
        said = str(error)
        return _REFUSAL.match(said) is not None and _NEWER.match(said) is None
    return False


def _queries_in(text: str) -> Iterator[str]:
    """Each statement of the text that begins as no other than a query; none of too long a text."""
    if len(text) > LONGEST_SQL:
        return
    try:
        tokens = dialect_of("sqlite").tokenize(text)
    except TokenError:
        return
    depth = 0
    start: int | None = None
    words: list[str] = []
    for token in tokens:
        if token.token_type == TokenType.SEMICOLON:
            if start is not None and _may_be_query(words):
                yield text[start : token.start]
            start, words, depth = None, [], 0
            continue
        depth += _DEPTHS.get(token.token_type, 0)
        start = token.start if start is None else start
        if depth == 0:
            words.append(token.text.lower())
    if start is not None and _may_be_query(words):
        yield text[start : tokens[-1].end + 1]


def _may_be_query(words: Sequence[str]) -> bool:
    """Whether a statement of these words, those between brackets apart, is none of another kind."""
    if not words or words[0] == "with":
        return _WRITES.isdisjoint(words)
    return words[0].partition(" ")[0] not in _NO_QUERIES
