"""The schema index: what is served, how that is changed, and that nobody reads across."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException

from twd_shared.clients.index_collections import IndexCollection, Making, collection_name
from twd_shared.clients.index_layout import LAYOUT, Point, Rewriting, point_id
from twd_shared.clients.index_points import ConnectionPoints
from twd_shared.clients.qdrant import open_client
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.clients.token_budget import CONSERVATIVE, TokenBudget
from twd_shared.errors import ConfigurationError, IndexRejected, IndexUnavailable
from twd_shared.terms.sparse import SparseTerms, question_terms

from ..local_server import LocalServer

BUDGET = TokenBudget(500, CONSERVATIVE)
MINE, OTHERS = "7", "8"


@pytest.fixture
def client(qdrant_url: str) -> Iterator[QdrantClient]:
    made = open_client(qdrant_url)
    yield made
    made.close()


@pytest.fixture
def index(client: QdrantClient) -> Iterator[SchemaIndex]:
    """An index of this test's own."""
    made = SchemaIndex(client, f"i_{uuid.uuid4().hex[:10]}")
    yield made
    for name in made.collections():
        client.delete_collection(name)


def create(index: SchemaIndex, model: str = "m:latest", digest: str = "d") -> IndexCollection:
    return index.create(Making(model, digest, 2, LAYOUT), BUDGET)


def point(connection_id: str, table: str, dense: tuple[float, float] = (1.0, 0.0)) -> Point:
    payload = {"connection_id": connection_id, "table_name": table, "content_mark": table[:2]}
    return Point(point_id(connection_id, "public", table), dense, question_terms(table), payload)


@pytest.fixture
def shared(index: SchemaIndex) -> tuple[ConnectionPoints, ConnectionPoints]:
    """Points of two connections in one collection: mine are films, the others' are actors."""
    name = create(index).name
    mine, others = index.points(MINE, name), index.points(OTHERS, name)
    mine.upsert([point(MINE, "films")])
    others.upsert([point(OTHERS, "actors"), point(OTHERS, "books")])
    return mine, others


def tables(points: ConnectionPoints) -> set[str]:
    return {payload["table_name"] for payload in points.held(["table_name"]).values()}


class OddAnswers(LocalServer):
    """Answers every request as no Qdrant does."""

    def __init__(self, body: bytes) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers["content-length"] or 0))
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *args: object) -> None:
                pass

        super().__init__(Handler)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"result": null}', b"[" * 100_000], ids=["empty", "no result", "endless"]
)
@pytest.mark.parametrize(
    "ask",
    [
        SchemaIndex.names,
        SchemaIndex.collections,
        lambda index: index.collection("any"),
        lambda index: index.points(MINE, "any").count(),
        lambda index: index.points(MINE, "any").marks(),
    ],
)
def test_an_answer_that_is_not_qdrants_cannot_be_read(
    body: bytes, ask: Callable[[SchemaIndex], object]
) -> None:
    server = OddAnswers(body)
    with (
        closing(server),
        closing(open_client(server.url)) as client,
        pytest.raises(IndexUnavailable, match="gave an answer that cannot be read"),
    ):
        ask(SchemaIndex(client, "any"))


@pytest.mark.parametrize("url", ["http://user:canary/x@host:6333", "http://user:canary#x@host"])
def test_an_address_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match="QDRANT_URL is no address") as error:
        open_client(url)
    assert "canary" not in str(error.value)


def test_nothing_is_read_without_a_connection(index: SchemaIndex) -> None:
    with pytest.raises(ValueError, match="for one connection"):
        index.points("", "any")


def test_no_search_finds_anothers_tables(
    shared: tuple[ConnectionPoints, ConnectionPoints],
) -> None:
    mine, _ = shared
    [(dense, terms)] = mine.nearest([((1.0, 0.0), question_terms("actors films"))], limit=10)
    assert {hit.payload["table_name"] for hit in (*dense, *terms)} == {"films"}


