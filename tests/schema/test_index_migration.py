"""Another model, or a full rebuild: built beside what is served, compared, then swapped at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from twd_schema.indexing import building, migration
from twd_schema.indexing.migration import (
    IndexMigration,
    LossRefused,
    Migration,
    MigrationOptions,
)
from twd_schema.indexing.reconciling import Reconciler
from twd_shared.clients import index_collections
from twd_shared.clients.catalog import Connection
from twd_shared.clients.index_layout import LAYOUT
from twd_shared.errors import EmbeddingUnavailable, MigrationRefused
from twd_shared.resources.servers import OllamaResource
from twd_shared.store.index_builds import IndexBuilds
from twd_shared.store.index_locks import IndexLocks

from .index_shop import LARGE, SIX, SMALL, Shop, table


def configure(shop: Shop, model: str) -> None:
    """Set TWD_EMBED_MODEL."""
    shop.resources["ollama"] = OllamaResource(
        base_url=shop.resources["ollama"].base_url, embed_model=model
    )


def migrate(shop: Shop, **options: Any) -> Migration:
    made = IndexMigration(shop.index, shop.ollama, shop.database, lambda _: None)
    return made.run(MigrationOptions(**options))


def live(shop: Shop) -> tuple[str, str]:
    served = shop.index.served()
    assert served is not None
    return served.name, served.model


@pytest.fixture
def shop(resources: dict[str, Any]) -> Shop:
    """Six tables, published by the large model; the small one is configured since."""
    made = Shop(resources)
    made.publish(*SIX)
    configure(made, SMALL)
    return made


def test_the_configured_model_is_served_and_what_was_served_is_kept(shop: Shop) -> None:
    before, _ = live(shop)
    done = migrate(shop)
    assert live(shop) == (done.served.name, SMALL)
    assert shop.index.names().previous == before
    assert shop.find("films")[0] == "films"
    assert done.points == 6


def test_publishing_goes_on_with_the_new_model_after_it(shop: Shop) -> None:
    migrate(shop)
    published = shop.publish(*SIX, table("goats", "id"))
    assert (published.points.embedded, published.points.repaired) == (1, 0)
    assert (published.state.model, published.pending_model) == (SMALL, None)


def test_what_each_connection_holds_is_recorded_anew(shop: Shop) -> None:
    done = migrate(shop)
    state = shop.store.index_states.get("7")
    assert (state.collection, state.model, state.dimension) == (done.served.name, SMALL, 256)
    assert shop.publish(*SIX).state == state


def test_a_schema_that_changes_while_it_is_built_is_in_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = migration.compare

    def meanwhile(rankings: Any) -> Any:
        shop.publish(*SIX[1:], table("goats", "id"))
        return compare(rankings)

    monkeypatch.setattr(migration, "compare", meanwhile)
    migrate(shop)
    assert shop.held() == ["books", "cities", "dogs", "eggs", "films", "goats"]
    assert shop.publish(*SIX[1:], table("goats", "id")).points.unchanged == 6


def test_a_connection_that_is_taken_out_while_it_is_built_is_not_in_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Shop(shop.resources, Connection("8", "other", "postgresql", True, ""))
    other.publish(*SIX)
    compare = migration.compare

    def meanwhile(rankings: Any) -> Any:
        shop.store.connections.deactivate("8")
        return compare(rankings)

    monkeypatch.setattr(migration, "compare", meanwhile)
    done = migrate(shop)
    assert shop.index.counts(done.served.name) == {"7": 6}


def test_an_index_that_is_served_already_is_not_built_again(shop: Shop) -> None:
    done = migrate(shop)
    again = migrate(shop)
    assert (again.served.name, again.comparison) == (done.served.name, None)
    assert "nothing was built" in again.note


def test_a_rebuild_makes_a_new_collection_by_the_same_model(shop: Shop) -> None:
    configure(shop, LARGE)
    before, _ = live(shop)
    done = migrate(shop, rebuild=True)
    assert done.served.name != before
    assert live(shop) == (done.served.name, LARGE)


def test_a_newer_layout_is_a_reason_to_migrate(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(shop, LARGE)
    monkeypatch.setattr(index_collections, "LAYOUT", "9.9")
    assert LAYOUT != "9.9"
    assert migrate(shop).served.layout == "9.9"


def test_one_collection_is_kept_to_go_back_to_and_older_ones_are_dropped(shop: Shop) -> None:
    first, _ = live(shop)
    second = migrate(shop).served.name
    done = migrate(shop, rebuild=True)
    assert done.dropped == (first,)
    assert shop.index.collections() == sorted([second, done.served.name])
    assert IndexBuilds(shop.database).status(first) == "dropped"


def test_a_migration_that_was_cut_off_embeds_nothing_twice(
    shop: Shop, faults: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from twd_shared.clients import ollama

    monkeypatch.setattr(ollama, "_BATCH", 2)
    monkeypatch.setattr(ollama, "_CONCURRENT_BATCHES", 1)
    monkeypatch.setattr(ollama, "_ATTEMPTS", 1)
    before = live(shop)
    # One call asks for the dimension, four measure the budget, one embeds two texts.
    faults("ollama", {"path": "/api/embed", "status": 500, "skip": 6})
    with pytest.raises(EmbeddingUnavailable):
        migrate(shop)
    faults("ollama")
    assert live(shop) == before
    [candidate] = set(shop.index.collections()) - {before[0]}
    assert shop.index.counts(candidate) == {"7": 2}
    embedded: list[int] = []
    reconcile = Reconciler.reconcile

    def counted(*arguments: Any) -> Any:
        done = reconcile(*arguments)
        embedded.append(done.embedded)
        return done

    monkeypatch.setattr(Reconciler, "reconcile", counted)
    assert migrate(shop).served.name == candidate
    assert embedded == [4]


def test_a_migration_that_ended_right_after_the_swap_is_brought_to_its_end(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as cut_off:
        cut_off.setattr(migration.IndexStateStore, "replace", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            migrate(shop)
    served, _ = live(shop)
    done = migrate(shop, rebuild=True)
    assert done.served.name == served
    assert shop.store.index_states.get("7").collection == served


def test_what_got_better_and_worse_is_told_and_kept(shop: Shop) -> None:
    done = migrate(shop)
    assert done.comparison is not None
    [shop_alone] = done.comparison.connections
    assert shop_alone.before.questions == shop_alone.after.questions == 24
    assert IndexBuilds(shop.database).report(done.served.name)["after"]["questions"] == 24


@pytest.fixture
def poor_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions find nothing in what the small model made."""
    rank_tables = migration.rank_tables

    def poor(questions: Any, **given: Any) -> Any:
        if given["collection"].model == SMALL:
            return [[] for _ in questions]
        return rank_tables(questions, **given)

    monkeypatch.setattr(migration, "rank_tables", poor)


