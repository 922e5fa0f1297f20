"""The Qdrant front through the stock client: same cases as the client's own local mode.

Belongs here: what a client can notice over HTTP, and what survives a kill. Not here: production
code that uses an index.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from qdrant_client import AsyncQdrantClient, QdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from twd_local.listening import free_port

pytestmark = pytest.mark.integration

SIZE = 8


class Front:
    """The server as a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults = folder / "faults.json"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = self.start()

    def command(self, port: int) -> list[str]:
        storage = str(self.folder / "storage")
        return [
            *(sys.executable, "-m", "twd_local.qdrant_front", "--storage", storage),
            *("--port", str(port), "--faults-file", str(self.faults)),
        ]

    def start(self) -> subprocess.Popen[bytes]:
        self.process = subprocess.Popen(self.command(self.port))
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return self.process
            except httpx.TransportError:
                assert self.process.poll() is None, "the server ended"
                time.sleep(0.05)
        raise AssertionError("the server was not ready in time")

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(10)

    def client(self) -> QdrantClient:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # A version the client does not accept is a warning.
            return QdrantClient(url=self.url, timeout=10)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    server = Front(tmp_path_factory.mktemp("qdrant"))
    yield server
    assert server.end(signal.SIGTERM) == 0


@pytest.fixture
def client(front: Front) -> Iterator[QdrantClient]:
    opened = front.client()
    yield opened
    for item in opened.get_collections().collections:
        opened.delete_collection(item.name)
    opened.close()


def vector(seed: int) -> list[float]:
    numbers = random.Random(seed)
    return [numbers.uniform(-1, 1) for _ in range(SIZE)]


def payload(number: int) -> dict[str, Any]:
    return {
        "connection": ["shop", "bank", "zoo"][number % 3],
        "rank": number,
        "active": number % 2 == 0,
        "ddl": f"CREATE TABLE orders_{number} (id integer)",
        "columns": [{"name": "id", "nullable": False}, {"name": f"c{number}", "nullable": True}],
        "tags": [f"t{number % 4}", f"t{number % 5}"],
        **({"note": None} if number % 7 == 0 else {"note": "x"}),
        **({"only_some": 1} if number % 10 == 0 else {}),
    }


def fill(client: QdrantClient, name: str = "tables") -> None:
    client.create_collection(
        name,
        vectors_config={
            "dense": models.VectorParams(size=SIZE, distance=models.Distance.COSINE),
            "other": models.VectorParams(size=2, distance=models.Distance.EUCLID),
        },
        sparse_vectors_config={"words": models.SparseVectorParams()},
    )
    points = [
        models.PointStruct(
            id=number if number % 2 else str(uuid.UUID(int=number)),
            vector={
                "dense": vector(number),
                "other": [float(number), 1.0],
                "words": models.SparseVector(
                    indices=[number % 9, 20 + number], values=[1.0, number / 10]
                ),
            },
            payload=payload(number),
        )
        for number in range(60)
    ]
    client.upsert(name, points, wait=True)
    client.upsert(
        name,
        models.Batch(
            ids=[1001, 1002],
            vectors={"dense": [vector(1001), vector(1002)]},
            payloads=[{"connection": "late"}, {"connection": "late"}],
        ),
        wait=True,
    )


def must(*conditions: Any) -> models.Filter:
    return models.Filter(must=list(conditions))


def field(key: str, **arguments: Any) -> models.FieldCondition:
    return models.FieldCondition(key=key, **arguments)


