"""Which code makes documents: a deploy that changes it makes them anew, once."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

import twd_schema.documentation
import twd_schema.indexing
import twd_shared.clients.index_layout
import twd_shared.clients.token_budget
import twd_shared.schema_model
import twd_shared.terms
from twd_schema.source_revision import source_revision

_MODULES = (
    twd_schema.documentation,
    twd_schema.indexing,
    twd_shared.terms,
    twd_shared.schema_model,
    twd_shared.clients.index_layout,
    twd_shared.clients.token_budget,
)


@cache
def code_revision() -> str:
    """Of all that has a part in documents, 32 hex digits."""
    return source_revision(_MODULES, version("snowballstemmer"))
