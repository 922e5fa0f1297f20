"""PostgreSQL's own words that the parser does not know, left out so that it reads on.

Nothing is left out that names, calls or writes anything, but what USING (…) AS names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot.tokenizer_core import Token, TokenType

_MET = re.compile(r"@|\b(?:overriding|using|wrapper|quotes)\b", re.IGNORECASE)
_LEFT_OUT = re.compile(
    r"(?:overriding (?:system|user) value"
    # Of json_query; a table that WITH makes may be called wrapper.
    r"|with(?:out)?(?: (?:un)?conditional)?(?: array)? wrapper(?! as\b| \()"
    r"|(?:keep|omit) quotes(?: on scalar string)?)(?= |\Z)"
)
_BEGINNINGS = frozenset({"overriding", "with", "without", "keep", "omit"})
_MOST_WORDS = 5
_QUOTED = frozenset({TokenType.IDENTIFIER, TokenType.STRING})


def understood(tokens: list[Token], sql: str) -> tuple[list[Token], dict[int, Token]]:
    """The tokens of `sql` that the parser knows, and the aliases that USING (…) AS gives.

    Each alias by where the last column of its USING begins: the parser has no place for it.
    """
    if not _MET.search(sql):
        return tokens, {}
    kept: list[Token] = []
    aliases: dict[int, Token] = {}
    left_out: set[int] = set()
    for place, token in enumerate(tokens):
        # The operator of the absolute value is one word, and takes what stands behind it.
        if place in left_out or token.token_type == TokenType.PARAMETER:
            continue
        if _word(token) in _BEGINNINGS:
            words = " ".join(map(_word, tokens[place : place + _MOST_WORDS + 1]))
            if (found := _LEFT_OUT.match(words)) is not None:
                left_out.update(range(place, place + found[0].count(" ") + 1))
                continue
        if token.token_type == TokenType.USING and (end := _end_of_named(tokens, place)):
            aliases[tokens[end - 1].start] = tokens[end + 2]
            left_out.update((end + 1, end + 2))
        kept.append(token)
    return kept, aliases


def _end_of_named(tokens: Sequence[Token], using: int) -> int:
    """Where the bracket of USING (a, b) AS c ends; 0 = it is another USING."""
    end = using + 3
    while end + 2 < len(tokens) and tokens[end].token_type == TokenType.COMMA:
        end += 2
    if end + 2 >= len(tokens):
        return 0
    marks = [tokens[place].token_type for place in (using + 1, end, end + 1)]
    return end if marks == [TokenType.L_PAREN, TokenType.R_PAREN, TokenType.ALIAS] else 0


def _word(token: Token) -> str:
    return "''" if token.token_type in _QUOTED else token.text.lower()
