"""The documents of the schema index: the texts that are embedded, and the payload of their points.

Payload keys and who reads them are told in docs/retrieval.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from twd_schema.documentation.cards import write_card
from twd_schema.documentation.facts import TableFacts, facts_of
from twd_schema.documentation.spelling import Spelling, spelling_of
from twd_schema.indexing.chunks import Chunk, chunks_of
from twd_schema.indexing.excerpts import ToldTable
from twd_schema.indexing.origins import KnownPoint, KnownTables, Origins
from twd_shared.clients.catalog import Connection
from twd_shared.clients.index_layout import point_id
from twd_shared.clients.token_budget import TokenBudget
from twd_shared.schema_model.ddl import table_ddl
from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.lengths import (
    LONGEST_COMMENT,
    LONGEST_DDL,
    short_ddl,
    without_comments,
)
from twd_shared.schema_model.models import Column, ForeignKey, Snapshot, Table
from twd_shared.schema_model.secrets import without_secrets
from twd_shared.schema_model.wording import flat, said, shortened
from twd_shared.store.documentation import TableCard
from twd_shared.terms.sparse import (
    TERMS_REVISION,
    SparseTerms,
    document_terms,
    naming_words,
)

_LONGEST_TITLE = 200
_LONGEST_DEFAULT = 500
_MOST_WORDS = 500
# Raise it when some texts are taken apart otherwise, and points of before may be asked meanwhile:
# each is written again in its place. `TERMS_REVISION` rebuilds the index instead.
_WORDS_REVISION = 3
_CACHED_LENGTH = 64


class TermTexts(NamedTuple):
    """What the sparse vector of a document is made of, by weight."""

    names: tuple[str, ...]
    columns: tuple[str, ...]
    prose: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """One text to embed with its point's id and payload.

    `text_hash` is of the text alone: another one must be embedded again. `content_hash` is of
    everything but the snapshot's version: another one must be written again. `origin` is of what
    it was made of.
    """

    point_id: str
    table: TableName
    origin: str
    text: str
    term_texts: TermTexts
    payload: Mapping[str, Any]
    text_hash: str
    content_hash: str

    @property
    def terms(self) -> SparseTerms:
        """The sparse vector, made when asked for: a document that is unchanged needs none."""
        return document_terms(**self.term_texts._asdict())


def each_document(
    connection: Connection,
    snapshot: Snapshot,
    version: int,
    cards: Iterable[TableCard],
    budget: TokenBudget,
) -> Iterator[Document]:
    """The documents of all tables, in the snapshot's order, each made when it is asked for.

    Chunks of a table count from 0. `cards` are the stored documentation: their descriptions and
    categories are told, where their table and column are still there. A table without one is told
    from the snapshot alone. `version` goes into the payload as the version that a point was
    written for.
    """
    for item in each_changed(connection, snapshot, version, cards, budget, {}, ""):
        # Nothing is known of any table.
        if isinstance(item, Document):
            yield item


def each_changed(
    connection: Connection,
    snapshot: Snapshot,
    version: int,
    cards: Iterable[TableCard],
    budget: TokenBudget,
    known: KnownTables,
    revision: str,
) -> Iterator[Document | KnownPoint]:
    """What `each_document` gives, with the known points of a table where nothing else is made.

    `revision` is of the code that makes documents.
    """
    stored = {(card.schema, card.table): card for card in cards}
    facts = facts_of(
        snapshot,
        {name: card.descriptions for name, card in stored.items()},
        {name: card.categories for name, card in stored.items()},
    )
    origins = Origins(connection, snapshot.dialect, budget, revision)
    for table in snapshot.tables:
        facts_of_table = facts[table.schema, table.name]
        if unchanged := origins.unchanged(table, facts_of_table, known):
            yield from unchanged
        else:
            yield from _documents_of_table(origins, table, facts_of_table, version)


def _documents_of_table(
    origins: Origins, table: Table, facts: TableFacts, version: int
) -> Iterator[Document]:
    connection, dialect = origins.connection, origins.dialect
    origin = origins.of(table, facts)
    table = without_secrets(table, dialect)
    spelling = spelling_of(table)
    card = write_card(table, facts, spelling)
    silent = without_comments(table)
    silent_ddl = table_ddl(silent, dialect)
    told = ToldTable(table, facts, spelling, dialect)
    chunks = chunks_of(connection.database_name, told, card, silent_ddl, origins.budget)
    small = _small_payload(connection, table, facts, len(chunks))
    is_silent = silent is table
    ddl = shortened(silent_ddl, LONGEST_DDL) if is_silent else short_ddl(table, dialect)
    large = _large_payload(table, card, ddl)
    for number, chunk in enumerate(chunks):
        texts = _term_texts(connection.database_name, table, facts, spelling, chunk, number)
        payload = {
            **small,
            "chunk": number,
            **(large if number == 0 else {}),
            "words": _words_of(texts),
        }
        text_hash = content_fingerprint([chunk.text])
        encoded = msgspec.json.encode(payload).decode()
        yield Document(
            point_id=point_id(connection.connection_id, table.schema, table.name, number),
            table=(table.schema, table.name),
            origin=origin,
            text=chunk.text,
            term_texts=texts,
            payload={**payload, "snapshot_version": version},
            text_hash=text_hash,
            content_hash=content_fingerprint(
                [text_hash, encoded, str(TERMS_REVISION), str(_WORDS_REVISION)]
            ),
        )


def _small_payload(
    connection: Connection, table: Table, facts: TableFacts, chunk_count: int
) -> dict[str, Any]:
    """What stands in each chunk: identity, and what ranking and joining need."""
    # A table that is not indexed would take the place of one that can be answered with.
    keys = [
        key
        for key in facts.keys
        if (key.referenced_schema, key.referenced_table) not in facts.missing
    ]
    return {
        "connection_id": connection.connection_id,
        "database_name": connection.database_name,
        "schema_name": table.schema,
        "table_name": table.name,
        "kind": table.kind,
        "chunk_count": chunk_count,
        "column_count": len(table.columns),
        "foreign_keys": [_foreign_key(key) for key in keys],
        "referenced_by": [
            {
                "schema_name": reference.source.schema,
                "table_name": reference.source.name,
                "columns": reference.key.columns,
                "referenced_columns": reference.key.referenced_columns,
            }
            for reference in facts.incoming
        ],
    }


def _large_payload(table: Table, card: str, ddl: str) -> dict[str, Any]:
    """What stands in the first chunk alone, as it would be repeated in each of a wide table."""
    key = frozenset(table.primary_key.columns if table.primary_key else ())
    return {
        "ddl": ddl,
        "card": card,
        "columns": [_column(column, column.name in key) for column in table.columns],
    }


def _column(column: Column, in_primary_key: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": column.name,
        "type": column.type,
        "nullable": column.nullable,
        "primary_key": in_primary_key,
    }
    if column.default is not None:
        told["default"] = shortened(column.default, _LONGEST_DEFAULT)
    if column.comment:
        told["comment"] = shortened(flat(column.comment), LONGEST_COMMENT)
    return told


def _foreign_key(key: ForeignKey) -> dict[str, Any]:
    return {
        "columns": key.columns,
        "referenced_schema": key.referenced_schema,
        "referenced_table": key.referenced_table,
        "referenced_columns": key.referenced_columns,
    }


def _term_texts(
    database_name: str,
    table: Table,
    facts: TableFacts,
    spelling: Spelling,
    chunk: Chunk,
    number: int,
) -> TermTexts:
    description = facts.descriptions.get("", "")
    comment = flat(table.comment or "")
    title = shortened(description or comment, _LONGEST_TITLE)
    columns: list[str] = [chunk.piece] if chunk.piece else []
    for column in chunk.columns:
        columns += _names(column.name, spelling.columns[column.name])
        columns += facts.values_of(column.name, column.type)
        columns += filter(None, (facts.descriptions.get(column.name), column.comment))
    prose = (database_name, table.schema)
    if number == 0:
        # The title has told one of them already, or its beginning.
        prose += (description if len(description) > _LONGEST_TITLE else "",)
        prose += (comment if description or len(comment) > _LONGEST_TITLE else "",)
    return TermTexts(
        names=tuple(filter(None, (*_names(table.name, spelling.table), title))),
        columns=tuple(columns),
        prose=tuple(filter(None, prose)),
    )


def _names(name: str, spelled: str) -> tuple[str, ...]:
    """The name, and its spelling if that tells more."""
    return (name,) if spelled == said(name) else (name, spelled)


def _words_of(texts: TermTexts) -> list[str]:
    """Stems of what a chunk tells, sorted; the first so many of a text of megabytes."""
    found: dict[str, None] = {}
    for text in (*texts.names, *texts.columns):
        stems = _stems_of_name(text) if len(text) <= _CACHED_LENGTH else naming_words(text)
        found.update(dict.fromkeys(stems))
        if len(found) > _MOST_WORDS:
            break
    return sorted(islice(found, _MOST_WORDS))


# Names come again in most tables: id, name, created_at.
@lru_cache(maxsize=65536)
def _stems_of_name(name: str) -> tuple[str, ...]:
    return tuple(naming_words(name))
