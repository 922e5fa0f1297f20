"""Publishing to the schema index: only what is new is embedded, and readers miss nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from twd_schema.indexing import publication, shares
from twd_schema.indexing.documents import Document
from twd_schema.indexing.publication import Publisher
from twd_shared.clients import ollama, qdrant
from twd_shared.clients.catalog import Connection
from twd_shared.clients.index_layout import Point, point_id
from twd_shared.clients.index_points import ConnectionPoints
from twd_shared.errors import (
    EmbeddingUnavailable,
    IndexOutdated,
    IndexUnavailable,
    MetadataUnavailable,
    ModelUnavailable,
    UnknownConnection,
)
from twd_shared.resources.servers import OllamaResource
from twd_shared.schema_model.models import Column, Table
from twd_shared.store.sync_tables import index_origins
from twd_shared.terms.sparse import SparseTerms

from .index_shop import LARGE, SHOP, SIX, SMALL, Shop, snapshot, table, with_comment


@pytest.fixture
def shop(resources: dict[str, Any]) -> Shop:
    return Shop(resources)


@pytest.fixture
def embedded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts went in each call of /api/embed, so far."""
    calls: list[int] = []
    embed = ollama.embed

    async def counted(http: Any, model: str, texts: list[str]) -> Any:
        calls.append(len(texts))
        return await embed(http, model, texts)

    monkeypatch.setattr(ollama, "embed", counted)
    return calls


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama, "TEXTS_IN_A_CALL", 2)
    monkeypatch.setattr(ollama, "_CONCURRENT_BATCHES", 1)
    monkeypatch.setattr(ollama, "_ATTEMPTS", 1)


def test_what_is_published_is_found(shop: Shop) -> None:
    published = shop.publish(*SIX)
    assert (published.points.embedded, published.points.present) == (6, 6)
    assert shop.find("films")[0] == "films"


def test_a_second_publication_calls_no_model(shop: Shop, embedded: list[int]) -> None:
    first = shop.publish(*SIX)
    embedded.clear()
    second = shop.publish(*SIX)
    assert embedded == []
    assert second.points.unchanged == 6
    assert first.state.content_hash == second.state.content_hash


def test_only_what_changed_is_embedded_and_what_is_gone_is_deleted(shop: Shop) -> None:
    shop.publish(*SIX)
    changed = shop.publish(table("actors", "id", "name"), *SIX[1:5]).points
    assert (changed.embedded, changed.unchanged, changed.deleted) == (1, 4, 1)
    assert shop.held() == ["actors", "books", "cities", "dogs", "eggs"]


def test_of_a_change_of_few_tables_only_the_written_points_are_read_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish(*SIX)
    read: list[tuple[str, int]] = []
    held, payloads = ConnectionPoints.held, ConnectionPoints.payloads

    def held_counted(self: ConnectionPoints, keys: Sequence[str]) -> Any:
        found = held(self, keys)
        read.append(("all", len(found)))
        return found

    def payloads_counted(self: ConnectionPoints, ids: Sequence[str], *keys: Any) -> Any:
        found = payloads(self, ids, *keys)
        read.append(("written", len(found)))
        return found

    monkeypatch.setattr(ConnectionPoints, "held", held_counted)
    monkeypatch.setattr(ConnectionPoints, "payloads", payloads_counted)
    assert shop.publish(with_comment(SIX[0], "changed"), *SIX[1:]).points.embedded == 1
    assert read == [("all", 6), ("written", 1)]


STRANGER = Point("0" * 32, [0.1] * 768, SparseTerms((1,), (1.0,)), {"connection_id": "7"})


def test_a_point_that_is_added_while_few_are_written_is_removed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish(*SIX)
    upsert = ConnectionPoints.upsert

    def with_a_stranger(self: ConnectionPoints, points: Iterable[Point]) -> None:
        upsert(self, [*points, STRANGER])

    monkeypatch.setattr(ConnectionPoints, "upsert", with_a_stranger)
    changed = shop.publish(with_comment(SIX[0], "changed"), *SIX[1:]).points
    assert (changed.embedded, changed.deleted, changed.present) == (1, 1, 6)


def test_a_point_that_another_takes_the_place_of_while_few_are_written_is_missed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish(*SIX)
    upsert = ConnectionPoints.upsert

    def exchanging(self: ConnectionPoints, points: Iterable[Point]) -> None:
        upsert(self, [*points, STRANGER])
        self.delete([point_id("7", "public", SIX[1].name)])

    monkeypatch.setattr(ConnectionPoints, "upsert", exchanging)
    with pytest.raises(IndexUnavailable, match="does not hold what was written"):
        shop.publish(with_comment(SIX[0], "changed"), *SIX[1:5])
    assert point_id("7", "public", SIX[5].name) in shop.points.held(["content_hash"])


