"""From a text of SQL to statements, whatever its quality: rubbish gives nothing, no exception.

The text may be a user's: nothing of it is logged. Nor may it stop the process: the parser recurses
natively, where too deep ends it, and tries some things twice, where each level doubles the time.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Set
from functools import cache

from sqlglot import Dialect, exp
from sqlglot.errors import ParseError
from sqlglot.tokenizer_core import Token, TokenType

from twd_shared.sql.postgresql import understood

LONGEST_SQL = 100_000
"""Characters; longer text is not parsed."""

_DIALECTS = {"postgresql": "postgres", "mysql": "mysql", "sqlite": "sqlite"}
TYPES_TRIED = ("", *_DIALECTS)
"""What a text of an unknown type is taken for, in turn; '' = the parser's own dialect."""

# What may hold the beginning or end of a comment in MySQL; comments that are run, hints to the
# optimizer, and two minus signs that are no comment because no blank follows.
_OF_MYSQL = re.compile(r"/\*(?:M?!|\+)|--(?!\s|\Z)")
_COMMENT_OF_MYSQL = re.compile(r"/\*(?:M?!|\+)")
# A hint that ends for all servers at the same place: to some it is a comment that may hold others,
# to some a quote in it hides its end.
_MYSQL_PIECES = re.compile(
    r"""
    '(?:[^'\\]|\\.|'')*(?:'(?!')|\\?\Z) | "(?:[^"\\]|\\.|"")*(?:"(?!")|\\?\Z) | `[^`]*(?:`|\Z)
    | \#[^\n]* | --(?=\s|\Z)[^\n]* | (?P<minus>--)
    | (?P<hint>
        /\*\+(?:[^'"`*/]|\*(?!/)|/(?!\*)|'[^'*/]*'|"[^"*/]*"|`[^`*/]*`)*+\*/
      | /\*\+(?:[^*/]|\*(?!/)|/(?!\*))*+\*/(?!.*?\*/)
      )
    | (?P<open>/\*M?!(?:\d{5,6})?) | /\*.*?(?:\*/|\Z) | (?P<close>\*/)
    """,
    re.DOTALL | re.VERBOSE,
)
_FENCE = "```"
# What may stand behind a fence and is no SQL: any word on a line of its own, or a language's name.
_LANGUAGE_LINE = re.compile(r"[ \t]*\w*[ \t]*\r?\n")
_LANGUAGE = re.compile(r"[ \t]*(?:sql|postgresql|postgres|psql|mysql|sqlite)(?=\s)", re.IGNORECASE)

# Its warnings hold the statement in full.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

# What people and models write nests a few levels, and joins without ON a few tables at once.
_DEEPEST = 200
_MOST_GUESSES = 10
_MOST_SUBSCRIPTS = 20
_MOST_LAMBDAS = 100
_MOST_DESCRIBED = 10

_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END})
_NEXT_CLAUSE = frozenset({TokenType.SELECT, TokenType.WHERE, TokenType.SEMICOLON})
# What ends a guess that JOIN began.
_JOINED_BY = frozenset({TokenType.ON, TokenType.USING})
# All others change nothing: to look at each takes longer than to parse it.
_COUNTED = (
    _OPENING
    | _CLOSING
    | _NEXT_CLAUSE
    | _JOINED_BY
    | {TokenType.JOIN, TokenType.ARROW, TokenType.FROM}
)
# What never stands in SQL, and what the parser takes for the beginning of another query.
_NEVER = frozenset(
    {
        (TokenType.COMMA, TokenType.FROM),
        (TokenType.FROM, TokenType.FROM),
        (TokenType.JOIN, TokenType.SELECT),
    }
)


def unfenced(text: str) -> str:
    """What stands in the first fenced block of a model's answer; all of it if there is none."""
    start = text.find(_FENCE)
    if start < 0:
        return text
    start += len(_FENCE)
    end = text.find(_FENCE, start)
    inside = text[start:] if end < 0 else text[start:end]
    language = _LANGUAGE_LINE.match(inside) or _LANGUAGE.match(inside)
    return inside[language.end() if language else 0 :].strip()


def is_known(db_type: str) -> bool:
    """Whether the parser has a dialect of that database type."""
    return db_type in _DIALECTS


@cache
def dialect_of(db_type: str) -> Dialect:
    """The parser's dialect of that database type; its own if it has none."""
    return Dialect.get_or_raise(_DIALECTS.get(db_type))


def parsed(sql: str, db_type: str) -> list[exp.Expr] | None:
    """The statements in `sql`, in the dialect of that database type; None if it does not parse."""
    if len(sql) > LONGEST_SQL:
        return None
    try:
        return statements_in(sql, db_type)
    except Exception:
        # Not only SqlglotError: on rubbish the parser fails in ways of its own, with the SQL in
        # the message.
        return None


