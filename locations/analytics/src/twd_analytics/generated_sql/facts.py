"""What a text of generated SQL is: does it parse, does it only read, what does it name.

Belongs here: from a text to facts, for any quality of text: rubbish gives facts, never an
exception. Not here: whether and how it ran (`accuracy/`), what was asked (`usage/`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlglot import exp
from sqlglot.errors import SqlglotError

from twd_analytics.generated_sql.keys import is_anonymous
from twd_shared.sql.names import SchemaNames
from twd_shared.sql.parsing import parsed, parser_dialect, unfenced
from twd_shared.sql.writing import only_reads
from twd_shared.sql_references import References, references_of

Verdict = Literal[
    "valid", "syntax", "unknown_table", "unknown_column", "ambiguous_column", "unchecked"
]
"""What a snapshot says of a text; `unchecked`: there was none, or it parses and is not a query."""

_LITERALS = (
    exp.Literal,
    exp.RawString,
    exp.National,
    exp.UnicodeString,
    exp.ByteString,
    exp.HexString,
    exp.BitString,
    exp.Heredoc,
)
_PLAIN_NAME = re.compile(r"\w+\Z", re.ASCII)
_LONGEST_SHAPE = 300


@dataclass(frozen=True, slots=True)
class SqlFacts:
    """Facts of a text. `tables` are `schema.table` as the snapshot says, or as written without one.

    `columns` are (table, column); what is not in the snapshot stands in `unknown_tables` and
    `unknown_columns`, as written. `shape` is the SQL without literals, `fingerprint` its hash.
    """

    verdict: Verdict
    reads_only: bool = False
    tables: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    unknown_tables: tuple[str, ...] = ()
    unknown_columns: tuple[str, ...] = ()
    shape: str = ""
    fingerprint: str = ""

    @property
    def parses(self) -> bool:
        """Whether the text is SQL in its connection's dialect."""
        return self.verdict != "syntax"


NO_SQL = SqlFacts("syntax")


def facts_of(sql: str, key: str, db_type: str, names: SchemaNames | None) -> SqlFacts:
    """Facts of one text, in the dialect of `db_type` ('' or unknown = sqlglot's own dialect).

    Of a text with a fenced block that is meant. `key` is the text's (`keys.py`),
    `names` are those of the snapshot that is held against it; None = there is none.
    """
    statements = parsed(unfenced(sql), db_type)
    found = references_of(statements, names or SchemaNames(db_type, ()))
    if not statements or found.problem == "syntax":
        return NO_SQL
    try:
        shape = key.replace("'", "'?'") if is_anonymous(key) else _shape(statements, db_type)
    except (SqlglotError, RecursionError):
        return NO_SQL
    told = SqlFacts(
        # What is no query is not looked into.
        verdict="unchecked" if names is None or not found.parses else found.verdict,
        reads_only=only_reads(statements, db_type),
        shape=shape[:_LONGEST_SHAPE],
        fingerprint=hashlib.sha256(shape.encode()).hexdigest()[:16],
    )
    return replace(told, **_names_in(found, is_checked=told.verdict != "unchecked"))


def _names_in(found: References, *, is_checked: bool) -> dict[str, Any]:
    if not is_checked:
        return {"tables": tuple(sorted(found.unknown))}
    return {
        "tables": tuple(sorted(map(".".join, found.tables))),
        "columns": tuple(sorted((".".join(table), name) for table, name in found.columns)),
        "unknown_tables": tuple(sorted(found.unknown)),
        "unknown_columns": tuple(sorted(found.unknown_columns)),
    }


def _shape(statements: list[exp.Expr], db_type: str) -> str:
    plain = (statement.transform(_without_content) for statement in statements)
    dialect = parser_dialect(db_type)
    return "; ".join(one.sql(dialect=dialect, comments=False, normalize=True) for one in plain)


def _without_content(node: exp.Expr) -> exp.Expr:
    if isinstance(node, _LITERALS):
        # Spelt alike in every dialect, unlike a placeholder.
        return exp.Var(this="?")
    # A quoted alias may repeat the user's words.
    is_alias = isinstance(node.parent, exp.Alias | exp.TableAlias)
    if is_alias and isinstance(node, exp.Identifier) and not _PLAIN_NAME.match(node.name):
        return exp.to_identifier("_")
    return node
