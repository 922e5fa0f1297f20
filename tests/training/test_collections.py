"""Collections and aliases of a knowledge base: its memory, and names that somebody else took."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from qdrant_client import QdrantClient, models

from twd_shared.clients.embedding import embed_within
from twd_shared.clients.ollama import Ollama
from twd_shared.errors import IndexRejected
from twd_training.knowledge_base.collections import Collections
from twd_training.knowledge_base.documents import PURPOSES, Document, EmbeddedText
from twd_training.knowledge_base.names import PARTS, alias_of, collection_of

from .conftest import Location

pytestmark = pytest.mark.integration

DDL = Document("ddl", "schema", "CREATE TABLE public.customer (id int);", ("public.customer",))
NOTE = Document("documentation", "user", "Customers buy things.", ("public.customer",))
PAIR = Document("sql", "user", "select 1", ("public.customer",), "One customer?")
MODEL = "twd-lexical@digest"


class Base:
    """Versions of one connection's knowledge base, written without a training."""

    def __init__(self, location: Location) -> None:
        self.key = location.key
        self.client: QdrantClient = location.resources["qdrant"].client
        self.ollama: Ollama = location.resources["ollama"].client
        self.collections = Collections(self.client, location.key)

    def write(self, version: int, *documents: Document) -> None:
        vectors: dict[EmbeddedText, Any] = {}
        texts = {one for item in documents for one in (item.content, item.remembered) if one}
        for purpose in PURPOSES:
            wanted = [one for one in texts if one.purpose == purpose]
            found = embed_within(self.ollama, [one.text for one in wanted], purpose)
            vectors.update(zip(wanted, found, strict=True))
        self.collections.create(version, 768)
        self.collections.write(version, documents, vectors, MODEL)

    def publish(self, version: int, *documents: Document) -> None:
        self.write(version, *documents)
        self.collections.serve(version)

    def take_name(self, part: Any, points: int = 0) -> str:
        """What a reader does that comes before the first version: a collection like an alias."""
        name = alias_of(self.key, part)
        vectors = models.VectorParams(size=2, distance=models.Distance.COSINE)
        self.client.create_collection(name, vectors_config=vectors)
        if points:
            self.client.upsert(
                name,
                [models.PointStruct(id=number, vector=[1, number]) for number in range(points)],
                wait=True,
            )
        return name

    def forget_memory(self, version: int) -> None:
        """Make a version one of the release before, which published no memory."""
        self.client.delete_collection(collection_of(self.key, "memory", version))


@pytest.fixture
def base(location: Location) -> Base:
    return Base(location)


def test_a_pair_is_remembered_by_its_question_alone_and_a_text_by_itself(base: Base) -> None:
    base.publish(1, DDL, NOTE, PAIR)
    memory = alias_of(base.key, "memory")
    for text, purpose, payload_key in (
        ("One customer?", "query", "question"),
        (NOTE.text, "document", "content"),
    ):
        [vector] = base.ollama.embed([text], purpose)  # pyright: ignore[reportArgumentType]
        best = base.client.query_points(memory, query=vector, limit=1).points[0]
        assert (best.payload or {})[payload_key] == text
        assert best.score == pytest.approx(1, abs=1e-5)
    assert base.client.count(memory).count == 2


def test_vectors_of_a_version_are_given_by_text_and_purpose(base: Base) -> None:
    base.write(1, DDL, NOTE, PAIR)
    held = base.collections.vectors(1, MODEL)
    assert held.keys() == {
        EmbeddedText(DDL.text),
        EmbeddedText(NOTE.text),
        EmbeddedText(PAIR.searchable),
        EmbeddedText("One customer?", "query"),
    }
    assert base.collections.vectors(1, "another model") == {}


def test_a_search_without_texts_finds_the_same_and_leaves_out_what_was_embedded(base: Base) -> None:
    base.write(1, DDL, NOTE, PAIR)
    [vector] = base.ollama.embed(["Which customers?"], "query")
    [whole] = base.collections.search(1, [vector], 3)
    [bare] = base.collections.search(1, [vector], 3, texts=False)
    assert {one.text for one in whole} == {DDL.text, NOTE.text, PAIR.searchable}
    assert bare == [replace(one, text="") for one in whole]


