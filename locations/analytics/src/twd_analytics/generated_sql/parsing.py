"""Parsing generated SQL of any quality: rubbish gives "does not parse", never an exception.

Belongs here: from text to facts. Not here: comparing names with a snapshot (`names.py`).
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from twd_analytics.messages.reading import LONGEST_SQL
from twd_shared.sql.parsing import parser_dialect, unfenced

# sqlglot warns with the statement in full; it must not reach a run's log.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

_PLAIN_NAME = re.compile(r"\w+\Z", re.ASCII)
# Real queries nest a few levels; thousands of levels overflow the parser's native stack.
_DEEPEST = 200
_LONGEST_SHAPE = 300
# A text that is no SQL can parse as an expression ("hello world" is an alias) or as a command.
_STATEMENTS = (
    exp.Query,
    exp.Insert,
    exp.Update,
    exp.Delete,
    exp.Merge,
    exp.DDL,
    exp.Alter,
    exp.Drop,
    exp.TruncateTable,
)


@dataclass(frozen=True, slots=True)
class SqlFacts:
    """What a text of SQL is: does it parse, tables as written (no CTEs), shape without literals."""

    parses: bool
    tables: tuple[str, ...] = ()
    shape: str = ""


@lru_cache(maxsize=4096)
def facts_of(sql: str, db_type: str) -> SqlFacts:
    """Facts of one text, in the dialect of `db_type` ('' or unknown = sqlglot's own dialect)."""
    statements = statements_of(sql, db_type)
    if not statements:
        return SqlFacts(parses=False)
    try:
        tables = {table_name(table) for table in source_tables(statements)}
        shape = "; ".join(_shape(statement, db_type) for statement in statements)
    except (SqlglotError, RecursionError):
        return SqlFacts(parses=False)
    return SqlFacts(parses=True, tables=tuple(sorted(tables)), shape=shape[:_LONGEST_SHAPE])


def statements_of(sql: str, db_type: str) -> list[exp.Expr]:
    """The statements in `sql`, out of a fenced block if it has one; empty if it does not parse."""
    if len(sql) > LONGEST_SQL:
        return []
    text = unfenced(sql)
    if _depth(text) > _DEEPEST:
        return []
    try:
        parsed = sqlglot.parse(text, dialect=parser_dialect(db_type))
    except (SqlglotError, RecursionError):
        return []
    statements = [statement for statement in parsed if statement is not None]
    return statements if all(isinstance(item, _STATEMENTS) for item in statements) else []


def source_tables(statements: list[exp.Expr]) -> list[exp.Table]:
    """The tables that the statements name, without names that the statements define."""
    tables: list[exp.Table] = []
    for statement in statements:
        defined = {cte.alias.casefold() for cte in statement.find_all(exp.CTE)}
        for table in statement.find_all(exp.Table):
            is_named = isinstance(table.this, exp.Identifier)
            if is_named and (table.db or table.name.casefold() not in defined):
                tables.append(table)
    return tables


def table_name(table: exp.Table) -> str:
    """`schema.table` or `table` as written; an unquoted name in lower case."""
    parts = [part for part in (table.args.get("db"), table.this) if part is not None]
    return ".".join(part.name if part.quoted else part.name.lower() for part in parts)


def _shape(statement: exp.Expr, db_type: str) -> str:
    plain = statement.copy().transform(_without_content)
    return plain.sql(dialect=parser_dialect(db_type), comments=False, normalize=True)


def _without_content(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Literal):
        # Spelt alike in every dialect, unlike a placeholder.
        return exp.Var(this="?")
    # A quoted alias may repeat the user's words.
    is_alias = isinstance(node.parent, exp.Alias | exp.TableAlias)
    if is_alias and isinstance(node, exp.Identifier) and not _PLAIN_NAME.match(node.name):
        return exp.to_identifier("_")
    return node


def _depth(text: str) -> int:
    """Deepest nesting of brackets; brackets in strings count too, which does no harm."""
    depth = deepest = 0
    for bracket in re.findall(r"[(\[{)\]}]", text):
        depth += 1 if bracket in "([{" else -1
        deepest = max(deepest, depth)
    return deepest