FILTERS: dict[str, models.Filter] = {
    "value": must(field("connection", match=models.MatchValue(value="shop"))),
    "bool": must(field("active", match=models.MatchValue(value=True))),
    "any": must(field("connection", match=models.MatchAny(any=["shop", "zoo"]))),
    "except": must(field("connection", match=models.MatchExcept(**{"except": ["shop"]}))),
    "text": must(field("ddl", match=models.MatchText(text="orders_3"))),
    "range": must(field("rank", range=models.Range(gte=10, lt=20))),
    "array": must(field("tags", match=models.MatchValue(value="t1"))),
    "array_path": must(field("columns[].name", match=models.MatchValue(value="c7"))),
    "values_count": must(field("tags", values_count=models.ValuesCount(gte=2))),
    "is_empty": must(models.IsEmptyCondition(is_empty=models.PayloadField(key="only_some"))),
    "is_null": must(models.IsNullCondition(is_null=models.PayloadField(key="note"))),
    "has_id": must(models.HasIdCondition(has_id=[1, 3, str(uuid.UUID(int=4)), 999])),
    "has_vector": must(models.HasVectorCondition(has_vector="other")),
    "nested": must(
        models.NestedCondition(
            nested=models.Nested(
                key="columns",
                filter=must(
                    field("name", match=models.MatchValue(value="id")),
                    field("nullable", match=models.MatchValue(value=False)),
                ),
            )
        )
    ),
    "should_not": models.Filter(
        should=[field("rank", range=models.Range(lt=5)), field("rank", range=models.Range(gt=50))],
        must_not=[field("connection", match=models.MatchValue(value="zoo"))],
    ),
    "min_should": models.Filter(
        min_should=models.MinShould(
            conditions=[
                field("rank", range=models.Range(lt=30)),
                field("active", match=models.MatchValue(value=True)),
                field("connection", match=models.MatchValue(value="bank")),
            ],
            min_count=2,
        )
    ),
    "inner": must(models.Filter(should=[field("rank", match=models.MatchValue(value=7))])),
}


@pytest.fixture(scope="module")
def pair(front: Front) -> tuple[QdrantClient, QdrantClient]:
    """The same points behind our server and in the client's own in-memory implementation."""
    ours, theirs = front.client(), QdrantClient(":memory:")
    fill(ours, "pair")
    fill(theirs, "pair")
    return ours, theirs


def both(pair: tuple[QdrantClient, QdrantClient], ask: Any) -> None:
    ours, theirs = ask(pair[0]), ask(pair[1])
    assert ours == theirs
    assert ours, "the case must find something"


def hits(points: list[models.ScoredPoint]) -> list[tuple[Any, float]]:
    return sorted(((str(p.id), round(p.score, 4)) for p in points), key=lambda h: (-h[1], h[0]))


# `client` empties the server after each test, so every test over `pair` runs before those.
@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_finds_the_same_points(pair: tuple[QdrantClient, QdrantClient], name: str) -> None:
    wanted = FILTERS[name]

    def ids(client: QdrantClient) -> set[str]:
        assert client.count("pair", wanted).count == len(
            client.scroll("pair", wanted, limit=100)[0]
        )
        return {str(r.id) for r in client.scroll("pair", wanted, limit=100)[0]}

    both(pair, ids)


