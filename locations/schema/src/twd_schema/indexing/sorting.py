"""Which documents of a connection must be embedded, written again, or left alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from twd_schema.indexing.documents import Document
from twd_schema.indexing.origins import KnownPoint
from twd_shared.schema_model.keys import TableName
from twd_shared.store.index_origins import TableOrigin

SHORTENED = "shortened"
"""Payload key of a point whose vector is of the beginning of its text."""

HASHES = ("content_hash", "text_hash", "model_digest", SHORTENED)
"""Payload keys by which documents are sorted."""


class Sorting:
    """Sorts documents by what must be done, as they are made; `hashes` are those of all."""

    def __init__(
        self,
        documents: Iterable[Document | KnownPoint],
        held: Mapping[str, Mapping[str, Any]],
        digest: str,
    ) -> None:
        """`held` are the hashes that points have now; `digest` is of the collection's model."""
        self._documents = documents
        self._held = held
        self._digest = digest
        self.hashes: dict[str, str] = {}
        self.unchanged = 0
        self.to_embed: list[Document] = []
        self.to_rewrite: list[Document] = []
        self.shortened: dict[str, TableName] = {}
        self.origins: dict[TableName, TableOrigin] = {}

    def texts(self) -> Iterator[str]:
        """The texts that must be embedded; each stands in `to_embed` when it is given."""
        for document in self._documents:
            self.hashes[document.point_id] = document.content_hash
            origin = self.origins.setdefault(document.table, TableOrigin(document.origin, []))
            self.origins[document.table] = origin._replace(
                points=[*origin.points, document.point_id]
            )
            held = self._held.get(document.point_id, {})
            if isinstance(document, KnownPoint) or (
                held.get("content_hash") == document.content_hash
            ):
                self.unchanged += 1
            elif (held.get("text_hash"), held.get("model_digest")) == (
                document.text_hash,
                self._digest,
            ):
                self.to_rewrite.append(document)
            else:
                self.to_embed.append(document)
                yield document.text
                continue
            if held.get(SHORTENED):
                self.shortened[document.point_id] = document.table
