"""Publishing to the schema index: only what is new is embedded, and no failure loses anything."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import msgspec
import pytest

from twd_schema.indexing import publication
from twd_schema.indexing.documents import documents_of
from twd_schema.indexing.publication import Publication, Publisher
from twd_shared.clients import ollama
from twd_shared.clients.catalog import Connection
from twd_shared.clients.schema_index import Point, point_id
from twd_shared.errors import (
    EmbeddingRejected,
    EmbeddingUnavailable,
    IndexRejected,
    IndexUnavailable,
    ModelUnavailable,
    TextTooLong,
)
from twd_shared.resources.servers import OllamaResource, QdrantResource
from twd_shared.retrieval.search import retrieve_tables
from twd_shared.schema_model.models import Column, Snapshot, Table

SHOP = Connection("7", "shop", "postgresql", True, "postgresql://u:p@h/shop")
LONGEST_TEXT = 6000


def table(name: str, *columns: str) -> Table:
    return Table(
        schema="public",
        name=name,
        kind="table",
        columns=tuple(Column(name=column, type="integer") for column in columns),
    )


def snapshot(*tables: Table) -> Snapshot:
    return Snapshot(dialect="postgresql", database_name="shop", server_version="16", tables=tables)


SIX = [table(name, "id") for name in ("actors", "books", "cities", "dogs", "eggs", "films")]


class Shop:
    """The connection's share of the index: published and asked."""

    def __init__(self, resources: dict[str, Any]) -> None:
        self.resources = resources
        self.store = resources["metadata_store"]
        self.store.connections.register([SHOP])

    def publish(self, *tables: Table, version: int = 1) -> Publication:
        publisher = Publisher(
            self.resources["qdrant"].schema_index,
            self.resources["ollama"].client,
            self.store.index_states,
        )
        return publisher.publish(SHOP, snapshot(*tables), version)

    def find(self, question: str, limit: int = 5) -> list[str]:
        found = retrieve_tables(
            question,
            connection_id="7",
            index=self.resources["qdrant"].schema_index,
            ollama=self.resources["ollama"].client,
            limit=limit,
        )
        return [item.table for item in found]


@pytest.fixture
def shop(resources: dict[str, Any]) -> Shop:
    return Shop(resources)


@pytest.fixture
def no_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama, "_ATTEMPTS", 1)


def test_a_second_publication_embeds_nothing(shop: Shop) -> None:
    first, second = shop.publish(*SIX), shop.publish(*SIX, version=2)
    assert (first.embedded, first.expected, first.present) == (6, 6, 6)
    assert (second.embedded, second.unchanged, second.deleted) == (0, 6, 0)
    assert first.state.content_hash == second.state.content_hash


def test_only_what_changed_is_embedded_and_what_is_gone_is_deleted(shop: Shop) -> None:
    shop.publish(*SIX)
    changed = shop.publish(table("actors", "id", "name"), *SIX[1:5], version=2)
    assert (changed.embedded, changed.unchanged, changed.deleted) == (1, 4, 1)
    assert sorted(shop.find("films", limit=10)) == ["actors", "books", "cities", "dogs", "eggs"]


def test_another_connections_points_are_left_alone(shop: Shop) -> None:
    shop.publish(*SIX)
    index = shop.resources["qdrant"].schema_index
    other = Connection("8", "shop", "postgresql", True, "postgresql://u:p@h/shop")
    shop.store.connections.register([other])
    publisher = Publisher(index, shop.resources["ollama"].client, shop.store.index_states)
    publisher.publish(other, snapshot(SIX[0]), 1)
    index.delete_connection("8")
    assert len(shop.find("films", limit=10)) == 6


def test_a_publication_that_was_cut_off_goes_on_where_it_stopped(
    shop: Shop,
    faults: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    no_second_try: None,
) -> None:
    monkeypatch.setattr(publication, "_SLICE", 2)
    # The model is asked once for its dimension, then for two slices of two.
    faults("ollama", {"path": "/api/embed", "status": 500, "skip": 3})
    with pytest.raises(EmbeddingUnavailable, match="failed on /api/embed"):
        shop.publish(*SIX)
    assert shop.store.index_states.get("7") is None
    faults("ollama")
    again = shop.publish(*SIX)
    assert (again.embedded, again.unchanged) == (2, 4)


def test_a_passing_failure_of_the_model_is_tried_again(
    shop: Shop, faults: Callable[..., None]
) -> None:
    faults("ollama", {"path": "/api/embed", "status": 503, "count": 1})
    assert shop.publish(*SIX).embedded == 6


def test_a_model_that_the_server_does_not_have_is_not_retried(shop: Shop) -> None:
    shop.resources["ollama"] = OllamaResource(
        base_url=shop.resources["ollama"].base_url, embed_model="no-such-model"
    )
    with pytest.raises(ModelUnavailable, match="ollama pull no-such-model"):
        shop.publish(*SIX)


@pytest.mark.parametrize(
    ("path", "method"), [("/points", "PUT"), ("/points/scroll", "POST"), ("/aliases", "GET")]
)
def test_a_failing_index_keeps_what_it_held(
    shop: Shop, faults: Callable[..., None], path: str, method: str
) -> None:
    shop.publish(*SIX[:2])
    before = shop.store.index_states.get("7")
    faults("qdrant", {"path": path, "method": method, "status": 500})
    with pytest.raises(IndexUnavailable, match="Qdrant failed"):
        shop.publish(*SIX[2:], version=2)
    faults("qdrant")
    assert shop.store.index_states.get("7") == before
    assert {"actors", "books"} <= set(shop.find("actors", limit=10))


