"""How names, comments and keys of a schema are told: for cards, documents and questions.

Names and comments are somebody's text. Whatever they hold, what is told of them stays on one line
and cannot be taken for another line.
"""

from __future__ import annotations

import re
from functools import lru_cache

from twd_shared.schema_model.models import ForeignKey, Table

_LONGEST_NAME = 200
# Control characters, line separators and marks that turn the direction of what follows.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_UNPRINTABLES = re.compile(f"{_UNPRINTABLE.pattern}+")
_PLAIN_NAME = re.compile(r"\w[\w$]*\Z")
# From À to Ỹ capitals and small letters take turns, so that no range holds the ones alone.
_LETTERS = [chr(code) for code in range(ord("À"), ord("ỹ") + 1)]
_CAPITALS = "A-Z" + "".join(letter for letter in _LETTERS if letter.isupper())
_OTHERS = "a-z0-9" + "".join(letter for letter in _LETTERS if not letter.isupper())
_WITHIN = re.compile(f"(?<=[{_OTHERS}])(?=[{_CAPITALS}])|(?<=[A-Z])(?=[A-Z][a-z])")
# Names come again and again; texts do not, and would fill the memory.
_CACHED_LENGTH = 64


def words(name: str) -> str:
    """An identifier as words: `filmActorID2` and `film_actor_id_2` become `film actor id 2`."""
    return _words_of_name(name) if len(name) <= _CACHED_LENGTH else _words(name)


def flat(text: str) -> str:
    """The text on one line, without control characters and without repeated spaces."""
    # Most texts are on one line already, which is seen faster than changed.
    clean = text if text.isprintable() else _UNPRINTABLES.sub(" ", text)
    return " ".join(clean.split())


def printable(text: str) -> str:
    """The text with a mark for each character that breaks or steers a line, or that XML forbids."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def shortened(text: str, longest: int) -> str:
    """The text, or as much of it as `longest` characters hold and ` …`, cut between words."""
    if len(text) <= longest:
        return text
    cut = text[:longest]
    # A text without spaces is cut where it is.
    return (
        cut[: cut.rfind(" ", longest * 3 // 4)] if " " in cut[longest * 3 // 4 :] else cut
    ) + " …"


def counted(number: int, one: str, many: str = "") -> str:
    """The number with the word that fits it: "1 table", "2 tables"."""
    return f"{number} {one}" if number == 1 else f"{number} {many or one + 's'}"


@lru_cache(maxsize=65536)
def shown(name: str) -> str:
    """A name as sentences show it: quoted unless it is one word, and escaped where unprintable.

    More than 200 characters, which only SQLite allows, are cut to them and ` …`.
    """
    if _PLAIN_NAME.match(name) and len(name) <= _LONGEST_NAME:
        return name
    quoted = shortened(name, _LONGEST_NAME).replace('"', '""')
    escaped = _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], quoted)
    return f'"{escaped}"'


def shown_table(schema: str, name: str) -> str:
    """`schema.name` as sentences show it; the name alone where there is no schema."""
    return f"{shown(schema)}.{shown(name)}" if schema else shown(name)


def said(name: str) -> str:
    """A name in words inside a sentence, never empty and at most 200 characters of it."""
    return words(name[:_LONGEST_NAME]) if _PLAIN_NAME.match(name) else _said(name)


def relationship(table: Table, key: ForeignKey) -> str:
    """One sentence on a foreign key, with the condition that joins the two tables."""
    own_table = shown_table(table.schema, table.name)
    target = shown_table(key.referenced_schema, key.referenced_table)
    optional = any(column.nullable for column in table.columns if column.name in key.columns)
    pairs = zip(key.columns, key.referenced_columns, strict=False)
    condition = " and ".join(
        f"{own_table}.{shown(own)} = {target}.{shown(other)}" for own, other in pairs
    )
    sentence = (
        f"Each {said(table.name)} {'may refer' if optional else 'refers'} "
        f"to {_with_article(said(key.referenced_table))}"
    )
    joined = f"join them on {condition}" if condition else f"{own_table} to {target}"
    return f"{sentence}: {joined}."


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _words(name: str) -> str:
    spaced = _WITHIN.sub(" ", name)
    spaced = re.sub(r"(?<=[^\W\d_])(?=\d)", " ", spaced)
    return " ".join(re.split(r"[\W_]+", spaced)).strip().lower() or name


_words_of_name = lru_cache(maxsize=65536)(_words)


def _said(name: str) -> str:
    return flat(words(name[:_LONGEST_NAME])) or shown(name)
