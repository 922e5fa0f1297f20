"""Qdrant and Ollama failing in every way: a clear error, and the served index as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from qdrant_client import models

from twd_shared.clients import ollama
from twd_shared.errors import (
    EmbeddingRejected,
    EmbeddingUnavailable,
    IndexRejected,
    IndexUnavailable,
    ModelUnavailable,
)
from twd_shared.resources.servers import OllamaResource, QdrantResource

from .index_shop import SIX, Shop

Faults = Callable[..., None]


@pytest.fixture
def shop(resources: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Two tables are served; whatever fails, fails at the first attempt."""
    made = Shop(resources)
    made.publish(*SIX[:2])
    monkeypatch.setattr(ollama, "_ATTEMPTS", 1)
    return made


def assert_nothing_changed(shop: Shop) -> None:
    assert shop.held() == ["actors", "books"]
    assert shop.find("books")[0] == "books"


@pytest.mark.parametrize(
    ("path", "method"),
    [("/points", "PUT"), ("/points/scroll", "POST"), ("/aliases", "GET")],
)
@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"status": 500}, r"Qdrant at http://127\.0\.0\.1:\d+ failed \(500 .*Look at its log"),
        ({"status": 507}, r"is full \(507 .*Free space on its disk"),
        ({"status": 500, "body": {"status": {"error": "No space left on device"}}}, "is full"),
        ({"status": 503}, r"failed \(503"),
        ({"reset": True}, r"cannot be reached \(.*QDRANT_URL"),
    ],
)
def test_a_failure_of_qdrant_is_named_and_keeps_what_is_served(
    shop: Shop, faults: Faults, path: str, method: str, rule: dict[str, Any], message: str
) -> None:
    faults("qdrant", {"path": path, "method": method, **rule})
    with pytest.raises(IndexUnavailable, match=message):
        shop.publish(*SIX)
    faults("qdrant")
    assert {"actors", "books"} <= set(shop.held())


def test_a_failure_is_no_change(shop: Shop, faults: Faults) -> None:
    faults("qdrant", {"path": "/facet", "status": 500})
    with pytest.raises(IndexUnavailable, match="failed"):
        shop.publish(*SIX[:2])
    faults("qdrant")
    assert shop.publish(*SIX[:2]).points.unchanged == 2


def test_an_answer_that_ends_in_the_middle_is_not_believed(shop: Shop, faults: Faults) -> None:
    faults("qdrant", {"path": "/points/scroll", "truncate": True})
    with pytest.raises(IndexUnavailable, match=r"cannot be (read|reached)"):
        shop.publish(*SIX)
    faults("qdrant")
    assert_nothing_changed(shop)


@pytest.mark.parametrize(
    "body", [{}, {"result": None}, {"result": [{}]}, {"result": [{"points": [{}]}]}, {"result": []}]
)
def test_an_answer_of_another_shape_is_not_believed(
    shop: Shop, faults: Faults, body: dict[str, Any]
) -> None:
    faults("qdrant", {"path": "/points/query/batch", "status": 200, "body": body})
    with pytest.raises(IndexUnavailable, match="gave an answer that cannot be read"):
        shop.find("books")


def test_a_write_that_is_not_confirmed_is_a_failure(shop: Shop, faults: Faults) -> None:
    faults("qdrant", {"path": "/points", "method": "PUT", "status": 200, "body": {"result": None}})
    with pytest.raises(IndexUnavailable, match="gave an answer that cannot be read"):
        shop.publish(*SIX)
    faults("qdrant")
    assert_nothing_changed(shop)