def test_an_index_that_forgets_what_it_took_loses_nothing_old(
    shop: Shop, faults: Callable[..., None]
) -> None:
    shop.publish(*SIX[:2])
    taken = {"result": {"operation_id": 1, "status": "completed"}, "status": "ok", "time": 0.0}
    faults("qdrant", {"path": "/points", "method": "PUT", "status": 200, "body": taken})
    with pytest.raises(IndexUnavailable, match=r"does not hold what was written for connection 7"):
        shop.publish(*SIX[2:], version=2)
    faults("qdrant")
    assert sorted(shop.find("actors", limit=10)) == ["actors", "books"]


def test_an_index_that_is_down_is_retried_later(shop: Shop) -> None:
    shop.resources["qdrant"] = QdrantResource(url="http://127.0.0.1:9")
    with pytest.raises(IndexUnavailable, match="QDRANT_URL"):
        shop.publish(*SIX)


def test_vectors_of_another_dimension_than_the_models_are_rejected(
    shop: Shop, faults: Callable[..., None]
) -> None:
    faults(
        "ollama",
        {
            "path": "/api/embed",
            "skip": 1,
            "status": 200,
            "body": {"model": "m", "embeddings": [[0.1, 0.2, 0.3]]},
        },
    )
    with pytest.raises(EmbeddingRejected, match="768 dimensions but gave vectors of 3"):
        shop.publish(SIX[0])


def test_an_index_never_mixes_two_models(shop: Shop) -> None:
    shop.publish(SIX[0])
    with pytest.raises(IndexRejected, match="TWD_EMBED_MODEL"):
        shop.resources["qdrant"].schema_index.prepare("another-model", 768)


def test_first_imports_at_the_same_moment_share_one_index(resources: dict[str, Any]) -> None:
    def prepare(_: int) -> str:
        qdrant = QdrantResource(
            url=resources["qdrant"].url, collection_name=resources["qdrant"].collection_name
        )
        with closing(qdrant.client):
            return qdrant.schema_index.prepare("a-model", 3)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(prepare, range(8)))) == 1


def test_points_with_much_payload_are_written_in_requests_that_qdrant_takes(shop: Shop) -> None:
    index = shop.resources["qdrant"].schema_index
    collection = index.prepare("twd-lexical", 3)
    payload = {"connection_id": "7", "content_hash": "h", "ddl": "x" * 12_000_000}
    ids = [point_id("7", "public", name) for name in ("a", "b", "c")]
    index.upsert(collection, [Point(key, [0.1, 0.2, 0.3], payload) for key in ids])
    assert index.held("7", collection) == dict.fromkeys(ids, "h")


def wide_table() -> Table:
    columns = [f"measured_value_{number}" for number in range(600)]
    columns[300] = "số_lượng_khách_hàng_" * 3
    columns[599] = "zebra_stripes"
    return Table(
        schema="public",
        name="measurements",
        kind="table",
        columns=tuple(
            Column(name=name, type="numeric(10,2)", comment="đo được " * (index % 20))
            for index, name in enumerate(columns)
        ),
    )


def test_no_text_is_longer_than_the_model_takes() -> None:
    huge_view = Table(
        schema="public",
        name="v" * 63,
        kind="view",
        columns=(Column(name="💥" * 15, type="text", comment="x" * 100_000),),
        definition="select 1 -- " + "y" * 100_000,
        comment="đ" * 100_000,
    )
    texts = [item.text for item in documents_of(SHOP, snapshot(wide_table(), huge_view), 1)]
    lengths = [sum(1 if letter.isascii() else 3 for letter in text) for text in texts]
    assert len(lengths) > 10
    assert max(lengths) <= LONGEST_TEXT


def test_a_table_whose_text_is_denser_than_estimated_is_indexed_with_its_neighbours(
    shop: Shop,
) -> None:
    dense = Table(schema="public", name="readings", kind="table", comment="a1 " * 160)
    columns = tuple(Column(name=f"c{n}", type="bit", comment="1a" * 60) for n in range(36))
    dense = msgspec.structs.replace(dense, columns=columns)
    [text, *_] = [item.text for item in documents_of(SHOP, snapshot(dense), 1)]
    with pytest.raises(TextTooLong):
        shop.resources["ollama"].client.embed([text], "document")
    published = shop.publish(*SIX, dense)
    assert published.present == published.expected
    assert "readings" in shop.find("readings", limit=10)


def test_an_index_of_another_model_is_not_searched(shop: Shop) -> None:
    shop.publish(SIX[0])
    index = shop.resources["qdrant"].schema_index
    [vector] = shop.resources["ollama"].client.embed(["actors"], "query")
    with pytest.raises(IndexRejected, match="TWD_EMBED_MODEL"):
        index.search_many("7", [vector], 1, "another-model")
    with pytest.raises(IndexRejected, match=r"3 dimensions.*TWD_EMBED_MODEL"):
        index.search_many("7", [[0.1, 0.2, 0.3]], 1, shop.resources["ollama"].embed_model)


def test_every_column_of_a_wide_table_is_in_some_text() -> None:
    texts = "\n".join(item.text for item in documents_of(SHOP, snapshot(wide_table()), 1))
    assert not [c.name for c in wide_table().columns if f"- {c.name} (" not in texts]


def test_a_wide_table_is_found_by_its_last_column_and_named_once(shop: Shop) -> None:
    published = shop.publish(wide_table(), *SIX)
    assert published.expected > 10
    found = shop.find("zebra stripes", limit=3)
    assert found[0] == "measurements"
    assert found.count("measurements") == 1


def test_names_with_the_same_letters_in_other_places_have_points_of_their_own() -> None:
    tables = [
        Table(schema="a", name="b.c", kind="table"),
        Table(schema="a.b", name="c", kind="table"),
    ]
    ids = [item.point_id for item in documents_of(SHOP, snapshot(*tables), 1)]
    assert len(set(ids)) == 2
