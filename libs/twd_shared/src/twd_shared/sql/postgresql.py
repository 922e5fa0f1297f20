"""PostgreSQL's own words that the parser does not know, left out so that it reads on.

Nothing is left out that names, calls or writes anything, but what USING (…) AS names. The step of
generate_series gets a bracket: a string there is an interval to the parser, even 'x' or '01:00'.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

from sqlglot.tokenizer_core import Token, TokenType

_MET = re.compile(r"@|\b(?:overriding|using|wrapper|quotes|generate_series)\b", re.IGNORECASE)
_OVERRIDING = re.compile(r"overriding (?:system|user) value(?= (?:values|select|with|\()(?: |\Z))")
# Of json_query, behind its path.
_OF_JSON = re.compile(
    r"(?:with(?:out)?(?: (?:un)?conditional)?(?: array)? wrapper"
    r"|(?:keep|omit) quotes(?: on scalar string)?)(?= |\Z)"
)
_LEFT_OUT = {
    "overriding": _OVERRIDING,
    **dict.fromkeys(("with", "without", "keep", "omit"), _OF_JSON),
}
_MOST_WORDS = 5
_QUOTED = frozenset({TokenType.IDENTIFIER, TokenType.STRING})
_NO_NAMES = frozenset({TokenType.STRING, TokenType.NUMBER})
_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET})
_STEP = 2
_NO_OPERANDS = frozenset({TokenType.R_PAREN, TokenType.COMMA, TokenType.FROM, TokenType.SEMICOLON})


def understood(tokens: list[Token], sql: str) -> tuple[list[Token], dict[int, Token]]:
    """The tokens of `sql` that the parser knows, and the aliases that USING (…) AS gives.

    Each alias by where the last column of its USING begins: the parser has no place for it.
    """
    if not _MET.search(sql):
        return tokens, {}
    kept: list[Token] = []
    aliases: dict[int, Token] = {}
    left_out: set[int] = set()
    brackets = _around_steps(tokens)
    for place, token in enumerate(tokens):
        if place in brackets:
            kept.append(brackets[place])
        if place in left_out or _is_operator(tokens, place):
            continue
        if pattern := _LEFT_OUT.get(_word(token)):
            words = " ".join(map(_word, tokens[place : place + _MOST_WORDS + 1]))
            found = pattern.match(words)
            if found and (pattern is _OVERRIDING or _is_behind_path(tokens, place, left_out)):
                left_out.update(range(place, place + found[0].count(" ") + 1))
                continue
        if token.token_type == TokenType.USING and (end := _end_of_named(tokens, place)):
            aliases[tokens[end - 1].start] = tokens[end + 2]
            left_out.update((end + 1, end + 2))
        kept.append(token)
    return kept, aliases


def _is_operator(tokens: Sequence[Token], place: int) -> bool:
    """Whether it is the operator of the absolute value, which takes what stands behind it."""
    if tokens[place].token_type != TokenType.PARAMETER or place + 1 == len(tokens):
        return False
    return tokens[place + 1].token_type not in _NO_OPERANDS


def _around_steps(tokens: Sequence[Token]) -> dict[int, Token]:
    """A bracket on either side of each step, by what it stands in front of."""
    found: dict[int, Token] = {}
    # Of each bracket that is open: where it is, and each of its commas.
    marks: list[list[int]] = []
    for place, token in enumerate(tokens):
        if token.token_type in _OPENING:
            marks.append([place])
        elif not marks:
            continue
        elif token.token_type == TokenType.COMMA:
            marks[-1].append(place)
        elif token.token_type in _CLOSING:
            opening, *_ = ends = [*marks.pop(), place]
            called = tokens[opening - 1].text.lower() if opening else ""
            if called == "generate_series" and len(ends) > _STEP + 1:
                first, end = ends[_STEP] + 1, ends[_STEP + 1]
                if first < end:
                    found |= {first: tokens[opening], end: token}
    return found


def _is_behind_path(tokens: Sequence[Token], place: int, left_out: Set[int]) -> bool:
    if place == 0:
        return False
    return place - 1 in left_out or tokens[place - 1].token_type == TokenType.STRING


def _end_of_named(tokens: Sequence[Token], using: int) -> int:
    """Where the bracket of USING (a, b) AS c ends; 0 = it is another USING."""
    end = using + 3
    while end + 2 < len(tokens) and tokens[end].token_type == TokenType.COMMA:
        end += 2
    if end + 2 >= len(tokens):
        return 0
    marks = [tokens[place].token_type for place in (using + 1, end, end + 1)]
    if marks != [TokenType.L_PAREN, TokenType.R_PAREN, TokenType.ALIAS]:
        return 0
    return 0 if tokens[end + 2].token_type in _NO_NAMES else end


def _word(token: Token) -> str:
    return "''" if token.token_type in _QUOTED else token.text.lower()