NARROW = FILTERS["any"]
WORDS = models.SparseVector(indices=[3, 4, 25], values=[1.0, 0.5, 2.0])
QUERIES: dict[str, dict[str, Any]] = {
    "dense": {"query": vector(5), "using": "dense", "limit": 7},
    "euclid": {"query": [7.0, 1.0], "using": "other", "limit": 5},
    "filtered": {"query": vector(5), "using": "dense", "query_filter": NARROW, "limit": 9},
    "threshold": {"query": vector(5), "using": "dense", "score_threshold": 0.3, "limit": 50},
    "offset": {"query": vector(5), "using": "dense", "offset": 3, "limit": 4},
    "sparse": {"query": WORDS, "using": "words", "limit": 50},
    "by_id": {"query": 3, "using": "dense", "limit": 6},
    "diverse": {
        "query": models.NearestQuery(
            nearest=vector(5), mmr=models.Mmr(diversity=0.7, candidates_limit=20)
        ),
        "using": "dense",
        "limit": 6,
    },
    "diverse_by_default": {
        "query": models.NearestQuery(nearest=vector(5), mmr=models.Mmr()),
        "using": "dense",
        "limit": 6,
    },
    "diverse_by_id_filtered": {
        "query": models.NearestQuery(nearest=3, mmr=models.Mmr(diversity=0.4, candidates_limit=15)),
        "using": "dense",
        "query_filter": NARROW,
        "limit": 5,
    },
    "not_diverse": {
        "query": models.NearestQuery(
            nearest=vector(5), mmr=models.Mmr(diversity=0.0, candidates_limit=20)
        ),
        "using": "dense",
        "limit": 6,
    },
    "two_stage": {
        "prefetch": models.Prefetch(query=vector(6), using="dense", limit=10),
        "query": [1.0, 1.0],
        "using": "other",
        "limit": 5,
    },
    "dbsf": {
        "prefetch": [
            models.Prefetch(query=vector(6), using="dense", limit=60),
            models.Prefetch(query=WORDS, using="words", limit=60),
        ],
        "query": models.FusionQuery(fusion=models.Fusion.DBSF),
        "limit": 5,
    },
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_ranks_the_same(pair: tuple[QdrantClient, QdrantClient], name: str) -> None:
    both(pair, lambda c: hits(c.query_points("pair", **QUERIES[name]).points))


def test_reciprocal_rank_fusion_adds_up_ranks(pair: tuple[QdrantClient, QdrantClient]) -> None:
    def fused(client: QdrantClient) -> list[float]:
        points = client.query_points(
            "pair",
            prefetch=[
                models.Prefetch(query=vector(6), using="dense", limit=5),
                models.Prefetch(query=[3.2, 1.0], using="other", limit=5),
            ],
            query=models.FusionQuery(fusion=models.Fusion.RRF),
            limit=10,
        ).points
        return [round(point.score, 4) for point in points]  # The order of ties is not promised.

    both(pair, fused)


def test_records_look_the_same(pair: tuple[QdrantClient, QdrantClient]) -> None:
    def dump(client: QdrantClient) -> list[Any]:
        ids: list[Any] = [1, str(uuid.UUID(int=2)), 12345]
        records = client.retrieve("pair", ids, with_vectors=True)
        for record in records:
            assert isinstance(record.vector, dict)
            record.vector["dense"] = [round(x, 4) for x in record.vector["dense"]]  # type: ignore[arg-type]
            words = record.vector["words"]
            assert isinstance(words, models.SparseVector)
            words.values = [round(x, 4) for x in words.values]
        some = client.retrieve("pair", [1], with_payload=["rank"], with_vectors=["other"])
        rest = client.retrieve(
            "pair", [1], with_payload=models.PayloadSelectorExclude(exclude=["columns", "ddl"])
        )
        return sorted([r.model_dump() for r in [*records, *some, *rest]], key=str)

    both(pair, dump)


def test_scrolling_by_pages_sees_every_point_once(
    pair: tuple[QdrantClient, QdrantClient],
) -> None:
    def pages(client: QdrantClient) -> list[str]:
        seen: list[str] = []
        offset: Any = None
        while True:
            records, offset = client.scroll("pair", limit=13, offset=offset)
            seen += [str(record.id) for record in records]
            if offset is None:
                return sorted(seen)

    both(pair, pages)


def test_groups_are_the_same(pair: tuple[QdrantClient, QdrantClient]) -> None:
    def groups(client: QdrantClient) -> list[Any]:
        result = client.query_points_groups(
            *("pair", "connection"),
            query=vector(5),
            using="dense",
            limit=3,
            group_size=2,
            with_payload=["rank"],
        )
        return [
            (group.id, [(str(h.id), round(h.score, 4), h.payload) for h in group.hits])
            for group in result.groups
        ]

    both(pair, groups)


def test_facets_are_the_same(pair: tuple[QdrantClient, QdrantClient]) -> None:
    pair[0].create_payload_index("pair", "connection", models.PayloadSchemaType.KEYWORD)
    both(
        pair,
        lambda c: sorted((h.value, h.count) for h in c.facet("pair", "connection").hits),
    )


def test_a_batch_of_queries_answers_in_order(pair: tuple[QdrantClient, QdrantClient]) -> None:
    requests = [
        models.QueryRequest(query=vector(n), using="dense", limit=2, with_payload=True)
        for n in (1, 2)
    ]
    both(pair, lambda c: [hits(r.points) for r in c.query_batch_points("pair", requests)])


def test_the_legacy_search_ranks_like_the_query(
    front: Front, pair: tuple[QdrantClient, QdrantClient]
) -> None:
    body = {"vector": {"name": "dense", "vector": vector(5)}, "limit": 7}
    answer = httpx.post(f"{front.url}/collections/pair/points/search", json=body).json()
    found = [models.ScoredPoint(**hit) for hit in answer["result"]]
    assert hits(found) == hits(pair[1].query_points("pair", **QUERIES["dense"]).points)


def test_changing_points_has_the_same_effect(pair: tuple[QdrantClient, QdrantClient]) -> None:
    shop = FILTERS["value"]

    def change(client: QdrantClient) -> list[Any]:
        client.set_payload("pair", {"owner": "ann"}, points=[1, 3])
        client.set_payload("pair", {"owner": "bob"}, points=shop)
        client.overwrite_payload("pair", {"bare": True}, points=[5])
        client.delete_payload("pair", ["ddl", "columns"], points=[1])
        client.clear_payload("pair", [7])
        client.update_vectors("pair", [models.PointVectors(id=9, vector={"other": [0.0, 0.0]})])
        client.delete_vectors("pair", ["other"], [11])
        client.delete("pair", models.PointIdsList(points=[13, 14]))
        client.delete("pair", must(field("rank", range=models.Range(gte=40))))
        client.batch_update_points(
            "pair",
            [
                models.DeleteOperation(delete=models.PointIdsList(points=[15])),
                models.SetPayloadOperation(
                    set_payload=models.SetPayload(payload={"b": 1}, points=[17])
                ),
            ],
        )
        records, _ = client.scroll("pair", limit=100, with_vectors=["other"])
        return sorted([r.model_dump() for r in records], key=str)

    both(pair, change)


def test_a_collection_tells_what_it_is(client: QdrantClient) -> None:
    fill(client)
    client.create_payload_index(
        "tables",
        "connection",
        models.KeywordIndexParams(type="keyword", is_tenant=True),  # type: ignore[arg-type]
    )
    for kind in ("integer", "bool", "text", "float", "datetime", "uuid", "geo"):
        client.create_payload_index("tables", f"as_{kind}", models.PayloadSchemaType(kind))
    client.delete_payload_index("tables", "as_geo")
    info = client.get_collection("tables")
    assert (info.status, info.points_count) == (models.CollectionStatus.GREEN, 62)
    assert isinstance(info.config.params.vectors, dict)
    assert info.config.params.vectors["dense"].size == SIZE
    assert info.config.params.sparse_vectors is not None
    tenant = info.payload_schema["connection"]
    assert isinstance(tenant.params, models.KeywordIndexParams)
    assert (tenant.params.is_tenant, tenant.points) == (True, 62)
    assert "as_geo" not in info.payload_schema
    assert "as_text" in info.payload_schema
    assert client.collection_exists("tables")
    assert not client.collection_exists("none")
    ordered, _ = client.scroll("tables", limit=3, order_by="as_integer")
    assert ordered == []


def test_order_by_an_indexed_key(client: QdrantClient) -> None:
    fill(client)
    with pytest.raises(UnexpectedResponse, match="No range index for `order_by`"):
        client.scroll("tables", order_by="rank")
    client.create_payload_index("tables", "rank", models.PayloadSchemaType.INTEGER)
    order = models.OrderBy(key="rank", direction=models.Direction.DESC)
    records, following = client.scroll("tables", limit=3, order_by=order)
    assert [r.payload["rank"] for r in records if r.payload] == [59, 58, 57]
    assert following is None


def simple(client: QdrantClient, name: str) -> None:
    client.create_collection(
        name, models.VectorParams(size=2, distance=models.Distance.DOT), metadata={"model": "m"}
    )
    client.upsert(name, [models.PointStruct(id=1, vector=[1, 2], payload={"in": name})])


def test_aliases_are_moved_one_by_one_as_by_the_server(client: QdrantClient, front: Front) -> None:
    simple(client, "old")
    simple(client, "new")

    def create(alias: str, target: str) -> models.CreateAliasOperation:
        return models.CreateAliasOperation(
            create_alias=models.CreateAlias(alias_name=alias, collection_name=target)
        )

    def names() -> dict[str, str]:
        return {a.alias_name: a.collection_name for a in client.get_aliases().aliases}

    drop = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name="current"))
    client.update_collection_aliases([create("current", "old")])
    client.update_collection_aliases([drop, create("current", "new")])
    assert names() == {"current": "new"}
    assert client.retrieve("current", [1])[0].payload == {"in": "new"}
    assert client.collection_exists("current")
    assert client.get_collection("current").config.metadata == {"model": "m"}

    # The second action fails: the first stays done.
    with pytest.raises(UnexpectedResponse, match="404"):
        client.update_collection_aliases([drop, create("current", "missing")])
    assert names() == {}
    with pytest.raises(UnexpectedResponse, match="409"):
        client.update_collection_aliases([create("current", "new"), create("old", "new")])
    assert names() == {"current": "new"}

    rename = models.RenameAliasOperation(
        rename_alias=models.RenameAlias(old_alias_name="current", new_alias_name="latest")
    )
    client.update_collection_aliases([rename])
    assert [a.alias_name for a in client.get_collection_aliases("new").aliases] == ["latest"]
    client.delete_collection("new")
    assert names() == {}


