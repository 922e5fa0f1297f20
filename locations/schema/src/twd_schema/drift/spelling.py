"""Which names a database takes for the same although the case of their letters differs."""

from __future__ import annotations

from collections.abc import Callable

from twd_shared.schema_model.ddl.names import unquoted

# Whether MySQL does so with names of tables is a setting of the server, which is not known here.
_CASELESS_TABLES = frozenset({"sqlite"})
_CASELESS_COLUMNS = frozenset({"sqlite", "mysql"})


def folding_of_tables(dialect: str) -> Callable[[str], str]:
    """Gives names of tables that are the same in this dialect the same text."""
    # Letters beyond ASCII are the same in no other case.
    return unquoted if dialect in _CASELESS_TABLES else str


def folding_of_columns(dialect: str) -> Callable[[str], str]:
    """Gives names of a table's columns that are the same in this dialect the same text."""
    return unquoted if dialect in _CASELESS_COLUMNS else str