def test_no_payload_of_another_is_read_by_its_id(
    shared: tuple[ConnectionPoints, ConnectionPoints],
) -> None:
    mine, others = shared
    assert mine.payloads(sorted(others.held([]))) == {}


def test_nothing_of_another_is_counted(shared: tuple[ConnectionPoints, ConnectionPoints]) -> None:
    mine, _ = shared
    assert (mine.count(), mine.marks(), tables(mine)) == (1, {"fi": 1}, {"films"})


def test_nothing_of_another_is_deleted_by_its_id(
    shared: tuple[ConnectionPoints, ConnectionPoints],
) -> None:
    mine, others = shared
    mine.delete(sorted(others.held([])))
    assert tables(others) == {"actors", "books"}


def test_a_connection_goes_from_every_collection_and_the_others_stay(
    index: SchemaIndex, shared: tuple[ConnectionPoints, ConnectionPoints]
) -> None:
    mine, others = shared
    beside = index.points(MINE, create(index).name)
    beside.upsert([point(MINE, "films")])
    index.delete_connection(MINE)
    assert (mine.count(), beside.count(), others.count()) == (0, 0, 2)


def test_a_point_that_is_rewritten_keeps_its_dense_vector(
    shared: tuple[ConnectionPoints, ConnectionPoints],
) -> None:
    mine, _ = shared
    payload = {"connection_id": MINE, "table_name": "movies"}
    films = point_id(MINE, "public", "films")
    mine.rewrite([Rewriting(films, question_terms("movies"), payload)])
    [(dense, terms)] = mine.nearest([((1.0, 0.0), question_terms("movies"))], limit=1)
    assert dense[0].score == pytest.approx(1.0)
    assert terms[0].payload["table_name"] == "movies"


def test_a_point_without_terms_is_found_by_its_vector(index: SchemaIndex) -> None:
    points = index.points(MINE, create(index).name)
    bare = Point(
        point_id(MINE, "public", "a"), (0.0, 1.0), SparseTerms((), ()), {"connection_id": MINE}
    )
    points.upsert([bare])
    [(dense, _)] = points.nearest([((0.0, 1.0), None)], limit=1)
    assert len(dense) == 1


def test_nothing_is_served_at_first(index: SchemaIndex) -> None:
    create(index)
    assert index.served() is None


def test_what_made_a_collection_is_read_from_itself(index: SchemaIndex) -> None:
    made = create(index, "nomic-embed-text:v1.5")
    index.serve(made.name)
    assert made.name == f"{index.alias}__nomic-embed-text-v1-5__2__1"
    again = SchemaIndex(index._client, index.alias).served()
    assert again == made
    assert again.token_budget == BUDGET