def test_errors_are_those_of_the_server(client: QdrantClient, front: Front) -> None:
    simple(client, "c")
    base = f"{front.url}/collections"
    good = {"vectors": {"size": 2, "distance": "Dot"}}
    cases: list[tuple[str, str, Any, int, str]] = [
        ("GET", "/none", None, 404, "Not found: Collection `none` doesn't exist!"),
        ("PUT", "/c", good, 409, "Wrong input: Collection `c` already exists!"),
        ("PUT", "/d", {"vectors": {"size": 0, "distance": "Dot"}}, 422, "Validation error"),
        ("PUT", "/d", {"vectors": {"size": 1, "distance": "Dox"}}, 400, "unknown variant `Dox`"),
        (
            *("PUT", "/c/points", {"points": [{"id": 2, "vector": [1, 2, 3]}]}, 400),
            "Wrong input: Vector dimension error: expected dim: 2, got 3",
        ),
        (
            *("PUT", "/c/points", {"points": [{"id": 2, "vector": {"x": [1, 2]}}]}, 400),
            "Wrong input: Not existing vector name error: x",
        ),
        (
            *("PUT", "/c/points", {"points": [{"id": "z", "vector": [1, 2]}]}, 400),
            "Format error in JSON body: value z is not a valid point ID",
        ),
        ("PUT", "/c/points", {"points": [{"id": 2, "vector": [1, "x"]}]}, 400, "Format error"),
        ("POST", "/c/points/query", {"query": [1.0]}, 400, "expected dim: 2, got 1"),
        ("POST", "/c/points/query", {"query": [1.0, "x"]}, 400, "Format error"),
        ("POST", "/c/points/query", {"query": 77}, 404, "Not found: No point with id 77 found"),
        ("POST", "/c/points/query", {"query": [1, 2], "limit": 0}, 422, "Validation error"),
        (
            *("POST", "/c/points/query", {"query": {"nearest": [1, 2], "mmr": {"diversity": 2}}}),
            *(422, "Validation error in JSON body: [diversity"),
        ),
        ("POST", "/c/points/query", {"query": {"fusion": "rrf"}}, 400, "without prefetches"),
        ("POST", "/c/points/query", {"query": {"formula": {}}}, 501, "Not implemented"),
        ("POST", "/c/points/query", {"query": {"text": "t", "model": "m"}}, 501, "inference"),
        ("POST", "/c/points/scroll", {"nonsense": 1}, 501, "`nonsense`"),
        ("POST", "/c/points/scroll", {"filter": {"must": [{"k": 1}]}}, 501, "condition"),
        ("GET", "/c/points/9", None, 404, "Not found: Point with id 9 does not exists!"),
        ("POST", "/c/points/payload", {"payload": {"a": 1}, "points": [9]}, 404, "No point with"),
        ("POST", "/c/points/delete", {}, 400, "Either list of points or filter"),
        ("GET", "/c/snapshots", None, 501, "snapshots"),
    ]
    for method, path, body, status, text in cases:
        answer = httpx.request(method, base + path, json=body)
        assert (answer.status_code, text) == (status, text), answer.text
        assert text in answer.json()["status"]["error"]
        assert answer.json()["time"] >= 0
    broken = httpx.post(f"{base}/c/points/scroll", content=b"{")
    assert broken.status_code == 400
    assert broken.json()["status"]["error"].startswith("Format error in JSON body")
    large = httpx.put(f"{base}/c/points", content=b" " * (32 * 1024 * 1024 + 1))
    assert large.status_code == 400
    assert "larger than allowed" in large.text
    assert client.delete_collection("none") is False