def test_a_version_without_a_memory_is_served_whole_and_is_not_complete(base: Base) -> None:
    base.publish(1, DDL, NOTE)
    base.forget_memory(1)
    assert base.collections.served() == 1
    assert base.collections.counts(1) is None
    assert base.collections.vectors(1, MODEL).keys() == {DDL.content, NOTE.content}


def test_a_version_of_a_release_without_payload_indexes_gets_them(base: Base) -> None:
    base.publish(1, DDL, NOTE)
    base.forget_memory(1)
    langchain = alias_of(base.key, "langchain")
    made = base.client.get_collection(langchain).payload_schema.keys()
    for field in made:
        base.client.delete_payload_index(collection_of(base.key, "langchain", 1), field, wait=True)
    base.collections.complete(1)
    assert base.client.get_collection(langchain).payload_schema.keys() == made
    assert "metadata.kind" in made


def test_a_version_that_lost_only_the_alias_of_its_memory_is_not_served(base: Base) -> None:
    base.publish(1, DDL, NOTE)
    alias = models.DeleteAlias(alias_name=alias_of(base.key, "memory"))
    base.client.update_collection_aliases([models.DeleteAliasOperation(delete_alias=alias)])
    assert base.collections.served() is None


def test_going_back_to_a_version_without_a_memory_serves_no_newer_memory(base: Base) -> None:
    base.publish(1, DDL)
    base.forget_memory(1)
    base.publish(2, DDL, NOTE)
    base.collections.serve(1)
    assert base.collections.served() == 1
    assert not base.client.collection_exists(alias_of(base.key, "memory"))


def test_a_server_that_dies_within_a_swap_loses_no_alias(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    base.publish(1, DDL, NOTE)
    base.write(2, DDL)
    move = base.client.update_collection_aliases
    monkeypatch.setattr(
        base.client, "update_collection_aliases", lambda operations: move(operations[:1])
    )
    base.collections.serve(2)
    assert all(base.client.collection_exists(alias_of(base.key, part)) for part in PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_an_empty_collection_in_an_aliass_place_gives_way(base: Base, part: str) -> None:
    name = base.take_name(part)
    base.write(1, DDL, NOTE, PAIR)
    # A reader goes on finding it, empty, until there is something to serve.
    assert base.client.collection_exists(name)
    base.collections.serve(1)
    assert base.collections.served() == 1


def test_a_collection_with_points_in_an_aliass_place_is_left_alone_and_named(base: Base) -> None:
    name = base.take_name("sql", points=3)
    base.take_name("ddl")
    with pytest.raises(IndexRejected, match="Delete them or copy them") as refused:
        base.collections.require_free_aliases()
    assert f"{name} (3 points)" in str(refused.value)
    assert base.collections.present() == set()
    assert base.client.count(name).count == 3
    base.client.delete_collection(name)


def test_points_that_come_while_a_version_is_built_are_not_deleted(base: Base) -> None:
    base.publish(1, DDL)
    base.write(2, DDL, NOTE)
    base.collections.drop({1})
    name = base.take_name("documentation", points=1)
    with pytest.raises(IndexRejected, match=name):
        base.collections.serve(2)
    assert base.client.count(name).count == 1
    base.client.delete_collection(name)


def test_with_the_last_version_go_empty_collections_in_its_aliases_place(base: Base) -> None:
    base.write(1, DDL)
    empty, full = base.take_name("ddl"), base.take_name("sql", points=1)
    base.collections.drop({1})
    assert not base.client.collection_exists(empty)
    assert base.client.collection_exists(full)
    base.client.delete_collection(full)


def test_an_earlier_version_is_dropped_without_touching_what_readers_made(base: Base) -> None:
    base.write(1, DDL)
    base.write(2, DDL)
    name = base.take_name("ddl")
    base.collections.drop({1})
    assert base.client.collection_exists(name)
    base.collections.drop({2})