@pytest.mark.parametrize("lost", ["the written one", "another"])
def test_nothing_old_is_deleted_when_a_point_is_lost_while_few_are_written(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    shop.publish(*SIX)
    upsert = ConnectionPoints.upsert
    name = SIX[0].name if lost == "the written one" else SIX[1].name

    def losing(self: ConnectionPoints, points: Iterable[Point]) -> None:
        upsert(self, points)
        self.delete([point_id("7", "public", name)])

    monkeypatch.setattr(ConnectionPoints, "upsert", losing)
    with pytest.raises(IndexUnavailable, match="does not hold what was written"):
        shop.publish(with_comment(SIX[0], "changed"), *SIX[1:5])
    assert SIX[5].name in shop.held()


def test_a_change_of_a_few_tables_takes_one_call_for_each_64(
    shop: Shop, embedded: list[int]
) -> None:
    many = [table(f"t{number}", "id") for number in range(200)]
    shop.publish(*many)
    embedded.clear()
    shop.publish(*(with_comment(one, "changed") for one in many[:70]), *many[70:])
    assert sorted(embedded) == [6, 64]


def test_what_is_not_in_the_text_is_written_without_embedding(
    shop: Shop, embedded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish(*SIX)
    embedded.clear()
    each_changed = shares.each_changed

    def with_a_note(*arguments: Any) -> Iterator[Document]:
        for item in each_changed(*arguments):
            payload = {**item.payload, "note": "new"}
            yield replace(item, payload=payload, content_hash=f"{item.content_hash} later")

    monkeypatch.setattr(shares, "each_changed", with_a_note)
    monkeypatch.setattr(shares, "code_revision", lambda: "later")
    published = shop.publish(*SIX)
    assert embedded == []
    assert published.points.rewritten == 6
    assert [held["note"] for held in shop.points.held(["note"]).values()] == ["new"] * 6
    assert shop.find("films")[0] == "films"


def test_another_connections_points_are_left_alone(shop: Shop) -> None:
    other = Shop(shop.resources, Connection("8", "shop", "postgresql", True, ""))
    shop.publish(*SIX)
    other.publish(SIX[0])
    other.publish(SIX[1])
    other.index.delete_connection("8")
    assert len(shop.held()) == 6


def test_a_publication_that_was_cut_off_goes_on_where_it_stopped(
    shop: Shop, faults: Callable[..., None], small_batches: None
) -> None:
    shop.publish(SIX[0])
    faults("ollama", {"path": "/api/embed", "status": 500, "skip": 2})
    with pytest.raises(EmbeddingUnavailable, match="failed on /api/embed"):
        shop.publish(*SIX)
    faults("ollama")
    again = shop.publish(*SIX).points
    assert (again.embedded, again.unchanged, again.repaired) == (1, 5, 0)


def test_points_that_somebody_deleted_are_repaired_and_told(shop: Shop) -> None:
    shop.publish(*SIX)
    shop.points.delete([point_id("7", "public", "dogs"), point_id("7", "public", "eggs")])
    repaired = shop.publish(*SIX).points
    assert (repaired.repaired, repaired.present) == (2, 6)


def test_points_that_nobody_published_are_removed_and_told(shop: Shop) -> None:
    shop.publish(*SIX)
    shop.points.upsert([STRANGER])
    repaired = shop.publish(*SIX).points
    assert (repaired.repaired, repaired.deleted, repaired.present) == (1, 1, 6)


def test_a_difference_is_told_also_when_the_schema_has_changed(shop: Shop) -> None:
    shop.publish(*SIX)
    shop.points.delete([point_id("7", "public", "dogs")])
    repaired = shop.publish(*SIX, table("goats", "id")).points
    assert (repaired.repaired, repaired.present) == (1, 7)


def test_an_older_snapshot_never_replaces_a_newer_one(shop: Shop) -> None:
    old = shop.read(*SIX[:2])
    shop.publish(*SIX)
    publisher = Publisher(shop.index, shop.ollama, shop.database)
    assert publisher.publish(SHOP, snapshot(*SIX[:2]), old).state.snapshot_version == old + 1
    assert len(shop.held()) == 6


def test_an_older_snapshot_is_not_published_where_nothing_is_recorded_either(shop: Shop) -> None:
    old, new = shop.read(*SIX[:2]), shop.read(*SIX)
    publisher = Publisher(shop.index, shop.ollama, shop.database)
    assert publisher.publish(SHOP, snapshot(*SIX[:2]), old).state.snapshot_version == new
    assert len(shop.held()) == 6


def test_a_publication_that_loses_its_lock_changes_nothing_more(
    shop: Shop, metadata_dsn: str, execute: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish(*SIX[:2])
    each_changed = shares.each_changed

    def cut_off(*arguments: Any) -> Iterator[Document]:
        execute(
            metadata_dsn,
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and"
            " database = (select oid from pg_database where datname = current_database())",
        )
        yield from each_changed(*arguments)

    monkeypatch.setattr(shares, "each_changed", cut_off)
    with pytest.raises(MetadataUnavailable, match="lock of the schema index is lost"):
        shop.publish(*SIX[1:])
    assert shop.held() == ["actors", "books"]
    recorded = shop.store.index_states.get("7")
    assert (recorded.snapshot_version, recorded.is_complete) == (1, True)


def test_a_connection_that_was_taken_out_meanwhile_is_not_indexed(shop: Shop) -> None:
    shop.store.connections.deactivate("7")
    with pytest.raises(UnknownConnection, match="taken out"):
        shop.publish(*SIX)
    assert shop.index.served() is None


def test_first_imports_at_the_same_moment_share_one_collection(resources: dict[str, Any]) -> None:
    shops = [Shop(resources, Connection(str(n), "shop", "postgresql", True, "")) for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        published = list(pool.map(lambda shop: shop.publish(*SIX[:2]), shops))
    assert len({item.state.collection for item in published}) == 1
    assert shops[0].index.collections() == [published[0].state.collection]
    assert [shop.held() for shop in shops] == [["actors", "books"]] * 6


def test_two_publications_of_one_connection_at_once_leave_the_newest(shop: Shop) -> None:
    shop.publish(SIX[0])
    versions = [shop.read(*SIX[: number + 2]) for number in range(4)]
    publisher = Publisher(shop.index, shop.ollama, shop.database)

    def publish(number: int) -> int:
        read = snapshot(*SIX[: number + 2])
        return publisher.publish(SHOP, read, versions[number]).points.present

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(publish, range(4)))
    assert shop.held() == ["actors", "books", "cities", "dogs", "eggs"]


def test_the_served_model_goes_on_being_used_until_another_is_served(shop: Shop) -> None:
    shop.publish(*SIX[:2])
    shop.resources["ollama"] = OllamaResource(
        base_url=shop.resources["ollama"].base_url, embed_model=SMALL
    )
    published = shop.publish(*SIX)
    assert (published.state.model, published.state.dimension) == (LARGE, 768)
    assert published.pending_model == SMALL
    assert shop.find("films")[0] == "films"


def test_a_model_that_was_pulled_again_is_not_mixed_in(
    shop: Shop, faults: Callable[..., None]
) -> None:
    shop.publish(*SIX[:2])
    listed = {"models": [{"model": f"{LARGE}:latest", "digest": "f" * 64}]}
    faults("ollama", {"path": "/api/tags", "status": 200, "body": listed})
    with pytest.raises(IndexOutdated, match=r"digest ffffffffffff.*make migrate-index"):
        shop.publish(*SIX)
    assert shop.held() == ["actors", "books"]


def test_what_was_embedded_while_the_model_was_pulled_again_is_not_taken_for_the_other_ones(
    shop: Shop, faults: Callable[..., None]
) -> None:
    shop.publish(*SIX[:2])
    listed = {"models": [{"model": f"{LARGE}:latest", "digest": "f" * 64}]}
    faults("ollama", {"path": "/api/tags", "status": 200, "body": listed, "skip": 1})
    with pytest.raises(IndexOutdated, match=r"while texts were embedded .*digest ffffffffffff"):
        shop.publish(*SIX)
    recorded = shop.store.index_states.get("7")
    assert (recorded.is_complete, recorded.snapshot_version) == (False, 1)
    assert shop.find("films")[0] == "films"
    faults("ollama")
    assert shop.publish(*SIX).points.embedded == 4


def test_a_model_that_is_removed_while_it_embeds_is_to_be_pulled(
    shop: Shop, faults: Callable[..., None]
) -> None:
    shop.publish(*SIX[:2])
    faults("ollama", {"path": "/api/tags", "status": 200, "body": {"models": []}, "skip": 1})
    with pytest.raises(ModelUnavailable, match=f"lost model {LARGE}.*ollama pull {LARGE}"):
        shop.publish(*SIX)
    faults("ollama")
    assert shop.publish(*SIX).points.embedded == 0


def test_a_model_that_the_server_has_no_more_is_to_be_pulled(
    shop: Shop, faults: Callable[..., None]
) -> None:
    shop.publish(*SIX[:2])
    faults("ollama", {"path": "/api/tags", "status": 200, "body": {"models": []}})
    with pytest.raises(ModelUnavailable, match=f"ollama pull {LARGE}"):
        shop.publish(*SIX)
    assert shop.held() == ["actors", "books"]


def test_an_index_of_another_layout_is_not_mixed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish(*SIX[:2])
    monkeypatch.setattr(publication, "LAYOUT", "9.9")
    with pytest.raises(IndexOutdated, match=r"writes 9\.9.*make migrate-index"):
        shop.publish(*SIX)
    assert shop.held() == ["actors", "books"]


def test_points_with_much_payload_are_written_in_requests_that_qdrant_takes(shop: Shop) -> None:
    shop.publish(SIX[0])
    payload = {"connection_id": "7", "ddl": "x" * 12_000_000}
    ids = [point_id("7", "public", name) for name in ("a", "b", "c")]
    shop.points.upsert([Point(key, [0.1] * 768, SparseTerms((), ()), payload) for key in ids])
    assert set(ids) <= shop.points.held([]).keys()


def test_points_of_more_than_one_page_are_all_seen(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qdrant, "_PAGE", 4)
    monkeypatch.setattr(qdrant, "_BATCH", 4)
    monkeypatch.setattr(qdrant, "_QUERIES", 1)
    assert shop.publish(*SIX).points.present == 6
    assert shop.publish(*SIX).points.unchanged == 6
    assert shop.find("books")[0] == "books"


def dense_table() -> Table:
    """A table whose text has more tokens than any estimate expects."""
    dense = Table(schema="public", name="readings", kind="table", comment="a1 " * 160)
    columns = tuple(Column(name=f"c{n}", type="bit", comment="1a" * 60) for n in range(36))
    return msgspec.structs.replace(dense, columns=columns)


def test_a_text_that_the_model_refuses_is_shortened_and_told_and_keeps_no_neighbour_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the budget had been measured too large: the whole table goes in one text.
    budget = shop.ollama.token_budget()
    large = type(budget)(limit=100_000, rates=budget.rates)
    monkeypatch.setattr(ollama.Ollama, "token_budget", lambda _: large)
    published = shop.publish(*SIX, dense_table()).points
    assert published.present == published.expected == 7
    assert published.shortened == ("public.readings",)
    assert "readings" in shop.find("readings", limit=10)


def test_a_text_that_was_shortened_is_told_as_long_as_its_vector_stays(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = shop.ollama.token_budget()
    large = type(budget)(limit=100_000, rates=budget.rates)
    monkeypatch.setattr(ollama.Ollama, "token_budget", lambda _: large)
    shop.publish(*SIX, dense_table())
    when_nothing_changes = shop.publish(*SIX, dense_table()).points
    assert (when_nothing_changes.unchanged, when_nothing_changes.shortened) == (
        7,
        ("public.readings",),
    )
    assert shop.publish(*SIX[1:], dense_table()).points.shortened == ("public.readings",)
    assert shop.publish(*SIX).points.shortened == ()


def test_a_wide_table_is_found_by_its_last_column_and_named_once(shop: Shop) -> None:
    columns = [f"measured_value_{number}" for number in range(600)]
    wide = table("measurements", *columns[:-1], "zebra_stripes")
    published = shop.publish(wide, *SIX)
    assert published.points.expected > 8
    assert shop.find("zebra stripes", limit=3)[0] == "measurements"


def test_points_that_an_older_release_wrote_are_not_taken_for_those_of_before(shop: Shop) -> None:
    shop.publish(*SIX)
    with shop.database.begin() as transaction:
        told = transaction.execute(sa.select(index_origins)).one()._asdict()
    shop.publish(with_comment(SIX[0], "another"), *SIX[1:])
    with shop.database.begin() as transaction:
        # It tells nothing of origins: what was told before it stays.
        transaction.execute(sa.update(index_origins).values(**told))
    assert shop.publish(*SIX).points.embedded == 1


def test_a_verification_finds_what_the_records_do_not_tell(shop: Shop) -> None:
    version = shop.publish(*SIX).state.snapshot_version
    _, snapshot = shop.store.snapshots.load_newest("7")
    client, name = shop.resources["qdrant"].client, shop.index.served().name
    [point, *_] = shop.points.held(["content_hash"])
    # Another hash of the same mark: neither counts nor marks tell.
    client.set_payload(name, {"content_hash": "spoilt"}, points=[point])
    publisher = Publisher(shop.index, shop.ollama, shop.database)
    assert publisher.publish(SHOP, snapshot, version).points.repaired == 0
    assert publisher.publish(SHOP, snapshot, version, verify=True).points.repaired == 1
