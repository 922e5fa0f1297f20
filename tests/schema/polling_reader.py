"""A reader that asks the schema index without a pause and keeps everything that is not right."""

from __future__ import annotations

import threading
from collections.abc import Collection
from types import TracebackType
from typing import Any

from twd_shared.clients.ollama import Ollama
from twd_shared.clients.qdrant import open_client
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.retrieval.search import retrieve_tables


class PollingReader:
    """Reads connection 7 in a thread from entering to leaving; `wrong` says what went wrong.

    `tables` are there the whole time: each must be found by its name, and be among all that the
    served collection holds, all of which must be made by one model.
    """

    def __init__(self, qdrant: str, ollama: str, alias: str, tables: Collection[str]) -> None:
        self._client = open_client(qdrant)
        self._index = SchemaIndex(self._client, alias)
        # Not the model that is served: which one that is, a reader learns from the index.
        self._ollama = Ollama(ollama, "no-such-model")
        self._tables = sorted(tables)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self.answers = 0
        self.models: set[str] = set()
        self.wrong: list[str] = []

    def __enter__(self) -> PollingReader:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def look(self) -> None:
        """Read everything once."""
        try:
            self._ask(self._tables[self.answers % len(self._tables)])
            self._list()
        except Exception as error:
            self.wrong.append(f"{type(error).__name__}: {error}")
        self.answers += 1

    def _poll(self) -> None:
        while not self._ended.is_set():
            self.look()

    def _ask(self, table: str) -> None:
        answer = retrieve_tables(
            f"How many {table} are there?",
            connection_id="7",
            index=self._index,
            ollama=self._ollama,
        )
        if table not in [found.table for found in answer.tables]:
            self.wrong.append(f"{table} was not found, but {[t.table for t in answer.tables]}")

    def _list(self) -> None:
        served = self._index.served()
        if served is None:
            self.wrong.append("nothing is served")
            return
        self.models.add(served.model)
        points = self._index.points("7", served.name)
        payloads: list[Any] = list(points.held(["table_name", "model_digest"]).values())
        missing = set(self._tables) - {payload["table_name"] for payload in payloads}
        if missing:
            self.wrong.append(f"{served.name} lacks {sorted(missing)}")
        if {payload["model_digest"] for payload in payloads} != {served.model_digest}:
            self.wrong.append(f"{served.name} mixes models")