def test_an_index_that_finds_less_is_not_served(shop: Shop, poor_model: None) -> None:
    before = live(shop)
    with pytest.raises(LossRefused, match=r"to 0\.000, by more than 0\.05.*accept_loss") as refused:
        migrate(shop)
    assert live(shop) == before
    assert len(refused.value.comparison.worse) == 20
    [candidate] = set(shop.index.collections()) - {before[0]}
    assert IndexBuilds(shop.database).status(candidate) == "refused"


def test_a_loss_can_be_accepted(shop: Shop, poor_model: None) -> None:
    with pytest.raises(LossRefused):
        migrate(shop)
    assert migrate(shop, accept_loss=True).served.model == SMALL


def test_a_connection_that_was_never_read_is_left_out(shop: Shop) -> None:
    shop.store.connections.register([Connection("8", "new", "postgresql", True, "")])
    assert migrate(shop).points == 6


def test_a_served_connection_without_a_snapshot_stops_the_migration(shop: Shop) -> None:
    with shop.database.begin() as transaction:
        for name in ("index_states", "snapshot_objects", "snapshots"):
            transaction.execute(sa.text(f"delete from twd.{name}"))
    before = live(shop)
    with pytest.raises(MigrationRefused, match=r"6 points of shop are served.*schema_import_job"):
        migrate(shop)
    assert live(shop) == before


