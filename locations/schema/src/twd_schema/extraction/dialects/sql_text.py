"""SQL text cut into tokens, so that a name or a literal is never taken for a keyword.

Belongs here: quoting and nesting, as SQLite and MySQL write them. Not here: any statement.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_NAMES = r"""`(?:[^`]|``)*`|\[[^\]]*\]"""
_SKIPPED = r"\s+|--[^\n]*|/\*.*?(?:\*/|\Z)"
_PLAIN_LITERALS = r"""'(?:[^']|'')*'|"(?:[^"]|"")*\""""
_BACKSLASH_LITERALS = r"""'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*\""""


def _token_pattern(literals: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?P<skipped>{_SKIPPED})|(?P<quoted>{_NAMES}|{literals})|(?P<word>[\w$]+)|(?P<mark>.)",
        re.DOTALL,
    )


_PLAIN = _token_pattern(_PLAIN_LITERALS)
_WITH_BACKSLASHES = _token_pattern(_BACKSLASH_LITERALS)


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a quoted name or literal, a mark, or all that stands between two parentheses."""

    kind: Literal["word", "quoted", "mark", "group"]
    text: str
    """As written; of a group, what stands inside it."""
    start: int
    end: int

    @property
    def keyword(self) -> str:
        """The word in capitals; "" for anything that is quoted, and for marks and groups."""
        return self.text.upper() if self.kind == "word" else ""

    @property
    def name(self) -> str:
        """The identifier that this token writes, without its quotes."""
        if self.kind != "quoted":
            return self.text
        mark = self.text[-1]
        inner = self.text[1:-1]
        return inner if mark == "]" else inner.replace(mark * 2, mark)


def tokens(sql: str, *, backslashes: bool = False) -> list[Token]:
    """Tokens of `sql` without blanks and comments; `backslashes` escape in its literals."""
    found: list[Token] = []
    depth = 0
    opened = 0
    for match in (_WITH_BACKSLASHES if backslashes else _PLAIN).finditer(sql):
        kind, text = match.lastgroup, match.group()
        if text == "(" and kind == "mark":
            opened = opened if depth else match.end()
            depth += 1
        elif text == ")" and kind == "mark":
            depth -= 1
            if depth == 0:
                found.append(Token("group", sql[opened : match.start()], opened - 1, match.end()))
        elif depth == 0 and kind != "skipped":
            found.append(Token(kind, text, *match.span()))  # pyright: ignore[reportArgumentType]
    return found


def enclosable(text: str) -> str:
    """`text` as it may stand before `)`: a comment at its end would take that in."""
    end = max((token.end for token in tokens(text)), default=0)
    return f"{text}\n" if "--" in text[end:] else text


def items(found: list[Token]) -> list[list[Token]]:
    """The tokens between top-level commas."""
    listed: list[list[Token]] = [[]]
    for token in found:
        if token.kind == "mark" and token.text == ",":
            listed.append([])
        else:
            listed[-1].append(token)
    return [item for item in listed if item]
