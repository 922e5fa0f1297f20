"""The three sample source databases, real schemas with data, and the role that reads them."""

from __future__ import annotations

from twd_local.sources.load import SOURCES, SourceLoadError, load_source
from twd_local.sources.reader import ensure_reader_role, grant_reader, with_database, with_login

__all__ = [
    "SOURCES",
    "SourceLoadError",
    "ensure_reader_role",
    "grant_reader",
    "load_source",
    "with_database",
    "with_login",
]