def test_two_migrations_do_not_run_at_once(shop: Shop) -> None:
    with (
        IndexLocks(shop.database, shop.index.alias).migrating(),
        pytest.raises(MigrationRefused, match="somebody else"),
    ):
        migrate(shop)


def test_a_swap_by_somebody_else_meanwhile_stops_the_migration(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(shop)
    configure(shop, LARGE)
    build = building.IndexBuilder.build

    def meanwhile(*arguments: Any) -> None:
        build(*arguments)
        shop.index.exchange()

    monkeypatch.setattr(building.IndexBuilder, "build", meanwhile)
    with pytest.raises(MigrationRefused, match="Another collection is served"):
        migrate(shop)


def test_a_model_that_is_pulled_again_meanwhile_stops_the_migration(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, faults: Callable[..., None]
) -> None:
    compare = migration.compare
    listed = {"models": [{"model": f"{SMALL}:latest", "digest": "f" * 64}]}

    def meanwhile(rankings: Any) -> Any:
        faults("ollama", {"path": "/api/tags", "status": 200, "body": listed})
        return compare(rankings)

    before = live(shop)
    monkeypatch.setattr(migration, "compare", meanwhile)
    with pytest.raises(MigrationRefused, match="pulled again"):
        migrate(shop)
    assert live(shop) == before


def test_an_index_whose_model_is_gone_is_replaced_without_being_compared(
    shop: Shop, faults: Callable[..., None]
) -> None:
    configure(shop, "no-such-model")
    client = shop.resources["qdrant"].client
    collection, _ = live(shop)
    client.update_collection(collection, metadata={"model": "no-such-model"})
    configure(shop, SMALL)
    done = migrate(shop)
    assert done.comparison is None
    assert "ollama pull no-such-model" in done.note
    assert live(shop)[1] == SMALL


def test_an_index_of_an_earlier_version_is_replaced(shop: Shop) -> None:
    client = shop.resources["qdrant"].client
    old = f"{shop.index.alias}__twd-lexical__768"
    client.create_collection(
        old, vectors_config=index_collections.models.VectorParams(size=768, distance="Cosine")
    )
    shop.index.serve(old)
    done = migrate(shop)
    assert "does not say which model made it" in done.note
    assert shop.find("films")[0] == "films"


def test_the_job_shows_what_it_did(shop: Shop, location: dg.Definitions) -> None:
    job = location.get_job_def("index_migration_job")
    result = job.execute_in_process(
        run_config={"ops": {"migrate_schema_index": {"config": {"rebuild": True}}}}
    )
    [metadata] = [
        event.event_specific_data.metadata  # pyright: ignore
        for event in result.all_events
        if event.event_type_value == "STEP_OUTPUT"
    ]
    assert "| shop | 24 |" in metadata["report"].value
    assert metadata["points"].value == 6


def test_the_job_fails_with_the_report_when_too_much_is_lost(
    shop: Shop, location: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    rank_tables = migration.rank_tables
    served = live(shop)[0]

    def poor(questions: Any, **given: Any) -> Any:
        if given["collection"].name != served:
            return [[] for _ in questions]
        return rank_tables(questions, **given)

    monkeypatch.setattr(migration, "rank_tables", poor)
    job = location.get_job_def("index_migration_job")
    result = job.execute_in_process(
        raise_on_error=False,
        run_config={"ops": {"migrate_schema_index": {"config": {"rebuild": True}}}},
    )
    [failure] = [event for event in result.all_events if event.is_step_failure]
    told = failure.step_failure_data.user_failure_data
    assert told is not None
    assert "recall@5 falls from" in str(told.description)
    assert "| shop | 24 |" in told.metadata["report"].value
