"""Vanna 0.7's own training of the same documents: its Qdrant store, its way of embedding."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable
from contextlib import closing, redirect_stdout
from typing import Any

import httpx
from qdrant_client import QdrantClient
from vanna.qdrant import Qdrant_VectorStore

from benchmarks.index.model_server import MODEL
from twd_shared.clients.qdrant import open_client
from twd_training.knowledge_base.documents import Document

PARTS = ("ddl", "documentation", "sql")
"""Vanna's collections, as ours are called too."""

_PAGE = 1000


class PeerTraining(Qdrant_VectorStore):
    """A Vanna that keeps its collections beside ours, and asks the same model server."""

    def __init__(self, client: QdrantClient, ollama_url: str) -> None:
        """Makes its collections; `client` stays the caller's."""
        self._ollama = httpx.Client(base_url=ollama_url, timeout=60)
        names = {f"{part}_collection_name": f"vanna_{part}" for part in PARTS}
        super().__init__(config={"client": client, **names})

    def train_all(self, documents: Iterable[Document]) -> None:
        """Vanna's `train` with each document, which is how it is taught."""
        # It prints what it is given.
        with redirect_stdout(io.StringIO()):
            for document in documents:
                if document.question is not None:
                    self.train(question=document.question, sql=document.text)
                elif document.part == "ddl":
                    self.train(ddl=document.text)
                else:
                    self.train(documentation=document.text)

    def generate_embedding(self, data: str, **_: Any) -> list[float]:
        """One text a call, as Vanna asks for it."""
        answer = self._ollama.post("/api/embed", json={"model": MODEL, "input": [data]})
        return answer.raise_for_status().json()["embeddings"][0]

    def close(self) -> None:
        """Close the connections to the model server."""
        self._ollama.close()

    # Vanna's base class wants them; nobody is asked here.
    def system_message(self, message: str) -> Any:
        raise NotImplementedError

    def user_message(self, message: str) -> Any:
        raise NotImplementedError

    def assistant_message(self, message: str) -> Any:
        raise NotImplementedError

    def submit_prompt(self, prompt: Any, **_: Any) -> str:
        raise NotImplementedError


def wrong_points(qdrant_url: str, prefix: str, documents: Iterable[Document]) -> int:
    """Points in `<prefix><part>` that hold no document of now, or one that another point holds."""
    wanted = {(document.part, document.searchable) for document in documents}
    held: Counter[tuple[str, str]] = Counter()
    with closing(open_client(qdrant_url)) as client:
        for part in PARTS:
            held.update((part, text) for text in _texts(client, f"{prefix}{part}", part))
    return sum(count - (key in wanted) for key, count in held.items())


def missing_points(qdrant_url: str, prefix: str, documents: Iterable[Document]) -> int:
    """Documents that no point in `<prefix><part>` holds."""
    held: set[tuple[str, str]] = set()
    with closing(open_client(qdrant_url)) as client:
        for part in PARTS:
            held.update((part, text) for text in _texts(client, f"{prefix}{part}", part))
    return len({(one.part, one.searchable) for one in documents} - held)


def _texts(client: QdrantClient, collection: str, part: str) -> Iterable[str]:
    offset: Any = None
    while True:
        records, offset = client.scroll(collection, limit=_PAGE, offset=offset)
        for record in records:
            payload = record.payload or {}
            if part == "sql":
                yield f"Question: {payload['question']}\n\nSQL: {payload['sql']}"
            else:
                yield payload[part]
        if offset is None:
            return
