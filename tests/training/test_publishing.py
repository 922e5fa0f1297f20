"""Versions of a knowledge base on a real Qdrant protocol: whole, unchanged, killed, rolled back."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from qdrant_client import QdrantClient

from twd_shared.clients.ollama import EmbeddingModel, Ollama
from twd_shared.errors import IndexUnavailable
from twd_shared.store.snapshots import SnapshotStore
from twd_training.evaluation.gate import Gate
from twd_training.examples.models import TrainingItem
from twd_training.knowledge_base.collections import Collections
from twd_training.knowledge_base.documents import Document
from twd_training.knowledge_base.material import Material
from twd_training.knowledge_base.names import PARTS, alias_of, collection_of
from twd_training.knowledge_base.publishing import Published, Publisher
from twd_training.knowledge_base.versions import ModelVersions
from twd_training.knowledge_base.withdrawal import Withdrawal

from .conftest import Location, snapshot_of

pytestmark = pytest.mark.integration

DDL = Document("ddl", "schema", "CREATE TABLE public.customer (id int);", ("public.customer",))
NOTE = Document("documentation", "user", "Customers buy things.", ("public.customer",))
PAIR = Document("sql", "user", "select 1", ("public.customer",), "One customer?")


class Base:
    """The knowledge base of one connection, its store and its servers."""

    def __init__(self, location: Location) -> None:
        self.connection_id = location.connection_id
        self.key = location.key
        self.client: QdrantClient = location.resources["qdrant"].client
        self.ollama: Ollama = location.resources["ollama"].client
        self.database = location.database
        self.versions = ModelVersions(location.database)
        self.collections = Collections(self.client, location.key)

    def publish(self, *documents: Document, snapshot: int = 1) -> Published:
        """Publish them as what an empty schema and the users of these documents give."""
        items = [_item(document) for document in documents if document.source == "user"]
        material = Material(snapshot, snapshot_of(), (), items, documents)
        gate = Gate(material, self.collections, self.ollama, 0.01, 0.6)
        withdrawal = Withdrawal(
            self.connection_id,
            material,
            SnapshotStore(self.database),
            self.versions,
            self.collections,
        )
        return Publisher(
            self.connection_id, self.collections, self.versions, self.ollama, gate, withdrawal
        ).publish(material)

    def served(self, part: Any) -> set[str]:
        records, _ = self.client.scroll(alias_of(self.key, part), limit=100)
        keys = ("ddl", "documentation", "question", "page_content")
        return {p[key] for r in records for p in [r.payload or {}] for key in keys if key in p}


def _item(document: Document) -> TrainingItem:
    kind = "question_sql" if document.part == "sql" else document.part
    return TrainingItem(
        uuid.uuid4(), kind, document.question, document.text, "h", document.tables, True
    )


@pytest.fixture
def base(location: Location) -> Base:
    return Base(location)


def test_a_first_version_is_served_in_all_parts(base: Base) -> None:
    published = base.publish(DDL, NOTE, PAIR)
    # The question of a pair is embedded by itself as well, for the memory.
    assert (published.is_new, published.added, published.embedded) == (True, 3, 4)
    assert base.served("ddl") == {DDL.text}
    assert base.served("documentation") == {NOTE.text}
    assert base.served("sql") == {"One customer?"}
    assert base.served("langchain") == {DDL.text, NOTE.text, PAIR.searchable}
    live = base.versions.live(base.connection_id)
    assert live is not None
    assert live.collections == base.collections.names(1)


def test_collections_are_as_vanna_and_langchain_make_them(base: Base) -> None:
    base.publish(DDL, NOTE, PAIR)
    for part in PARTS:
        alias = alias_of(base.key, part)
        assert base.client.collection_exists(alias)
        vectors: Any = base.client.get_collection(alias).config.params.vectors
        assert (vectors.size, vectors.distance.value) == (768, "Cosine")
    [vector] = base.ollama.embed(["customers"], "query")
    found = base.client.query_points(alias_of(base.key, "sql"), query=vector, limit=10)
    assert [(p.payload or {})["sql"] for p in found.points] == ["select 1"]
    [document] = base.client.query_points(
        alias_of(base.key, "langchain"), query=vector, limit=1, with_payload=True
    ).points
    assert {"page_content", "metadata"} == (document.payload or {}).keys()


def test_the_same_content_makes_no_version_and_notes_the_newer_snapshot(base: Base) -> None:
    base.publish(DDL, NOTE)
    again = base.publish(NOTE, DDL, snapshot=2)
    assert (again.is_new, again.unchanged, again.embedded) == (False, 2, 0)
    live = base.versions.live(base.connection_id)
    assert live is not None
    assert (live.version, live.snapshot_version) == (1, 2)


def test_only_what_is_new_is_embedded_and_two_versions_are_kept(base: Base) -> None:
    base.publish(DDL, NOTE)
    second = base.publish(DDL, PAIR)
    assert (second.added, second.unchanged, second.removed, second.embedded) == (1, 1, 1, 2)
    assert base.served("documentation") == set()
    assert base.collections.present() == {1, 2}
    base.publish(DDL)
    assert base.collections.present() == {2, 3}
    assert base.versions.kept(base.connection_id).keys() == {2, 3}


def test_a_text_that_stands_in_several_documents_is_embedded_once(base: Base) -> None:
    same_text = Document("documentation", "user", DDL.text, DDL.tables)
    same_question = Document("sql", "user", "select 2", PAIR.tables, PAIR.question)
    # The text, both pairs, their question.
    assert base.publish(DDL, same_text, PAIR, same_question).embedded == 4
    assert base.publish(same_text, same_question).embedded == 0


def test_a_version_of_the_release_before_gets_its_memory_with_the_next(base: Base) -> None:
    base.publish(DDL, NOTE, PAIR)
    base.client.delete_collection(collection_of(base.key, "memory", 1))
    again = base.publish(DDL, NOTE, PAIR)
    assert (again.is_new, again.unchanged, again.added, again.removed) == (True, 3, 0, 0)
    # Only the question alone is a new text.
    assert again.embedded == 1
    assert base.client.count(alias_of(base.key, "memory")).count == 2
    assert base.publish(DDL, NOTE, PAIR).is_new is False


def test_copied_vectors_find_what_fresh_ones_find(base: Base) -> None:
    base.publish(DDL, NOTE)
    [vector] = base.ollama.embed([NOTE.text], "document")
    base.publish(DDL, NOTE, PAIR)
    [best] = base.client.query_points(
        alias_of(base.key, "documentation"), query=vector, limit=1
    ).points
    assert best.score == pytest.approx(1, abs=1e-5)


def test_a_run_killed_while_building_leaves_readers_alone_and_is_taken_over(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    base.publish(DDL)
    with monkeypatch.context() as patch:
        patch.setattr(Collections, "serve", _killed)
        with pytest.raises(KeyboardInterrupt):
            base.publish(DDL, NOTE)
    assert base.served("langchain") == {DDL.text}
    assert base.collections.present() == {1, 2}
    done = base.publish(DDL, NOTE)
    assert (done.version.version, done.embedded, done.added) == (2, 0, 1)
    assert base.served("langchain") == {DDL.text, NOTE.text}


def test_a_run_killed_between_swap_and_record_ends_right(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    base.publish(DDL)
    with monkeypatch.context() as patch:
        patch.setattr(ModelVersions, "make_live", _killed)
        with pytest.raises(KeyboardInterrupt):
            base.publish(DDL, NOTE)
    assert base.served("langchain") == {DDL.text, NOTE.text}
    done = base.publish(DDL, NOTE)
    assert (done.embedded, done.is_new, done.version.version) == (0, False, 2)
    live = base.versions.live(base.connection_id)
    assert live is not None
    assert live.version == done.version.version == base.collections.served()
    assert base.served("langchain") == {DDL.text, NOTE.text}
    assert live.version in base.collections.present()


def test_a_wiped_server_is_filled_again(base: Base) -> None:
    base.publish(DDL, NOTE)
    base.collections.drop(base.collections.present())
    again = base.publish(DDL, NOTE)
    assert (again.is_new, again.embedded) == (True, 2)
    assert base.served("langchain") == {DDL.text, NOTE.text}
    assert base.versions.kept(base.connection_id).keys() == {again.version.version}


def test_a_lost_point_is_noticed(base: Base) -> None:
    base.publish(DDL, NOTE)
    base.client.delete(alias_of(base.key, "documentation"), [NOTE.point_id], wait=True)
    again = base.publish(DDL, NOTE)
    assert (again.is_new, again.embedded) == (True, 0)
    assert base.served("documentation") == {NOTE.text}


def test_going_back_to_the_version_before_is_respected(base: Base) -> None:
    base.publish(DDL)
    base.publish(DDL, NOTE)
    base.collections.serve(1)
    again = base.publish(DDL)
    assert (again.is_new, again.version.version) == (False, 1)
    live = base.versions.live(base.connection_id)
    assert live is not None
    assert live.version == 1


def test_counts_that_differ_swap_nothing(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    base.publish(DDL)
    written = Collections.write

    def lossy(self: Collections, version: int, documents: Any, vectors: Any, model: str) -> None:
        written(self, version, documents[:1], vectors, model)

    monkeypatch.setattr(Collections, "write", lossy)
    with pytest.raises(IndexUnavailable, match="Nothing was swapped"):
        base.publish(DDL, NOTE)
    assert base.served("langchain") == {DDL.text}


def test_another_model_embeds_everything_again(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    base.publish(DDL, NOTE)
    model = base.ollama.embedding_model()
    monkeypatch.setattr(
        Ollama,
        "embedding_model",
        lambda _: EmbeddingModel(model.name, "another digest", model.dimension),
    )
    monkeypatch.setattr(Ollama, "digest", lambda _: "another digest")
    again = base.publish(DDL, NOTE)
    assert (again.is_new, again.embedded, again.unchanged) == (True, 2, 2)


def test_a_text_beyond_the_models_context_is_published_whole(base: Base) -> None:
    # Spelled so that the estimate of tokens is too low for the model.
    long = Document("documentation", "user", "a1" * 40_000 + " \u3042" * 3000, ())
    published = base.publish(DDL, long)
    assert published.embedded == 2
    assert base.served("documentation") == {long.text}


def test_one_holder_at_a_time(base: Base) -> None:
    with (
        base.versions.exclusive(base.connection_id) as first,
        base.versions.exclusive_at_once(base.connection_id) as second,
        base.versions.exclusive_at_once("8") as of_another,
    ):
        assert (first is None, second is None, of_another is None) == (False, True, False)


def _killed(*_: object) -> None:
    raise KeyboardInterrupt
