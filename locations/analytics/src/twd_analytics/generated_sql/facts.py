"""What a text of generated SQL is: does it parse, does it only read, what does it name.

Belongs here: from a key (`keys.py`) to facts, for any quality of text: rubbish gives facts, never
an exception. Not here: whether and how it ran (`accuracy/`), what was asked (`usage/`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal

from sqlglot import exp

from twd_shared.sql.canonical import STRING, shape_of
from twd_shared.sql.names import SchemaNames
from twd_shared.sql.parsing import LONGEST_SQL, parsed_in_any
from twd_shared.sql.references import References, references_of
from twd_shared.sql.writing import only_reads

Verdict = Literal[
    "valid", "syntax", "unknown_table", "unknown_column", "ambiguous_column", "unchecked"
]
"""What a snapshot says of a text; `unchecked`: there was none, or it parses and is not a query, or
its server alone can parse it, or it is too long to be parsed."""

_LONGEST_SHAPE = 300
_MOST_PARTS = 8
# To PostgreSQL the beginning of a string, to the parser of any other dialect a word.
_DOLLAR_QUOTE = re.compile(r"(?<![\w$])\$\w*\$")
_NAME = re.compile(r"[^\W\d]\w{0,62}(?:\.[^\W\d]\w{0,62})?\Z")


@dataclass(frozen=True, slots=True)
class SqlFacts:
    """Facts of a text, without what a user may have written.

    `tables` are `schema.table` as the snapshot says, or as written without one, or if several
    schemas have a table of the name. `columns` are (table, column); what is not in the snapshot
    stands in `unknown_tables` and `unknown_columns`: `…` for each that may be a user's word.
    `shape` is the SQL, and `fingerprint` its hash; both are '' of what is no query.
    """

    verdict: Verdict
    reads_only: bool = False
    tables: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    unknown_tables: tuple[str, ...] = ()
    unknown_columns: tuple[str, ...] = ()
    shape: str = ""
    fingerprint: str = ""
    is_parsed: bool = True

    @property
    def parses(self) -> bool:
        """Whether the text is known to be SQL in its connection's dialect."""
        return self.is_parsed and self.verdict != "syntax"


NO_SQL = SqlFacts("syntax")
NOT_PARSED = SqlFacts("unchecked", is_parsed=False)
UNREADABLE = SqlFacts("syntax", is_parsed=False)
"""The parser here does not take it. Where the server's grammar can be asked, that decides."""
TAKEN = SqlFacts("unchecked")
"""The server's grammar takes it, and the parser here does not: no more is known of it."""


def facts_of(key: str, db_type: str, names: SchemaNames | None) -> SqlFacts:
    """Facts of the texts of a key, in the dialect of `db_type` ('' or unknown = any).

    `names` are those of the snapshot that is held against it; None = there is none.
    """
    if len(key) > LONGEST_SQL:
        return NOT_PARSED
    db_type, statements = parsed_in_any(key, db_type)
    known = names or SchemaNames(db_type, ())
    found = references_of(statements, known)
    if statements is None:
        return UNREADABLE
    if not statements or found.problem == "syntax":
        return NO_SQL
    # What is no query is not looked into.
    is_checked = names is not None and found.parses
    # Of values that a key keeps some stand where a name does.
    may_be_values = '"' in key or "'" in key.replace(STRING, "")
    quoted = _quoted_in(key, statements, known) if may_be_values else set[str]()
    may_be_string = db_type != "postgresql" and _DOLLAR_QUOTE.search(key) is not None
    # What is not a name of the source may be a user's word.
    shape = shape_of(key, db_type, known.words) if found.parses and not may_be_string else ""
    told = _names_in(found, known, quoted, is_checked=is_checked, hides_unknown=may_be_string)
    return SqlFacts(
        verdict=found.verdict if is_checked else "unchecked",
        reads_only=only_reads(statements, db_type),
        shape=shape[:_LONGEST_SHAPE],
        fingerprint=hashlib.sha256(shape.encode()).hexdigest()[:16] if shape else "",
        **told,
    )


def _names_in(
    found: References,
    names: SchemaNames,
    quoted: Set[str],
    *,
    is_checked: bool,
    hides_unknown: bool,
) -> dict[str, Any]:
    undecided = {name for name in found.unknown if names.is_undecided("", name)}
    unknown_tables = {
        _as_told(name, is_hidden=hides_unknown or _holds_one(name, quoted))
        for name in found.unknown - undecided
    }
    if not is_checked:
        return {"tables": tuple(sorted(unknown_tables))}
    unknown_columns = {
        # As written it may have the name of a query's own before it.
        _as_told(
            name.rpartition(".")[2],
            is_hidden=hides_unknown or any(end in quoted for end in _ends(name)),
        )
        for name in found.unknown_columns
    }
    return {
        "tables": tuple(sorted({*map(".".join, found.tables), *undecided})),
        "columns": tuple(sorted((".".join(table), name) for table, name in found.columns)),
        "unknown_tables": tuple(sorted(unknown_tables)),
        "unknown_columns": tuple(sorted(unknown_columns)),
    }


def _ends(name: str) -> Iterator[str]:
    """The name, and what stands behind each of its dots."""
    while name:
        yield name
        _, _, name = name.partition(".")


def _holds_one(name: str, quoted: Set[str]) -> bool:
    """Whether one of the quoted names is a part of the dotted name, or several parts of it."""
    if not quoted:
        return False
    parts = name.split(".")
    # A quoted name may hold dots, but one of so many is no name of a table.
    return len(parts) > _MOST_PARTS or any(
        ".".join(parts[first:until]) in quoted
        for first in range(len(parts))
        for until in range(first + 1, len(parts) + 1)
    )


def _quoted_in(key: str, statements: Sequence[exp.Expr], names: SchemaNames) -> set[str]:
    """Quoted names that the source does not have, as they are written and as they are compared.

    Strings too, which the parser takes for names in some places. In MySQL only these: nothing but a
    name stands between backticks.
    """
    quoted = (
        node
        for statement in statements
        for node in statement.find_all(exp.Identifier, exp.Literal)
        if (node.args.get("quoted") or node.args.get("is_string"))
        and node.name not in names.words
        and not (names.db_type == "mysql" and f"`{node.name}`" in key)
    )
    return {name for one in quoted for name in (one.name, names.fold(one))}


def _as_told(name: str, *, is_hidden: bool) -> str:
    return "…" if is_hidden or not _NAME.match(name) else name