def test_qdrant_that_is_down_is_tried_again_later(shop: Shop) -> None:
    qdrant = shop.resources["qdrant"]
    shop.resources["qdrant"] = QdrantResource(
        url="http://127.0.0.1:9", collection_name=qdrant.collection_name
    )
    with pytest.raises(IndexUnavailable, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        shop.publish(*SIX)


def test_qdrant_that_forgets_what_it_took_loses_nothing_old(shop: Shop, faults: Faults) -> None:
    taken = {"result": {"operation_id": 1, "status": "completed"}, "status": "ok", "time": 0.0}
    faults("qdrant", {"path": "/points", "method": "PUT", "status": 200, "body": taken})
    with pytest.raises(IndexUnavailable, match="does not hold what was written"):
        shop.publish(*SIX[2:])
    faults("qdrant")
    assert_nothing_changed(shop)


def test_a_collection_of_another_dimension_than_it_says_is_not_written_to(shop: Shop) -> None:
    served = shop.index.served()
    assert served is not None
    shop.resources["qdrant"].client.update_collection(served.name, metadata={"dimension": 3})
    with pytest.raises(IndexRejected, match=r"768 dimensions, but .*gives 3.*make migrate-index"):
        shop.publish(*SIX)


def test_an_alias_that_leads_nowhere_is_told_with_the_remedy(shop: Shop, faults: Faults) -> None:
    nowhere = f"{shop.index.alias}__m__3__9"
    entry = {"alias_name": shop.index.alias, "collection_name": nowhere}
    body = {"result": {"aliases": [entry]}, "status": "ok", "time": 0.0}
    faults("qdrant", {"path": "/aliases", "method": "GET", "status": 200, "body": body})
    with pytest.raises(IndexRejected, match=r"does not exist.*make migrate-index"):
        shop.publish(*SIX)
    with pytest.raises(IndexRejected, match=r"does not exist.*make migrate-index"):
        shop.find("books")


def test_a_collection_that_has_the_name_of_the_alias_is_not_touched(
    resources: dict[str, Any],
) -> None:
    shop = Shop(resources)
    client = resources["qdrant"].client
    client.create_collection(
        shop.index.alias, vectors_config=models.VectorParams(size=3, distance="Cosine")
    )
    with pytest.raises(IndexRejected, match=r"a collection of that name exists.*TWD_INDEX_ALIAS"):
        shop.publish(*SIX)
    assert client.count(shop.index.alias).count == 0


def test_a_collection_that_was_half_created_is_completed(
    resources: dict[str, Any], faults: Faults
) -> None:
    shop = Shop(resources)
    faults("qdrant", {"path": "/index", "method": "PUT", "status": 500, "skip": 1})
    with pytest.raises(IndexUnavailable):
        shop.publish(*SIX)
    assert shop.index.served() is None
    faults("qdrant")
    name = shop.publish(*SIX).state.collection
    assert shop.index.collections() == [name]
    described = resources["qdrant"].client.get_collection(name)
    assert {"connection_id", "content_mark", "shortened"} <= described.payload_schema.keys()


def test_a_server_that_keeps_no_metadata_is_too_old_and_nothing_is_left_on_it(
    resources: dict[str, Any], faults: Faults
) -> None:
    shop = Shop(resources)
    client = resources["qdrant"].client
    client.create_collection(
        f"{shop.index.alias}_bare", vectors_config=models.VectorParams(size=3, distance="Cosine")
    )
    bare = client.get_collection(f"{shop.index.alias}_bare").model_dump(mode="json")
    body = {"result": bare, "status": "ok", "time": 0.0}
    faults(
        "qdrant",
        {"path": f"{shop.index.alias}__", "method": "GET", "status": 200, "body": body},
    )
    with pytest.raises(IndexRejected, match=r"Qdrant 1\.16 or newer is needed"):
        shop.publish(*SIX)
    assert shop.index.collections() == []


@pytest.mark.parametrize(
    ("rule", "error", "message"),
    [
        ({"status": 500}, EmbeddingUnavailable, "failed on /api/embed"),
        ({"truncate": True}, EmbeddingUnavailable, "api/embed"),
        ({"reset": True}, EmbeddingUnavailable, "cannot be reached"),
        (
            {"status": 200, "body": {"embeddings": [[0.1, 0.2, 0.3]] * 4}},
            EmbeddingRejected,
            "768 dimensions but gave vectors of 3",
        ),
        ({"status": 200, "body": {"embeddings": [[None] * 768] * 4}}, EmbeddingRejected, "NaN"),
    ],
)
def test_a_failure_of_the_model_is_named_and_keeps_what_is_served(
    shop: Shop, faults: Faults, rule: dict[str, Any], error: type[Exception], message: str
) -> None:
    faults("ollama", {"path": "/api/embed", **rule})
    with pytest.raises(error, match=message):
        shop.publish(*SIX)
    assert shop.held() == ["actors", "books"]


def test_a_model_that_the_server_does_not_have_is_not_tried_again(
    resources: dict[str, Any],
) -> None:
    resources["ollama"] = OllamaResource(
        base_url=resources["ollama"].base_url, embed_model="no-such-model"
    )
    with pytest.raises(ModelUnavailable, match="ollama pull no-such-model"):
        Shop(resources).publish(*SIX)
