"""LangChain's `index()` over the same texts: documents that are made already, records in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from langchain_core.documents import Document as PeerDocument
from langchain_core.embeddings import Embeddings
from langchain_core.indexing import InMemoryRecordManager, index
from langchain_core.vectorstores import InMemoryVectorStore

from twd_schema.indexing.documents import Document
from twd_shared.clients.ollama import Ollama

_Cleanup = Literal["full", "incremental"]
_KeyEncoder = Literal["sha1", "sha256"]
_CLEANUPS: tuple[_Cleanup, ...] = ("full", "incremental")
_KEY_ENCODERS: tuple[_KeyEncoder, ...] = ("sha1", "sha256")

DEFAULT = "LangChain index(), full, sha1"
"""The name of its default way of hashing, with records of what is gone cleaned up."""


class _CountingEmbeddings(Embeddings):
    """Our client as LangChain calls it, and how often it does."""

    def __init__(self, ollama: Ollama) -> None:
        self._ollama = ollama
        self.calls = 0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.calls += 1
        return self._ollama.embed(texts, "document")

    def embed_query(self, text: str) -> list[float]:
        return self._ollama.embed([text], "query")[0]


class PeerIndex:
    """An index that LangChain keeps in memory, cleaned up and keyed in one of its ways."""

    def __init__(self, cleanup: _Cleanup, key_encoder: _KeyEncoder, ollama: Ollama) -> None:
        """Empty; `ollama` embeds."""
        self.name = f"LangChain index(), {cleanup}, {key_encoder}"
        self._cleanup: _Cleanup = cleanup
        self._key_encoder: _KeyEncoder = key_encoder
        self._embeddings = _CountingEmbeddings(ollama)
        self._store = InMemoryVectorStore(self._embeddings)
        self._records = InMemoryRecordManager("benchmark")
        self._records.create_schema()

    @property
    def embed_calls(self) -> int:
        """How often texts were given to be embedded, so far."""
        return self._embeddings.calls

    def publish(self, documents: Sequence[PeerDocument]) -> None:
        """Bring the index to these documents."""
        index(
            documents,
            self._records,
            self._store,
            cleanup=self._cleanup,
            source_id_key="source",
            key_encoder=self._key_encoder,
        )


def peers(ollama: Ollama) -> Iterator[PeerIndex]:
    """An empty index for each way of LangChain's that deletes what is gone."""
    for cleanup in _CLEANUPS:
        for key_encoder in _KEY_ENCODERS:
            yield PeerIndex(cleanup, key_encoder, ollama)


def peer_documents(documents: Sequence[Document]) -> list[PeerDocument]:
    """The same documents as LangChain is given them: text, id, and the table as the source."""
    return [
        PeerDocument(
            id=document.point_id,
            page_content=document.text,
            metadata={
                "source": f"{document.payload['schema_name']}.{document.payload['table_name']}"
            },
        )
        for document in documents
    ]
