"""Ollama and Qdrant as resources.

Each client is imported at first use: that takes up to a second, in every process of a location, and
a location that never asks for it is spared.
"""

from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import PrivateAttr

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

    from twd_shared.clients.ollama import Ollama
    from twd_shared.clients.schema_index import SchemaIndex


class OllamaResource(dg.ConfigurableResource):
    """The Ollama server with its embedding model and, if configured, its language model."""

    base_url: str
    embed_model: str = "nomic-embed-text"
    model: str = ""

    @property
    def client(self) -> "Ollama":
        """A client of the server."""
        from twd_shared.clients.ollama import Ollama

        return Ollama(self.base_url, self.embed_model, self.model)


class QdrantResource(dg.ConfigurableResource):
    """The Qdrant server that holds the schema index and the knowledge bases."""

    url: str
    api_key: str = ""
    collection_name: str = "talkwdata_schemas"

    _client: Any = PrivateAttr(default=None)

    @property
    def client(self) -> "QdrantClient":
        """The stock client, opened at first use."""
        if self._client is None:
            from twd_shared.clients.qdrant import open_client

            self._client = open_client(self.url, self.api_key)
        return self._client

    @property
    def schema_index(self) -> "SchemaIndex":
        """The schema index behind `collection_name`."""
        from twd_shared.clients.schema_index import SchemaIndex

        return SchemaIndex(self.client, self.collection_name)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Close the client when the run or tick ends."""
        if self._client is not None:
            self._client.close()
            self._client = None
