"""What a knowledge base is made of: documents from the schema, its documentation and users.

Pure functions from values to documents. Not here: embedding and publishing (`publishing.py`).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

from twd_shared.clients.embedding_models import Purpose
from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.schema_model.keys import keys_of_tables
from twd_shared.schema_model.lengths import short_ddl
from twd_shared.schema_model.models import Snapshot
from twd_shared.schema_model.secrets import without_secrets
from twd_shared.schema_model.wording import relationship
from twd_shared.store.documentation import TableCard
from twd_training.examples.models import TrainingItem

Source = Literal["schema", "relationship", "card", "user"]
DocumentPart = Literal["ddl", "documentation", "sql"]

# Raised when documents of equal content are written in another form: they are published anew.
_FORM = "2"
_NO_NAMESPACE = uuid.UUID(int=0)
# Of memories, fixed: equal content makes equal points. Vanna 2 looks for the newest pairs among the
# newest memories of both kinds, so pairs are the newer ones.
_TIME_OF_TEXTS, _TIME_OF_PAIRS = "1970-01-01T00:00:00", "1970-01-01T00:00:01"

PURPOSES: tuple[Purpose, ...] = ("document", "query")
"""For what the texts of a knowledge base are embedded."""


class EmbeddedText(NamedTuple):
    """A text as it is embedded: the same text has another vector for another purpose."""

    text: str
    purpose: Purpose = "document"


# Not of slots: each document is hashed once, and asked for its hash some ten times.
@dataclass(frozen=True)
class Document:
    """One entry of a knowledge base; `tables` are the `schema.table` labels that it is about.

    `text` is the DDL or the documentation; of a question/SQL pair it is the SQL.
    """

    part: DocumentPart
    source: Source
    text: str
    tables: tuple[str, ...]
    question: str | None = None

    @property
    def searchable(self) -> str:
        """The text that is embedded; of a pair as Vanna 0.7.9 words it."""
        if self.question is None:
            return self.text
        return f"Question: {self.question}\n\nSQL: {self.text}"

    @property
    def content(self) -> EmbeddedText:
        """What the vector of the document is made of, in its own part and in `langchain`."""
        return EmbeddedText(self.searchable)

    @property
    def remembered(self) -> EmbeddedText | None:
        """What its vector in `memory` is made of: a question alone; None = it is not there.

        Vanna 2 has no place for DDL. A remembered question is compared with questions, so it is
        embedded as one.
        """
        if self.part == "ddl":
            return None
        return self.content if self.question is None else EmbeddedText(self.question, "query")

    @property
    def texts(self) -> set[EmbeddedText]:
        """All that is embedded of it."""
        return {text for text in (self.content, self.remembered) if text is not None}

    @cached_property
    def content_hash(self) -> str:
        """Hash of everything that is published of the document."""
        return content_fingerprint(
            (self.part, self.source, self.searchable, self.question or "", *self.tables)
        )

    @cached_property
    def point_id(self) -> str:
        """The id that Vanna 0.7.9 (`utils.deterministic_uuid`) gives to the same content."""
        digest = hashlib.sha256(self.searchable.encode()).hexdigest()
        return str(uuid.uuid5(_NO_NAMESPACE, digest))

    def payload(self, model: str) -> dict[str, Any]:
        """Payload in Vanna's collection of this part, with our own keys behind Vanna's."""
        if self.part == "sql":
            content = {"question": self.question, "sql": self.text}
        else:
            content = {self.part: self.text}
        return content | self._ours(model)

    def langchain_payload(self, model: str) -> dict[str, Any]:
        """Payload as `langchain_qdrant.QdrantVectorStore` reads it."""
        metadata = {"kind": self.part, **self._ours(model)}
        if self.part == "sql":
            metadata |= {"question": self.question, "sql": self.text}
        return {"page_content": self.searchable, "metadata": metadata}

    def memory_payload(self, model: str) -> dict[str, Any]:
        """Payload as Vanna 2's `QdrantAgentMemory` reads it: a use of a tool, or a text."""
        memory: dict[str, Any]
        if self.question is None:
            memory = {"content": self.text, "timestamp": _TIME_OF_TEXTS, "is_text_memory": True}
        else:
            memory = {
                "question": self.question,
                "tool_name": "run_sql",
                "args": {"sql": self.text},
                "timestamp": _TIME_OF_PAIRS,
                "success": True,
            }
        return memory | {"metadata": self._ours(model)}

    def _ours(self, model: str) -> dict[str, Any]:
        return {
            "source": self.source,
            "tables": list(self.tables),
            "content_hash": self.content_hash,
            "model": model,
        }


def documents_of(
    snapshot: Snapshot, cards: Sequence[TableCard], items: Sequence[TrainingItem]
) -> list[Document]:
    """All documents of a connection, each content once, in a fixed order.

    A card of a table that the snapshot no longer has is left out.
    """
    tables = {(table.schema, table.name): table for table in snapshot.tables}
    keys = keys_of_tables(snapshot)
    documents = [
        Document("ddl", "schema", ddl, (table.label,))
        for table in snapshot.tables
        if (ddl := short_ddl(without_secrets(table, snapshot.dialect), snapshot.dialect))
    ]
    documents += [
        Document("documentation", "relationship", relationship(table, key), ends)
        for table in snapshot.tables
        for key in keys[table.schema, table.name]
        for ends in [(table.label, f"{key.referenced_schema}.{key.referenced_table}")]
    ]
    documents += [
        Document("documentation", "card", card.card, (tables[card.schema, card.table].label,))
        for card in cards
        if (card.schema, card.table) in tables
    ]
    documents += [_of_user(item) for item in items]
    once = {(document.part, document.searchable): document for document in reversed(documents)}
    return sorted(once.values(), key=lambda one: (one.part, one.source, one.searchable))


def content_hash_of(documents: Iterable[Document]) -> str:
    """Hash of a whole knowledge base; the order of its documents does not matter."""
    return content_fingerprint((_FORM, *sorted(item.content_hash for item in documents)))


def _of_user(item: TrainingItem) -> Document:
    if item.kind == "question_sql":
        return Document("sql", "user", item.content, item.tables, item.question)
    return Document(item.kind, "user", item.content, item.tables)
