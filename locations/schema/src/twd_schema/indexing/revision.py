"""Which code makes documents: a deploy that changes it makes them anew, once."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

import twd_schema.documentation
import twd_schema.indexing
import twd_shared.clients.index_layout
import twd_shared.clients.token_budget
import twd_shared.retrieval
import twd_shared.schema_model

_PACKAGES = (
    twd_schema.documentation,
    twd_schema.indexing,
    twd_shared.retrieval,
    twd_shared.schema_model,
)
_MODULES = (twd_shared.clients.index_layout, twd_shared.clients.token_budget)


@cache
def code_revision() -> str:
    """SHA-256 over the source of all that has a part in documents, 32 hex digits."""
    digest = hashlib.sha256(version("snowballstemmer").encode())
    for package in _PACKAGES:
        for folder in package.__path__:
            for path in sorted(Path(folder).rglob("*.py")):
                digest.update(path.read_bytes())
    for module in _MODULES:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:32]
