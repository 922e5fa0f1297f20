"""Which collections of a Qdrant server are this software's: told by their names alone.

The training location's names are repeated here, because what stands in for servers knows no
location; a test compares the two.
"""

from __future__ import annotations

import re

from qdrant_client import QdrantClient

from twd_shared.clients.index_collections import pattern_of
from twd_shared.clients.qdrant import index_errors

_KNOWLEDGE_BASE = re.compile(r"kb_[A-Za-z0-9_.-]+_(?:ddl|documentation|sql|langchain|memory)_v\d+")
# No name of ours ends like this, so that nothing takes such a collection for a published one.
_BESIDE = "__restoring"


def beside(name: str) -> str:
    """Where a collection is restored while another one has its name."""
    return f"{name}{_BESIDE}"


class OurCollections:
    """What a server holds of ours now: the schema index behind `alias`, and knowledge bases."""

    def __init__(self, client: QdrantClient, alias: str) -> None:
        """Nothing is asked before a method is called."""
        self._client = client
        self._schema_index = pattern_of(alias)

    def names(self) -> set[str]:
        """The collections: served, kept from before, held back and half-built."""
        return {name for name in self._all() if self.is_ours(name)}

    def left_beside(self) -> set[str]:
        """Collections that a restore has put beside others."""
        return {
            name
            for name in self._all()
            if name.endswith(_BESIDE) and self.is_ours(name.removesuffix(_BESIDE))
        }

    def aliases(self) -> dict[str, str]:
        """Every alias of one of these, and what it names."""
        with index_errors(self._client):
            found = self._client.get_aliases().aliases
        return {
            item.alias_name: item.collection_name
            for item in found
            if self.is_ours(item.collection_name.removesuffix(_BESIDE))
        }

    def others(self) -> set[str]:
        """Collections that are somebody else's."""
        return self._all() - self.names() - self.left_beside()

    def is_ours(self, name: str) -> bool:
        """Whether a collection of this name is this software's."""
        return bool(self._schema_index.fullmatch(name) or _KNOWLEDGE_BASE.fullmatch(name))

    def _all(self) -> set[str]:
        with index_errors(self._client):
            return {item.name for item in self._client.get_collections().collections}