def parsed_in_any(sql: str, db_type: str) -> tuple[str, list[exp.Expr] | None]:
    """The database type that the text was taken for, and its statements as `parsed` gives them.

    That is `db_type`; where it is none that is known, the first whose dialect the text is in:
    nothing is wrong with a backtick as long as the database may be MySQL.
    """
    if is_known(db_type):
        return db_type, parsed(sql, db_type)
    text = of_unknown_type(sql)
    for other in TYPES_TRIED:
        if (statements := parsed(text, other)) is not None:
            return other or db_type, statements
    return db_type, None


def of_unknown_type(sql: str) -> str:
    """The text as a server reads it that may be of any type.

    What MySQL alone runs is seen in whatever dialect the text is then taken for.
    """
    return readable(sql, "")


def statements_in(sql: str, db_type: str) -> list[exp.Expr]:
    """The statements in `sql`, in the dialect of that database type.

    Raises RecursionError where parsing could overflow the stack or take as good as for ever, and
    whatever the parser raises: its messages hold the SQL.
    """
    text = readable(sql, db_type)
    dialect = dialect_of(db_type)
    tokens = dialect.tokenize(text)
    for token in tokens if "`" in text or "/*+" in text else ():
        # A backtick that quotes nothing here: the parser would say so only when it comes to it. And
        # a hint that is still there ends elsewhere for another server, which may run more.
        is_backtick = token.token_type == TokenType.UNKNOWN and token.text == "`"
        if is_backtick or token.token_type == TokenType.HINT:
            description = "Invalid expression / Unexpected token"
            raise ParseError.new(description, description=description, line=token.line)
    parser = dialect.parser()
    if _is_bottomless(tokens, parser.TYPE_TOKENS):
        raise RecursionError
    aliases: dict[int, Token] = {}
    if db_type == "postgresql":
        tokens, aliases = understood(tokens, text)
    found = [
        item
        for item in parser.parse(tokens, text)
        # To the parser, a comment behind `;` is a statement too.
        if item is not None and not isinstance(item, exp.Semicolon)
    ]
    if aliases:
        _name_joins(found, aliases)
    return found


def _name_joins(statements: Iterable[exp.Expr], aliases: Mapping[int, Token]) -> None:
    """Note what USING (…) AS calls its columns at its join, as `using_alias`."""
    for join in (join for statement in statements for join in statement.find_all(exp.Join)):
        using = join.args.get("using")
        alias = aliases.get(using[-1].meta.get("start", -1)) if using else None
        if alias is not None:
            is_quoted = alias.token_type == TokenType.IDENTIFIER
            join.set("using_alias", exp.to_identifier(alias.text, quoted=is_quoted))


def readable(sql: str, db_type: str) -> str:
    """The text as its server reads it, where the parser would not; each word where it stood."""
    # A lone return ends a comment: what stands behind it is run.
    text = sql.replace("\r", "\n")
    if db_type == "mysql":
        met = _OF_MYSQL
    elif is_known(db_type):
        return text
    else:
        # It may be MySQL. Two minus signs begin a comment in all others.
        met = _COMMENT_OF_MYSQL
    return _as_mysql_reads(text) if met.search(text) else text


def _as_mysql_reads(sql: str) -> str:
    """The text without what MySQL alone takes for no comment: /*! */ is run, and so is --1.

    What a hint says, /*+ */, changes no result: it is blank.
    """
    is_open = False

    def blank(piece: re.Match[str]) -> str:
        nonlocal is_open
        if piece["minus"]:
            return "-+"
        if piece["hint"] is not None:
            return " " * len(piece[0])
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
    guesses = subscripts = lambdas = described = 0
    before = TokenType.SEMICOLON
    for token in tokens:
        kind = token.token_type
        if kind not in _COUNTED:
            before = kind
            continue
        if kind in _OPENING:
            around.append(guesses)
            guesses += before in guessing
            is_subscript = kind == TokenType.L_BRACKET and before == TokenType.R_BRACKET
            subscripts = subscripts + 1 if is_subscript else 0
        elif kind in _CLOSING:
            guesses = around.pop() if around else 0
        elif kind == TokenType.JOIN:
            guesses += before != TokenType.CROSS
        elif kind in _JOINED_BY:
            guesses = max(guesses - 1, around[-1] if around else 0)
        elif kind in _NEXT_CLAUSE:
            guesses = around[-1] if around else 0
        elif kind == TokenType.ARROW:
            lambdas += before == TokenType.R_PAREN
        elif kind == TokenType.FROM:
            # What is described may be a query; it may be the name of a column, too.
            described += before == TokenType.DESCRIBE
        if (before, kind) in _NEVER or len(around) > _DEEPEST or guesses > _MOST_GUESSES:
            return True
        if subscripts > _MOST_SUBSCRIPTS or lambdas > _MOST_LAMBDAS:
            return True
        if described > _MOST_DESCRIBED:
            return True
        before = kind
    return False
