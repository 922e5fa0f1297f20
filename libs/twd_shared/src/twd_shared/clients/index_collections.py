"""Physical collections of the schema index: their names, what made them, how one is created.

What made a collection stands in its own metadata (Qdrant 1.16 or newer), so that whoever reads it
asks with the right model, whatever is configured by then. Which one is served: `schema_index.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

import msgspec
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from twd_shared.clients.index_layout import DENSE, LAYOUT, TERMS
from twd_shared.clients.ollama import EmbeddingModel
from twd_shared.clients.qdrant import index_errors
from twd_shared.clients.token_budget import TokenBudget
from twd_shared.errors import IndexRejected

_LONGEST_SLUG = 80
_KEYWORD = models.KeywordIndexType.KEYWORD
# Reads are for one connection; marks are counted, and what is shortened is found, without reading
# payloads from the disk.
_PAYLOAD_INDEXES = {
    "connection_id": models.KeywordIndexParams(type=_KEYWORD, is_tenant=True),
    "content_mark": models.KeywordIndexParams(type=_KEYWORD),
    "shortened": models.BoolIndexParams(type=models.BoolIndexType.BOOL),
}


class Making(NamedTuple):
    """What must be equal for points to be compared with each other."""

    model: str
    model_digest: str
    dimension: int
    layout: str


@dataclass(frozen=True, slots=True)
class IndexCollection:
    """A physical collection and what made it; `token_budget` is that of its model, measured once.

    The same budget divides the same table into the same chunks, whenever it is published.
    """

    name: str
    model: str
    model_digest: str
    dimension: int
    layout: str
    token_budget: TokenBudget

    @property
    def making(self) -> Making:
        """Model, digest, dimension and layout."""
        return Making(self.model, self.model_digest, self.dimension, self.layout)


class _Made(msgspec.Struct, frozen=True):
    """A collection's metadata."""

    model: str
    model_digest: str
    dimension: int
    layout: str
    token_budget: TokenBudget


def making_of(model: EmbeddingModel) -> Making:
    """What a collection is made by today: this model, and the layout of this code."""
    return Making(model.name, model.digest, model.dimension, LAYOUT)


def pattern_of(alias: str) -> re.Pattern[str]:
    """Names of the physical collections behind `alias`; those of old had no number."""
    return re.compile(rf"{re.escape(alias)}__[a-z0-9-]*__\d+(?:__(?P<number>\d+))?")


def collection_name(alias: str, making: Making, number: int) -> str:
    """`{alias}__{model}__{dimension}__{number}`."""
    slug = re.sub(r"[^a-z0-9]+", "-", making.model.lower()).strip("-")[:_LONGEST_SLUG]
    return f"{alias}__{slug}__{making.dimension}__{number}"


def create_collection(
    client: QdrantClient, name: str, making: Making, token_budget: TokenBudget
) -> IndexCollection:
    """Create it with its metadata, or complete one of the same making that a killed run left.

    Raises IndexRejected when there is one of this name that something else made, and when the
    server keeps no metadata; then nothing is left of it.
    """
    try:
        if _create(client, name, _Made(*making, token_budget)):
            _require_metadata(client, name)
        complete_collection(client, name)
    except IndexRejected as error:
        raise IndexRejected(f"Collection {name} of the schema index: {error}") from None
    found = read_collection(client, name)
    if found.making != making:
        raise IndexRejected(
            f"Collection {name} of the schema index was made by {describe(found.making)}, not by "
            f"{describe(making)}. Delete it, if nothing uses it."
        )
    return found


def _create(client: QdrantClient, name: str, made: _Made) -> bool:
    """Whether it was created; False if it was there: somebody else's import was quicker."""
    dense = models.VectorParams(size=made.dimension, distance=models.Distance.COSINE)
    terms = models.SparseVectorParams(modifier=models.Modifier.IDF)
    with index_errors(client):
        try:
            return client.create_collection(
                name,
                vectors_config={DENSE: dense},
                sparse_vectors_config={TERMS: terms},
                metadata=msgspec.to_builtins(made),
            )
        except UnexpectedResponse as error:
            if error.status_code != HTTPStatus.CONFLICT:
                raise
            return False


def _require_metadata(client: QdrantClient, name: str) -> None:
    """Delete a collection again, which is new, if the server has dropped what it was told."""
    with index_errors(client):
        if client.get_collection(name).config.metadata:
            return
        client.delete_collection(name)
    raise IndexRejected(
        "the server did not keep its metadata, so that nobody could tell which model made it. "
        "Qdrant 1.16 or newer is needed; nothing was changed."
    )


def complete_collection(client: QdrantClient, name: str) -> None:
    """Create the payload indexes that are missing."""
    with index_errors(client):
        present = client.get_collection(name).payload_schema
        for field, parameters in _PAYLOAD_INDEXES.items():
            if field not in present:
                client.create_payload_index(name, field, parameters, wait=True)


def read_collection(client: QdrantClient, name: str) -> IndexCollection:
    """The collection of that name.

    Raises IndexRejected when it is not there, does not say what made it, or has other vectors than
    it says.
    """
    with index_errors(client):
        try:
            config = client.get_collection(name).config
        except UnexpectedResponse as error:
            if error.status_code != HTTPStatus.NOT_FOUND:
                raise
            raise IndexRejected(
                f"Collection {name} of the schema index does not exist. {REMEDY}"
            ) from None
    try:
        made = msgspec.convert(config.metadata, _Made)
    except msgspec.ValidationError:
        raise IndexRejected(
            f"Collection {name} does not say which model made it: it is older than this version, "
            f"or of a Qdrant before 1.16. {REMEDY}"
        ) from None
    vectors = config.params.vectors
    dense = vectors.get(DENSE) if isinstance(vectors, dict) else None
    size = dense.size if dense else None
    if size != made.dimension or TERMS not in (config.params.sparse_vectors or {}):
        raise IndexRejected(
            f"Collection {name} holds vectors of {size or 'no known'} dimensions, but model "
            f"{made.model}, which is said to have made it, gives {made.dimension}. {REMEDY}"
        )
    return IndexCollection(
        name, made.model, made.model_digest, made.dimension, made.layout, made.token_budget
    )


REMEDY = "Run index_migration_job (make migrate-index): it builds a new index beside this one."
"""What an operator does about an index that cannot be used."""


def describe(making: Making) -> str:
    """For people: which model of how many dimensions."""
    return (
        f"{making.model} ({making.dimension} dimensions, digest "
        f"{making.model_digest[:12] or 'unknown'}, layout {making.layout})"
    )
