"""Which tables of a connection a question is about, from the schema index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from twd_shared.clients.ollama import Ollama
from twd_shared.clients.schema_index import Hit, SchemaIndex

# How many points are asked for to find one table.
_POINTS_A_TABLE = 4


@dataclass(frozen=True, slots=True)
class RetrievedTable:
    """A table with its similarity score (cosine, higher is nearer) and its DDL."""

    schema: str
    table: str
    score: float
    ddl: str

    @property
    def label(self) -> str:
        """`schema.table`, for people."""
        return f"{self.schema}.{self.table}"


def retrieve_tables(
    question: str, *, connection_id: str, index: SchemaIndex, ollama: Ollama, limit: int = 5
) -> list[RetrievedTable]:
    """The `limit` tables of the connection nearest to the question, best first.

    Raises the errors of the embedding and the index, IndexRejected also when the index was made by
    another model; [] when nothing is indexed.
    """
    vectors = ollama.embed([question], "query")
    [tables] = nearest_tables(
        vectors,
        connection_id=connection_id,
        index=index,
        model=ollama.embed_model,
        limit=limit,
    )
    return tables


def nearest_tables(
    vectors: Sequence[Sequence[float]],
    *,
    connection_id: str,
    index: SchemaIndex,
    model: str,
    limit: int = 5,
) -> list[list[RetrievedTable]]:
    """What `retrieve_tables` gives for each question; `vectors` are their embeddings by `model`."""
    # A wide table has several points, and only the nearest of them counts.
    found = index.search_many(connection_id, vectors, limit * _POINTS_A_TABLE, model)
    return [_tables(hits)[:limit] for hits in found]


def _tables(hits: Iterable[Hit]) -> list[RetrievedTable]:
    nearest: dict[tuple[str, str], RetrievedTable] = {}
    for hit in hits:
        table = RetrievedTable(
            schema=str(hit.payload["schema_name"]),
            table=str(hit.payload["table_name"]),
            score=hit.score,
            ddl=str(hit.payload["ddl"]),
        )
        nearest.setdefault((table.schema, table.table), table)
    return list(nearest.values())
