"""Another model, or a full rebuild: built beside what is served, compared, then swapped at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest
import sqlalchemy as sa

from twd_schema.definitions import build_defs
from twd_schema.indexing import building, migration
from twd_schema.indexing.asking import asked_of
from twd_schema.indexing.migration import (
    IndexMigration,
    LossRefused,
    Migration,
    MigrationOptions,
)
from twd_schema.indexing.reconciling import Reconciler
from twd_schema.lifecycle.removal import take_out
from twd_shared.clients import index_collections
from twd_shared.clients.catalog import Connection
from twd_shared.clients.index_collections import IndexCollection
from twd_shared.clients.index_layout import LAYOUT
from twd_shared.errors import EmbeddingUnavailable, MigrationRefused, ModelUnavailable
from twd_shared.resources.servers import OllamaResource, QdrantResource
from twd_shared.settings import Settings
from twd_shared.store.index_builds import IndexBuilds
from twd_shared.store.index_locks import IndexLocks
from twd_shared.store.tables import training_items

from .flat_model import FLAT, FlatModelServer
from .index_shop import LARGE, SIX, SMALL, Shop, snapshot, table


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


def test_a_connection_that_is_taken_out_while_others_are_built_does_not_stop_the_migration(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Shop(shop.resources, Connection("8", "other", "postgresql", True, ""))
    other.publish(*SIX)
    bring_up = building.Shares.bring_up

    def meanwhile(shares: Any, collection: Any, reading: Any, *others: Any) -> Any:
        if reading.connection.connection_id == "8":
            assert take_out("7", shop.index, shop.database)
        return bring_up(shares, collection, reading, *others)

    monkeypatch.setattr(building.Shares, "bring_up", meanwhile)
    done = migrate(shop)
    assert shop.index.counts(done.served.name) == {"8": 6}


def test_a_first_import_does_not_serve_what_a_migration_builds(
    resources: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(resources)
    shop.read(*SIX)
    built: list[str] = []
    build = building.IndexBuilder.build

    def meanwhile(builder: Any, collection: IndexCollection, served: Any) -> None:
        built.append(collection.name)
        shop.publish(*SIX)
        build(builder, collection, served)

    monkeypatch.setattr(building.IndexBuilder, "build", meanwhile)
    with pytest.raises(MigrationRefused, match="Another collection is served"):
        migrate(shop)
    assert live(shop)[0] not in built
    assert shop.held() == sorted(one.name for one in SIX)


def test_an_index_that_is_served_already_is_not_built_again(shop: Shop) -> None:
    done = migrate(shop)
    again = migrate(shop)
    assert (again.served.name, again.comparisons) == (done.served.name, None)
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

    monkeypatch.setattr(ollama, "TEXTS_IN_A_CALL", 2)
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
    assert done.comparisons is not None
    for comparison in (done.comparisons.hybrid, done.comparisons.dense):
        [shop_alone] = comparison.connections
        assert shop_alone.before is not None
        assert shop_alone.before.questions == shop_alone.after.questions == 24
    kept = IndexBuilds(shop.database).report(done.served.name)
    assert kept["after"]["questions"] == kept["dense_only"]["after"]["questions"] == 24


@pytest.fixture
def flat_model(shop: Shop) -> Iterator[None]:
    """A model is configured whose vectors are all the same."""
    server = FlatModelServer(shop.resources["ollama"].base_url, LARGE)
    shop.resources["ollama"] = OllamaResource(base_url=server.url, embed_model=FLAT)
    yield
    server.close()


@pytest.mark.usefixtures("flat_model")
def test_a_model_that_tells_nothing_apart_is_refused_though_words_alone_find_all(
    shop: Shop,
) -> None:
    before = live(shop)
    with pytest.raises(LossRefused, match=r"dense only recall@5 falls .*accept_loss") as refused:
        migrate(shop)
    assert live(shop) == before
    assert refused.value.comparisons.hybrid.loss <= 0.05
    [candidate] = set(shop.index.collections()) - {before[0]}
    assert IndexBuilds(shop.database).status(candidate) == "refused"


@pytest.mark.usefixtures("flat_model")
def test_a_loss_can_be_accepted(shop: Shop) -> None:
    with pytest.raises(LossRefused):
        migrate(shop)
    assert migrate(shop, accept_loss=True).served.model == FLAT


@pytest.mark.usefixtures("flat_model")
def test_what_was_refused_is_embedded_again_by_a_rebuild(shop: Shop) -> None:
    with pytest.raises(LossRefused):
        migrate(shop)
    [refused] = set(shop.index.collections()) - {live(shop)[0]}
    with pytest.raises(LossRefused):
        migrate(shop, rebuild=True)
    assert refused not in shop.index.collections()
    assert IndexBuilds(shop.database).status(refused) == "dropped"


def test_a_rebuild_does_not_go_on_with_what_was_not_begun_as_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = cut_off_before_the_swap(shop, monkeypatch)
    assert migrate(shop, rebuild=True).served.name != begun


def test_a_rebuild_that_was_cut_off_is_gone_on_with(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = cut_off_before_the_swap(shop, monkeypatch, rebuild=True)
    assert migrate(shop, rebuild=True).served.name == begun


def cut_off_before_the_swap(shop: Shop, monkeypatch: pytest.MonkeyPatch, **options: bool) -> str:
    """Name of the candidate that a migration leaves."""
    with monkeypatch.context() as cut_off:
        cut_off.setattr(migration, "compare", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            migrate(shop, **options)
    [begun] = set(shop.index.collections()) - {live(shop)[0]}
    return begun


def test_questions_that_users_taught_are_asked_before_generated_ones(shop: Shop) -> None:
    teach(shop, "Who plays in them?", ["public.actors"])
    asked = asked_of(shop.database, "7", snapshot(*SIX))
    assert (asked[0].text, asked[0].origin, asked[0].tables) == (
        "Who plays in them?",
        "user",
        frozenset({"public.actors"}),
    )
    assert {question.origin for question in asked[1:]} == {"generated"}


@pytest.mark.parametrize(
    ("tables", "accepted"),
    [(["public.actors"], False), (["public.goats"], True), ([], True)],
    ids=["rejected", "of a table that is gone", "of no table"],
)
def test_a_taught_question_that_cannot_be_scored_is_left_out(
    shop: Shop, tables: list[str], accepted: bool
) -> None:
    teach(shop, "Who plays in them?", tables, accepted=accepted)
    asked = asked_of(shop.database, "7", snapshot(*SIX))
    assert {question.origin for question in asked} == {"generated"}


def teach(shop: Shop, question: str, tables: list[str], *, accepted: bool = True) -> None:
    """What `training_examples` keeps of a user's question and its SQL."""
    with shop.database.begin() as transaction:
        transaction.execute(
            sa.insert(training_items).values(
                connection_id="7",
                item_id=uuid4(),
                kind="question_sql",
                source="user",
                question=question,
                content="select 1",
                content_hash="hash",
                tables=tables,
                accepted=accepted,
                snapshot_version=1,
            )
        )


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