def test_all_aliases_of_the_server_are_listed_only_where_another_collection_is_served(
    index: SchemaIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = create(index), create(index)
    index.serve(first.name)
    listings: list[str] = []
    listed = index._client.get_aliases

    def counted() -> Any:
        listings.append("")
        return listed()

    assert index.served() == first
    monkeypatch.setattr(index._client, "get_aliases", counted)
    assert index.served() == first
    assert listings == []
    index.serve(second.name)
    listings.clear()
    assert index.served() == second
    index.serve(first.name)
    index.drop(second.name)
    assert index.served() == first


def test_the_one_before_is_kept_under_the_other_alias(index: SchemaIndex) -> None:
    first, second = create(index).name, create(index).name
    index.serve(first)
    assert index.names() == (first, None)
    index.serve(second)
    assert index.names() == (second, first)


def test_both_change_places_in_one_call(index: SchemaIndex) -> None:
    first, second = create(index).name, create(index).name
    index.serve(first)
    index.serve(second)
    index.exchange()
    assert index.names() == (first, second)


def test_there_is_nothing_to_exchange_at_first(index: SchemaIndex) -> None:
    index.serve(create(index).name)
    with pytest.raises(IndexRejected, match="no earlier collection"):
        index.exchange()


@pytest.mark.parametrize("done", [0, 1])
@pytest.mark.parametrize("move", ["serve", "exchange"])
def test_a_server_that_dies_within_a_move_serves_one_of_the_two_and_names_none_twice(
    index: SchemaIndex, monkeypatch: pytest.MonkeyPatch, move: str, done: int
) -> None:
    first, second, third = (create(index).name for _ in range(3))
    index.serve(first)
    index.serve(second)
    to, act = {"serve": (third, lambda: index.serve(third)), "exchange": (first, index.exchange)}[
        move
    ]
    die_after(monkeypatch, index._client, done)
    with pytest.raises(IndexUnavailable):
        act()
    live, previous = index.names()
    assert live in (second, to)
    assert previous != live


def die_after(monkeypatch: pytest.MonkeyPatch, client: QdrantClient, actions: int) -> None:
    """Let the server die within the next moves of aliases, when it has done so many actions."""
    move = client.update_collection_aliases

    def and_die(operations: list[Any]) -> None:
        move(operations[:actions])
        raise ResponseHandlingException(httpx.ReadError("the server died"))

    monkeypatch.setattr(client, "update_collection_aliases", and_die)


def lose_the_alias(index: SchemaIndex, client: QdrantClient) -> None:
    lost = models.DeleteAlias(alias_name=index.alias)
    client.update_collection_aliases([models.DeleteAliasOperation(delete_alias=lost)])


def test_an_alias_that_is_lost_is_not_taken_for_an_index_that_was_never_made(
    index: SchemaIndex, shared: tuple[ConnectionPoints, ConnectionPoints], client: QdrantClient
) -> None:
    [name] = index.collections()
    index.serve(name)
    lose_the_alias(index, client)
    with pytest.raises(IndexRejected, match=rf"there are points in {name}: the alias was lost"):
        index.served()


def test_an_alias_that_is_lost_is_told_as_such_where_the_one_before_is_kept(
    index: SchemaIndex, shared: tuple[ConnectionPoints, ConnectionPoints], client: QdrantClient
) -> None:
    [name] = index.collections()
    before = create(index).name
    index.serve(before)
    index.serve(name)
    lose_the_alias(index, client)
    either = rf"points in {name}: the alias was lost.* or .*make rollback-index serves {before}"
    with pytest.raises(IndexRejected, match=either):
        index.served()


def test_what_an_alias_names_is_never_dropped(index: SchemaIndex, client: QdrantClient) -> None:
    first, second, third = (create(index).name for _ in range(3))
    index.serve(first)
    index.serve(second)
    assert [index.drop(name) for name in (first, second, third)] == [False, False, True]
    assert index.collections() == [first, second]


def test_collections_of_another_index_are_left_alone(index: SchemaIndex) -> None:
    other = SchemaIndex(index._client, f"{index.alias}__more")
    name = create(other).name
    assert name not in index.collections()
    assert not index.drop(name)
    index._client.delete_collection(name)


def test_a_number_is_not_used_twice(index: SchemaIndex) -> None:
    making = Making("m", "d", 2, LAYOUT)
    gone = collection_name(index.alias, making, 41)
    assert index.create(making, BUDGET, [gone]).name.endswith("__42")


def test_only_a_collection_of_the_same_making_is_gone_on_with(index: SchemaIndex) -> None:
    served, begun = create(index), create(index)
    index.serve(served.name)
    assert index.unserved(begun.making) == begun
    assert index.unserved(Making("m:latest", "pulled again", 2, LAYOUT)) is None


def test_a_name_that_something_else_made_is_refused(index: SchemaIndex) -> None:
    made = create(index)
    from twd_shared.clients.index_collections import create_collection

    with pytest.raises(IndexRejected, match="was made by"):
        create_collection(index._client, made.name, Making("m", "x", 2, LAYOUT), BUDGET)


def test_points_are_counted_by_connection(
    index: SchemaIndex, shared: tuple[ConnectionPoints, ConnectionPoints]
) -> None:
    [name] = index.collections()
    assert index.counts(name) == {MINE: 1, OTHERS: 2}
