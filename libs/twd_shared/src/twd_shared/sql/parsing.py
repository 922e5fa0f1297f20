"""From a text of SQL to statements, whatever its quality: rubbish gives nothing, no exception.

The text may be a user's: nothing of it is logged. Nor may it stop the process: the parser recurses
natively, where too deep ends it, and tries some things twice, where each level doubles the time.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Set

from sqlglot import Dialect, exp
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

LONGEST_SQL = 100_000
"""Characters; longer text is not parsed."""

_DIALECTS = {"postgresql": "postgres", "mysql": "mysql", "sqlite": "sqlite"}
# What may hold the beginning or end of a comment in MySQL, and comments that are run.
_EXECUTED = re.compile(r"/\*M?!")
_MYSQL_PIECES = re.compile(
    r"""
    '(?:[^'\\]|\\.|'')*+(?:'|\\?\Z) | "(?:[^"\\]|\\.|"")*+(?:"|\\?\Z) | `[^`]*+(?:`|\Z)
    | \#[^\n]* | --(?=\s|\Z)[^\n]*
    | (?P<open>/\*M?!(?:\d{5,6})?) | /\*.*?(?:\*/|\Z) | (?P<close>\*/)
    """,
    re.DOTALL | re.VERBOSE,
)
_FENCED = re.compile(r"```[ \t]*\w*\s*(.*?)\s*(?:```|\Z)", re.DOTALL)

# Its warnings hold the statement in full.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

# What people and models write nests a few levels, and joins without ON a few tables at once.
_DEEPEST = 200
_MOST_GUESSES = 10
_MOST_SUBSCRIPTS = 20
_MOST_LAMBDAS = 100

_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END})


def unfenced(text: str) -> str:
    """What stands in the first fenced block of a model's answer; all of it if there is none."""
    fenced = _FENCED.search(text)
    return fenced.group(1) if fenced else text


def parser_dialect(db_type: str) -> str | None:
    """What sqlglot calls the dialect of that database type; None = its own."""
    return _DIALECTS.get(db_type)


def is_bottomless(sql: str, db_type: str) -> bool:
    """Whether parsing the text could overflow the stack, or take as good as for ever."""
    dialect = Dialect.get_or_raise(parser_dialect(db_type))
    try:
        return _is_bottomless(dialect.tokenize(sql), dialect.parser().TYPE_TOKENS)
    except TokenError:
        return False


def parsed(sql: str, db_type: str) -> list[exp.Expr] | None:
    """The statements in `sql`, in the dialect of that database type; None if it does not parse."""
    if len(sql) > LONGEST_SQL:
        return None
    if db_type == "mysql" and _EXECUTED.search(sql):
        sql = _with_executed_comments(sql)
    dialect = Dialect.get_or_raise(parser_dialect(db_type))
    try:
        tokens = dialect.tokenize(sql)
        if _is_bottomless(tokens, dialect.parser().TYPE_TOKENS):
            return None
        return [item for item in dialect.parser().parse(tokens, sql) if item is not None]
    except Exception:
        # Not only SqlglotError: on rubbish the parser fails in ways of its own, with the SQL in
        # the message.
        return None


def _with_executed_comments(sql: str) -> str:
    """The text as MySQL reads it, which runs what stands in /*! */: each word where it stood."""
    is_open = False

    def blank(piece: re.Match[str]) -> str:
        nonlocal is_open
        is_mark = piece["open"] is not None or (is_open and piece["close"] is not None)
        if is_mark:
            is_open = piece["open"] is not None
        return " " * len(piece[0]) if is_mark else piece[0]

    return _MYSQL_PIECES.sub(blank, sql)


def _is_bottomless(tokens: Iterable[Token], guessing: Set[TokenType]) -> bool:
    """Whether parsing could overflow the stack, or take as good as for ever.

    A guess is what the parser tries one way and then another: a JOIN whose ON has not come yet, a
    bracket after the name of a type.
    """
    # Guesses that are open, for each bracket that is open.
    around: list[int] = []
    guesses = subscripts = lambdas = 0
    before = TokenType.SEMICOLON
    for token in tokens:
        kind = token.token_type
        if kind in _OPENING:
            around.append(guesses)
            guesses += before in guessing
            is_subscript = kind == TokenType.L_BRACKET and before == TokenType.R_BRACKET
            subscripts = subscripts + 1 if is_subscript else 0
        elif kind in _CLOSING:
            guesses = around.pop() if around else 0
        elif kind == TokenType.JOIN:
            guesses += before != TokenType.CROSS
        elif kind in (TokenType.ON, TokenType.USING):
            guesses = max(guesses - 1, around[-1] if around else 0)
        elif kind in (TokenType.SELECT, TokenType.WHERE, TokenType.SEMICOLON):
            guesses = around[-1] if around else 0
        elif kind == TokenType.ARROW:
            lambdas += before == TokenType.R_PAREN
        elif kind == TokenType.FROM and before == TokenType.COMMA:
            return True
        if len(around) > _DEEPEST or guesses > _MOST_GUESSES:
            return True
        if subscripts > _MOST_SUBSCRIPTS or lambdas > _MOST_LAMBDAS:
            return True
        before = kind
    return False