def test_an_index_whose_model_was_pulled_again_is_compared_as_its_users_find_it(
    shop: Shop, faults: Callable[..., None]
) -> None:
    configure(shop, LARGE)
    listed = {"models": [{"model": f"{LARGE}:latest", "digest": "f" * 64}]}
    faults("ollama", {"path": "/api/tags", "status": 200, "body": listed})
    done = migrate(shop)
    assert done.comparisons is not None
    assert done.comparisons.hybrid.before is not None
    assert done.comparisons.dense.before is None
    assert "was pulled again" in done.note
    assert done.served.model_digest == "f" * 64


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


def test_a_model_that_is_removed_meanwhile_stops_the_migration(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, faults: Callable[..., None]
) -> None:
    compare = migration.compare

    def meanwhile(rankings: Any) -> Any:
        faults("ollama", {"path": "/api/tags", "status": 200, "body": {"models": []}})
        return compare(rankings)

    before = live(shop)
    monkeypatch.setattr(migration, "compare", meanwhile)
    with pytest.raises(ModelUnavailable, match=f"ollama pull {SMALL}"):
        migrate(shop)
    assert live(shop) == before


@pytest.fixture
def model_gone(shop: Shop) -> None:
    """What is served was made by a model that is not there any more."""
    collection, _ = live(shop)
    shop.resources["qdrant"].client.update_collection(
        collection, metadata={"model": "no-such-model"}
    )
    # A server that has never seen the collection.
    shop.resources["qdrant"] = QdrantResource(
        url=shop.resources["qdrant"].url, collection_name=shop.index.alias
    )


@pytest.mark.usefixtures("model_gone")
def test_an_index_whose_model_is_gone_is_replaced_by_one_that_is_scored(shop: Shop) -> None:
    done = migrate(shop)
    assert "ollama pull no-such-model" in done.note
    assert live(shop)[1] == SMALL
    assert done.comparisons is not None
    assert done.comparisons.hybrid.before is None
    assert IndexBuilds(shop.database).report(done.served.name)["after"]["recall_at_5"] > 0.9


@pytest.mark.usefixtures("model_gone")
def test_where_nothing_can_be_compared_the_bound_of_recall_decides(shop: Shop) -> None:
    before = shop.index.names().live
    with pytest.raises(LossRefused, match=r"recall@5 is 1\.000, less than the 1\.01 of TWD_RECALL"):
        migrate(shop, least_recall=1.01)
    assert shop.index.names().live == before
    assert migrate(shop, least_recall=1.01, accept_loss=True).served.model == SMALL


def test_an_index_of_an_earlier_version_is_replaced(shop: Shop) -> None:
    old = f"{shop.index.alias}__twd-lexical__768"
    shop.resources["qdrant"].client.create_collection(
        old, vectors_config=index_collections.models.VectorParams(size=768, distance="Cosine")
    )
    shop.index.serve(old)
    done = migrate(shop)
    assert "does not say which model made it" in done.note
    assert done.comparisons is not None
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
    assert "| shop | dense only | 24 |" in metadata["report"].value
    assert metadata["points"].value == 6


@pytest.mark.usefixtures("flat_model")
def test_the_job_fails_with_the_report_when_too_much_is_lost(shop: Shop) -> None:
    defs = build_defs(Settings(run_retry_seconds=0), shop.resources)
    job = defs.get_job_def("index_migration_job")
    result = job.execute_in_process(raise_on_error=False)
    [failure] = [event for event in result.all_events if event.is_step_failure]
    told = failure.step_failure_data.user_failure_data
    assert told is not None
    assert "recall@5 falls from" in str(told.description)
    assert "| shop | dense only | 24 |" in told.metadata["report"].value


def test_the_job_may_take_longer_than_other_runs_and_goes_before_them(
    location: dg.Definitions,
) -> None:
    tags = location.get_job_def("index_migration_job").tags
    assert int(tags["dagster/max_runtime"]) == 86400
    assert int(tags["dagster/priority"]) > 1