def test_a_batch_with_one_bad_point_changes_nothing(client: QdrantClient) -> None:
    simple(client, "c")
    with pytest.raises(UnexpectedResponse, match="dimension"):
        client.upsert(
            "c",
            [
                models.PointStruct(id=2, vector=[1, 2]),
                models.PointStruct(id=3, vector=[1, 2, 3]),
            ],
        )
    assert client.count("c").count == 1


def test_the_asynchronous_client_works_too(front: Front, client: QdrantClient) -> None:
    async def use() -> models.ScoredPoint:
        asynchronous = AsyncQdrantClient(url=front.url)
        await asynchronous.create_collection(
            "a", models.VectorParams(size=2, distance=models.Distance.COSINE)
        )
        await asynchronous.upsert("a", [models.PointStruct(id=1, vector=[3.0, 4.0])])
        answer = await asynchronous.query_points("a", [3.0, 4.0], with_vectors=True)
        await asynchronous.close()
        return answer.points[0]

    found = asyncio.run(use())
    assert found.id == 1
    assert found.score == pytest.approx(1)
    assert found.vector == pytest.approx([0.6, 0.8])


def test_faults_come_and_go_with_the_rule_file(front: Front, client: QdrantClient) -> None:
    simple(client, "c")

    def rules(*rule: dict[str, Any]) -> None:
        front.faults.write_text(json.dumps({"rules": rule}))

    try:
        rules({"path": "/points/count", "status": 500, "count": 2, "skip": 1})
        assert client.count("c").count == 1
        for _ in range(2):
            with pytest.raises(UnexpectedResponse, match="500"):
                client.count("c")
        assert client.count("c").count == 1
        rules({"path": "/points", "method": "POST", "reset": True})
        with pytest.raises(ResponseHandlingException):
            client.count("c")
        rules({"path": "/points", "truncate": True})
        with pytest.raises(ResponseHandlingException):
            client.count("c")
        rules({"path": "/points/count", "latency_ms": 300})
        started = time.monotonic()
        client.count("c")
        assert time.monotonic() - started > 0.3
    finally:
        front.faults.unlink()
    assert client.count("c").count == 1


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    server = Front(tmp_path)
    try:
        client = server.client()
        simple(client, "old")
        simple(client, "new")
        client.create_payload_index("new", "in", models.PayloadSchemaType.KEYWORD)
        alias = models.CreateAlias(collection_name="new", alias_name="current")
        client.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
        client.delete_collection("old")
        orphan = tmp_path / "storage" / "collections" / "interrupted"
        orphan.mkdir()
        for start in range(0, 500, 50):
            client.upsert(
                "new",
                [
                    models.PointStruct(id=n, vector=[n, 1], payload={"in": "x"})
                    for n in range(start, start + 50)
                ],
                wait=True,
            )
        client.delete("new", [0], wait=True)
        assert server.end(signal.SIGKILL) == -signal.SIGKILL

        server.start()
        assert [c.name for c in client.get_collections().collections] == ["new"]
        assert client.count("current").count == 499
        assert (
            client.count("new", must(field("in", match=models.MatchValue(value="x")))).count == 499
        )
        assert "in" in client.get_collection("new").payload_schema
        assert client.query_points("current", [1.0, 0.0], limit=1).points[0].id == 499
        assert not orphan.exists()
    finally:
        server.process.kill()
        server.process.wait(10)


def test_a_second_server_says_why_it_cannot_start(front: Front) -> None:
    taken = subprocess.run(front.command(front.port), capture_output=True, text=True, timeout=20)
    assert taken.returncode == 2
    assert str(front.port) in taken.stderr
    assert "--port" in taken.stderr
    locked = subprocess.run(front.command(free_port()), capture_output=True, text=True, timeout=20)
    assert locked.returncode == 2
    assert "another process" in locked.stderr
    assert "--storage" in locked.stderr
