"""SQL of a database whose type is not known: what all texts that are alike are written as.

Such a text is in the first dialect that takes it (`parsing.parsed_in_any`). It may be folded as
that dialect reads it, if what comes of it is taken for the same dialect. A text that only reads
there, and writes to another dialect, which has other strings and comments, stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from sqlglot.errors import TokenError

from twd_shared.sql.canonical import canonical
from twd_shared.sql.parsing import (
    LONGEST_SQL,
    TYPES_TRIED,
    dialect_of,
    is_known,
    of_unknown_type,
    parsed,
    readable,
)
from twd_shared.sql.writing import only_reads

# A text that every dialect parts into the same words: what one of them reads in a way of its own
# stands in a string or a comment that begins and ends there for all. An operator may take the first
# character of a comment.
_ALIKE_FOR_ALL = re.compile(
    r"""
    (?: [^'"`\\$\#\[/\-0] | '[^'\\]*' | "[^"\\]*"
      | -(?!-) | /(?!\*)
      | (?<![^\w\s(),;.'"])(?:
          --(?=\s|\Z)[^\n]*
        | /\*(?![+/])[^*/]*(?:(?:\*(?!/)|/(?!\*))[^*/]*)*+\*/
        )
      | (?<!\w)0(?![bx]) | (?<=\w)0
    )*+\Z
    """,
    re.IGNORECASE | re.VERBOSE,
)
# To MySQL a comment; to the others a word that no statement ends with.
_OF_MYSQL = " #"


def canonical_in_any(sql: str, db_type: str) -> str:
    """The text as all texts that are alike are written, whether or not `db_type` is known.

    What is given says to `parsed_in_any` what the text says.
    """
    if is_known(db_type):
        return canonical(sql, db_type)
    text = of_unknown_type(sql)
    if _ALIKE_FOR_ALL.match(text):
        return canonical(text, db_type)
    folded = {one: canonical(text, one) for one in TYPES_TRIED}
    for dialect, key in folded.items():
        if len(key) > LONGEST_SQL:
            return key
        reads = _reads_in(key, dialect)
        if reads is None:
            continue
        if reads and _hides_a_write(text, dialect, folded):
            return sql
        if dialect == "mysql" and _taken_for(key) != dialect:
            key += _OF_MYSQL
        return key if _taken_for(key) == dialect else sql
    return sql if _taken_for(folded[""]) is not None else folded[""]


def _taken_for(key: str) -> str | None:
    return next((one for one in TYPES_TRIED if _reads_in(key, one) is not None), None)


@lru_cache(maxsize=10_000)
def _reads_in(key: str, db_type: str) -> bool | None:
    """Whether it only reads, in that dialect; None = it is not in that dialect.

    Kept, since a key comes again with every text that it stands for: only a new one is parsed.
    """
    statements = parsed(key, db_type)
    return None if statements is None else only_reads(statements, db_type)


def _hides_a_write(text: str, dialect: str, folded: Mapping[str, str]) -> bool:
    """Whether to another dialect the text writes, with words that are none to `dialect`."""
    starts, ends = _bounds(text, dialect)
    for other, key in folded.items():
        if key == folded[dialect]:
            continue
        other_starts, other_ends = _bounds(text, other)
        # Where nothing begins or ends within a word or a comment, nothing is hidden by it: a double
        # quote may begin a name or a string, which would be parsed once for each string.
        is_parted = not (other_starts <= starts and other_ends <= ends)
        if is_parted and _reads_in(key, other) is False:
            return True
    return False


def _bounds(text: str, db_type: str) -> tuple[set[int], set[int]]:
    """Where words begin and where they end; nowhere, if the text cannot be taken apart."""
    try:
        tokens = dialect_of(db_type).tokenize(readable(text, db_type))
    except TokenError:
        return set(), set()
    return {token.start for token in tokens}, {token.end for token in tokens}
