"""SQL without literals, comments, case and layout: texts that differ in these alone are one text.

What is given is SQL itself, and says of its names and statements what the text said. Taken apart by
the dialect's own words, so that a quote in a comment, or the other way round, misleads nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Sequence

from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from twd_shared.sql.parsing import dialect_of, readable

STRING, NUMBER = "'x'", "1"
"""What stands in the place of a string, and of each row of digits in a number."""

_PLAIN_NUMBER = re.compile(r"[0-9.]+\Z")
_DIGITS = re.compile(r"[0-9]+")
# Servers differ in what else parts words, and so would whoever reads the text made of it.
_ODD_BLANK = re.compile(r"[^\S \t\n]|[\x00-\x08\x0b-\x1f\x7f]")
_ITEM = rf"(?:{STRING}|{NUMBER}(?:\.{NUMBER})?)"
LIST = rf"\bin \({_ITEM}(?:, {_ITEM})*\)"
"""A list of literals, however many; it is written as one."""
_LIST = re.compile(LIST)
# After these a string is a name, or part of what is said rather than a value.
_NAMING = frozenset({"as", "from", "join", "into", "update", "table", "interval", "uescape"})
_NAMES = frozenset({TokenType.VAR, TokenType.IDENTIFIER, TokenType.R_PAREN, TokenType.R_BRACKET})
_STRINGS = frozenset(
    {
        TokenType.STRING,
        TokenType.NATIONAL_STRING,
        TokenType.RAW_STRING,
        TokenType.UNICODE_STRING,
        TokenType.BYTE_STRING,
        TokenType.BIT_STRING,
        TokenType.HEX_STRING,
        TokenType.HEREDOC_STRING,
    }
)
# What a shape shows of literals.
_HIDDEN = {**dict.fromkeys(_STRINGS, "'?'"), TokenType.NUMBER: "?"}
# At the beginning of a statement: the tokenizer takes what stands behind them for one word.
_COMMANDS = frozenset(
    {
        TokenType.COMMAND,
        TokenType.EXECUTE,
        TokenType.FETCH,
        TokenType.LOCK,
        TokenType.SHOW,
        TokenType.RENAME,
        TokenType.REPLACE,
    }
)
_BEFORE_A_COMMAND = frozenset({TokenType.SEMICOLON, TokenType.BEGIN})
_TIGHT_BEFORE = frozenset({TokenType.R_PAREN, TokenType.COMMA})
# In a shape: what stands close to its neighbours, whatever gaps its text had.
_CLOSE_BEHIND = frozenset(
    {
        TokenType.L_PAREN,
        TokenType.L_BRACKET,
        TokenType.DOT,
        TokenType.DCOLON,
        TokenType.COLON,
        TokenType.PARAMETER,
    }
)
_CLOSE_BEFORE = frozenset(
    {
        TokenType.R_PAREN,
        TokenType.L_BRACKET,
        TokenType.R_BRACKET,
        TokenType.COMMA,
        TokenType.SEMICOLON,
        TokenType.DOT,
        TokenType.DCOLON,
    }
)
# A bracket behind a function's name, and a colon between the bounds of a slice.
_CLOSE_AT_TIMES = frozenset({TokenType.L_PAREN, TokenType.COLON})
_SUBSCRIPTS = {TokenType.L_BRACKET: 1, TokenType.R_BRACKET: -1}
_SHOWN_ITEM = r"(?:- )?(?:'\?'|\?)"
_SHOWN_LIST = re.compile(rf"\bin \({_SHOWN_ITEM}(?:, {_SHOWN_ITEM})*\)")
_QUOTES = ('"', "`", "[")


def canonical(sql: str, db_type: str) -> str:
    """The text as all texts that are alike are written; as it is if it cannot be taken apart.

    In the parser's own dialect if `db_type` is not known: see `undecided` for texts of any.
    """
    text = readable(sql, db_type)
    if _ODD_BLANK.search(text):
        return sql
    try:
        tokens = dialect_of(db_type).tokenize(text)
    except TokenError:
        return sql
    while tokens and tokens[-1].token_type == TokenType.SEMICOLON:
        tokens.pop()
    if _holds_command(tokens) or any(token.token_type == TokenType.HINT for token in tokens):
        return sql

    def word(token: Token, before: Token | None) -> str:
        return _word(token, before, text[token.start : token.end + 1], db_type)

    return _LIST.sub(f"in ({NUMBER})", _spaced(tokens, text, word))


def words_of(sql: str, db_type: str) -> tuple[str, ...]:
    """The words of a statement, which are equal for texts that say the same of the same values.

    Blanks, comments, the case of keywords and the semicolons at the end do not count. Its text
    alone if it cannot be taken apart.
    """
    try:
        tokens = dialect_of(db_type).tokenize(sql)
    except TokenError:
        return (sql,)
    while tokens and tokens[-1].token_type == TokenType.SEMICOLON:
        tokens.pop()
    return tuple(_as_said(token, sql[token.start : token.end + 1], db_type) for token in tokens)


def shape_of(sql: str, db_type: str, names: Container[str]) -> str:
    """What `canonical` gave, for people: no literal, and no quoted name but those in `names`.

    Texts of the same words have the same shape, however far apart they stand: a shape is read by
    nobody but people, to whom `a=1` and `a = 1` are one.
    '' if it cannot be taken apart: what it holds is not known then.
    """
    dialect = dialect_of(db_type)
    try:
        tokens = dialect.tokenize(sql)
    except TokenError:
        return ""
    called = dialect.parser_class.FUNC_TOKENS
    words: list[str] = []
    before = TokenType.L_PAREN
    subscripts = 0
    for token in tokens:
        kind = token.token_type
        subscripts += _SUBSCRIPTS.get(kind, 0)
        is_close = before in _CLOSE_BEHIND or kind in _CLOSE_BEFORE
        if not is_close and kind in _CLOSE_AT_TIMES:
            # In a slice of an array; elsewhere a colon begins a parameter.
            is_close = before in called if kind == TokenType.L_PAREN else subscripts > 0
        if not is_close:
            words.append(" ")
        words.append(_shown(token, sql[token.start : token.end + 1], names))
        before = kind
    return _SHOWN_LIST.sub("in (?)", "".join(words))


def _holds_command(tokens: Sequence[Token]) -> bool:
    """Whether a statement was not taken apart; FETCH FIRST and replace() stand in others too."""
    before = [TokenType.SEMICOLON, *(token.token_type for token in tokens)]
    return any(
        token.token_type in _COMMANDS and kind in _BEFORE_A_COMMAND
        for kind, token in zip(before, tokens, strict=False)
    )


def _spaced(tokens: Iterable[Token], text: str, word: Callable[[Token, Token | None], str]) -> str:
    """The words of `tokens`, each told with the token before it, and the gaps they need."""
    words: list[str] = []
    before: Token | None = None
    for token in tokens:
        if before is not None:
            words.append(_gap(before, token, text))
        words.append(word(token, before))
        before = token
    return "".join(words)


def _word(token: Token, before: Token | None, text: str, db_type: str) -> str:
    kind = token.token_type
    if kind == TokenType.STRING:
        is_value = text[:1] in ("'", '"') and _is_value(before, db_type)
        return STRING if is_value else text
    if kind == TokenType.NUMBER:
        # Digits by digits: 1.5.3 is not to become a number.
        return _DIGITS.sub(NUMBER, text) if _PLAIN_NUMBER.match(text) else text
    return _folded(text, kind)


def _as_said(token: Token, text: str, db_type: str) -> str:
    kind = token.token_type
    # The file system says whether the case of a table's name counts in MySQL.
    is_kept = kind == TokenType.STRING or (kind == TokenType.VAR and db_type == "mysql")
    return text if is_kept else _folded(text, kind)


def _folded(text: str, kind: TokenType) -> str:
    # In a quoted name, or a string of another kind, case and blanks count.
    is_kept = text.startswith(_QUOTES) or kind in _STRINGS
    return text if is_kept else " ".join(text.lower().split())


def _is_value(before: Token | None, db_type: str) -> bool:
    if before is None:
        return True
    if before.token_type == TokenType.COMMA:
        # SQLite takes a string for a table's name.
        return db_type != "sqlite"
    return (
        before.token_type not in _NAMES
        and before.token_type not in _STRINGS
        and before.text.lower() not in _NAMING
    )


def _gap(before: Token, token: Token, text: str) -> str:
    if before.token_type == TokenType.L_PAREN or token.token_type in _TIGHT_BEFORE:
        return ""
    if before.token_type in _STRINGS and token.token_type in _STRINGS:
        # On two lines they are one string.
        return "\n" if "\n" in text[before.end + 1 : token.start] else " "
    is_apart = before.end + 1 < token.start
    return " " if is_apart or before.token_type == TokenType.COMMA else ""


def _shown(token: Token, text: str, names: Container[str]) -> str:
    if (hidden := _HIDDEN.get(token.token_type)) is not None:
        return hidden
    if text.startswith(_QUOTES) and len(text) > 1:
        return text if token.text in names else '"…"'
    return text
