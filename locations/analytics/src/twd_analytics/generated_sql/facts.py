"""What a text of generated SQL is: does it parse, does it only read, what does it name.

Belongs here: from a key (`keys.py`) to facts, for any quality of text: rubbish gives facts, never
an exception. Not here: whether and how it ran (`accuracy/`), what was asked (`usage/`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Literal

from twd_shared.sql.canonical import shape_of
from twd_shared.sql.names import SchemaNames
from twd_shared.sql.parsing import LONGEST_SQL, parsed_in_any
from twd_shared.sql.references import References, references_of
from twd_shared.sql.writing import only_reads

Verdict = Literal[
    "valid", "syntax", "unknown_table", "unknown_column", "ambiguous_column", "unchecked"
]
"""What a snapshot says of a text; `unchecked`: there was none, or it parses and is not a query, or
it is too long to be parsed."""

_LONGEST_SHAPE = 300
_NAME = re.compile(r"[^\W\d]\w{0,62}(?:\.[^\W\d]\w{0,62})?\Z")


@dataclass(frozen=True, slots=True)
class SqlFacts:
    """Facts of a text. `tables` are `schema.table` as the snapshot says, or as written without one,
    or if several schemas have a table of the name.

    `columns` are (table, column); what is not in the snapshot stands in `unknown_tables` and
    `unknown_columns`, as written. `shape` is the SQL without what a user may have written, and
    `fingerprint` its hash; both are '' of what is no query.
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
    def is_refused(self) -> bool:
        """Whether the text is known to be no SQL in its connection's dialect."""
        return self.verdict == "syntax"

    @property
    def parses(self) -> bool:
        """Whether the text is known to be SQL in its connection's dialect."""
        return self.is_parsed and not self.is_refused

    @property
    def told_tables(self) -> set[str]:
        """`tables` as they may be shown: those that no snapshot has are what somebody wrote."""
        are_written = self.verdict == "unchecked"
        return {as_told(table) if are_written else table for table in self.tables}


def as_told(name: str) -> str:
    """A name that the source does not have, if it looks like one: it may be a user's sentence."""
    return name if _NAME.match(name) else "…"


NO_SQL = SqlFacts("syntax")
NOT_PARSED = SqlFacts("unchecked", is_parsed=False)


def facts_of(key: str, db_type: str, names: SchemaNames | None) -> SqlFacts:
    """Facts of the texts of a key, in the dialect of `db_type` ('' or unknown = any).

    `names` are those of the snapshot that is held against it; None = there is none.
    """
    if len(key) > LONGEST_SQL:
        return NOT_PARSED
    db_type, statements = parsed_in_any(key, db_type)
    found = references_of(statements, names or SchemaNames(db_type, ()))
    if not statements or found.problem == "syntax":
        return NO_SQL
    # What is no query is not looked into.
    is_checked = names is not None and found.parses
    # What is not a name of the source may be a user's word.
    shape = shape_of(key, db_type, names.words if names else frozenset()) if found.parses else ""
    return SqlFacts(
        verdict=found.verdict if is_checked else "unchecked",
        reads_only=only_reads(statements, db_type),
        shape=shape[:_LONGEST_SHAPE],
        fingerprint=hashlib.sha256(shape.encode()).hexdigest()[:16] if shape else "",
        **_names_in(found, names if is_checked else None),
    )


def _names_in(found: References, names: SchemaNames | None) -> dict[str, Any]:
    if names is None:
        return {"tables": tuple(sorted(found.unknown))}
    undecided = {name for name in found.unknown if names.is_undecided("", name)}
    return {
        "tables": tuple(sorted({*map(".".join, found.tables), *undecided})),
        "columns": tuple(sorted((".".join(table), name) for table, name in found.columns)),
        "unknown_tables": tuple(sorted(found.unknown - undecided)),
        "unknown_columns": tuple(sorted(found.unknown_columns)),
    }
