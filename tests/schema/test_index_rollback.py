"""Going back to the index that was served before: one call, then what has changed since."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from qdrant_client import models

from twd_schema.command import main
from twd_schema.documentation.documenting import document_connection
from twd_schema.indexing.migration import IndexMigration, MigrationOptions
from twd_schema.indexing.rollback import Rollback, roll_back
from twd_shared.clients.catalog import Connection
from twd_shared.clients.index_points import ConnectionPoints
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.errors import (
    IndexRejected,
    IndexUnavailable,
    MetadataUnavailable,
    MigrationRefused,
)
from twd_shared.resources.servers import OllamaResource
from twd_shared.store.descriptions import DescriptionStore
from twd_shared.store.index_locks import IndexLocks

from .index_shop import LARGE, SIX, SMALL, Shop, table


@pytest.fixture
def shop(resources: dict[str, Any]) -> Shop:
    """Six tables, first published by the large model and then migrated to the small one."""
    made = Shop(resources)
    made.publish(*SIX)
    made.resources["ollama"] = OllamaResource(
        base_url=made.resources["ollama"].base_url, embed_model=SMALL
    )
    IndexMigration(made.index, made.ollama, made.database, lambda _: None).run(MigrationOptions())
    return made


def go_back(shop: Shop) -> Rollback:
    return roll_back(shop.index, shop.ollama, shop.database)


def test_what_was_served_before_is_served_again(shop: Shop) -> None:
    live, previous = shop.index.names()
    done = go_back(shop)
    assert shop.index.names() == (previous, live)
    assert (done.before_model, done.served.model) == (SMALL, LARGE)
    assert shop.find("films")[0] == "films"


def test_what_has_changed_since_is_published_to_it(shop: Shop) -> None:
    shop.publish(*SIX[1:], table("goats", "id"))
    done = go_back(shop)
    assert (done.up_to_date, done.caught_up, done.behind) == (0, ("shop",), {})
    assert shop.held() == ["books", "cities", "dogs", "eggs", "films", "goats"]
    assert shop.store.index_states.get("7").model == LARGE


def test_what_has_not_changed_since_needs_no_model(shop: Shop, faults: Callable[..., None]) -> None:
    faults("ollama", {"path": "/api", "status": 500})
    done = go_back(shop)
    assert (done.up_to_date, done.behind) == (1, {})
    assert shop.store.index_states.get("7").model == LARGE


def test_what_is_documented_while_it_compares_is_published_by_the_next(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = ConnectionPoints.held

    def meanwhile(points: ConnectionPoints, keys: Sequence[str]) -> Any:
        monkeypatch.undo()
        store, descriptions = shop.store, DescriptionStore(shop.database)
        descriptions.edit("7", ("public", "films"), "", "Moving pictures")
        document_connection("7", store.snapshots, store.documentation, descriptions, None)
        return held(points, keys)

    monkeypatch.setattr(ConnectionPoints, "held", meanwhile)
    assert go_back(shop).up_to_date == 1
    assert shop.publish(*SIX).points.embedded == 1
    assert shop.find("moving pictures")[0] == "films"


def test_it_stands_also_when_a_connection_cannot_be_caught_up(
    shop: Shop, faults: Callable[..., None]
) -> None:
    other = Shop(shop.resources, Connection("8", "other", "postgresql", True, ""))
    other.publish(*SIX)
    faults("ollama", {"path": "/api/tags", "status": 200, "body": {"models": []}})
    done = go_back(shop)
    assert done.up_to_date == 1
    assert list(done.behind) == ["other"]
    assert shop.find("films")[0] == "films"


def test_a_connection_that_is_behind_counts_as_not_indexed_and_so_is_imported_again(
    shop: Shop, faults: Callable[..., None]
) -> None:
    shop.publish(*SIX[1:])
    faults("ollama", {"path": "/api/tags", "status": 200, "body": {"models": []}})
    go_back(shop)
    assert shop.store.index_states.get("7") is None
    faults("ollama")
    shop.publish(*SIX[1:])
    assert shop.held() == ["books", "cities", "dogs", "eggs", "films"]


def test_going_forward_again_embeds_only_what_has_changed(shop: Shop) -> None:
    live, _ = shop.index.names()
    go_back(shop)
    shop.publish(*SIX, table("goats", "id"))
    migration = IndexMigration(shop.index, shop.ollama, shop.database, lambda _: None)
    assert migration.run(MigrationOptions()).served.name == live
    assert shop.held()[-1] == "goats"


ALIASES = {"path": "/collections/aliases", "method": "POST"}


@pytest.mark.parametrize(
    ("fault", "is_moved", "sentence"),
    [
        # The server does it, and its answer is lost.
        ({"truncate": True}, True, "is {previous} now: doing it again would lead back"),
        ({"status": 500}, False, "is {live} as before; .* Do it again once"),
        ({"status": 400}, False, "is {live} as before; .* Do it again once"),
    ],
)
def test_an_error_says_whether_it_is_served_by_now(
    shop: Shop,
    faults: Callable[..., None],
    fault: dict[str, Any],
    is_moved: bool,
    sentence: str,
) -> None:
    live, previous = shop.index.names()
    faults("qdrant", ALIASES | fault)
    with pytest.raises((IndexUnavailable, IndexRejected), match=r"Qdrant") as raised:
        go_back(shop)
    faults("qdrant")
    assert shop.index.names().live == (previous if is_moved else live)
    assert re.search(sentence.format(live=live, previous=previous), str(raised.value))
    # What it promises of the connections.
    shop.publish(*SIX, table("goats", "id"))
    assert shop.held()[-1] == "goats"


def test_an_error_says_where_that_cannot_be_told(shop: Shop, faults: Callable[..., None]) -> None:
    faults(
        "qdrant",
        ALIASES | {"truncate": True},
        {"path": "/aliases", "method": "GET", "skip": 2, "status": 500},
    )
    with pytest.raises(IndexUnavailable, match="is not known: doing it again may lead back"):
        go_back(shop)


def test_a_session_that_is_lost_at_the_end_is_told_with_what_is_served(
    shop: Shop, execute: Callable[..., None], metadata_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = SchemaIndex.exchange

    def and_lose_all_sessions(index: SchemaIndex) -> None:
        exchange(index)
        execute(
            metadata_dsn,
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()",
        )

    monkeypatch.setattr(SchemaIndex, "exchange", and_lose_all_sessions)
    with pytest.raises(MetadataUnavailable, match="doing it again would lead back"):
        go_back(shop)


def test_doing_it_twice_leads_back(shop: Shop) -> None:
    names = shop.index.names()
    go_back(shop)
    go_back(shop)
    assert shop.index.names() == names


def test_there_must_be_something_to_go_back_to(resources: dict[str, Any]) -> None:
    shop = Shop(resources)
    shop.publish(*SIX)
    with pytest.raises(IndexRejected, match="keeps no earlier collection"):
        go_back(shop)
    assert shop.find("films")[0] == "films"


def lose_what_is_served(shop: Shop) -> str:
    """Delete the collection, and the alias with it; gives its name."""
    name = str(shop.index.names().live)
    shop.resources["qdrant"].client.delete_collection(name)
    assert shop.index.names().live is None
    return name


def test_a_collection_that_is_lost_is_replaced_by_the_one_before(shop: Shop) -> None:
    _, previous = shop.index.names()
    lose_what_is_served(shop)
    assert go_back(shop).before == "a collection that is gone"
    assert shop.index.names() == (previous, None)
    assert shop.find("films")[0] == "films"


def test_a_collection_that_is_lost_is_built_anew_by_a_migration(shop: Shop) -> None:
    lose_what_is_served(shop)
    migration = IndexMigration(shop.index, shop.ollama, shop.database, lambda _: None)
    served = migration.run(MigrationOptions()).served
    assert (served.name, served.model) == (shop.index.names().live, SMALL)
    assert shop.find("films")[0] == "films"


def test_a_migration_that_takes_up_the_one_before_leaves_nothing_before_it(shop: Shop) -> None:
    lose_what_is_served(shop)
    shop.resources["ollama"] = OllamaResource(
        base_url=shop.resources["ollama"].base_url, embed_model=LARGE
    )
    migration = IndexMigration(shop.index, shop.ollama, shop.database, lambda _: None)
    served = migration.run(MigrationOptions()).served
    assert shop.index.names() == (served.name, None)


def test_a_publication_does_not_begin_anew_where_a_collection_is_lost(shop: Shop) -> None:
    lose_what_is_served(shop)
    with pytest.raises(IndexRejected, match=r"is gone.*make rollback-index.*make migrate-index"):
        shop.publish(*SIX)
    with pytest.raises(IndexRejected, match="is gone"):
        shop.find("films")
    assert shop.index.names().live is None


def test_nor_where_the_only_collection_is_lost(resources: dict[str, Any]) -> None:
    shop = Shop(resources)
    shop.publish(*SIX)
    name = lose_what_is_served(shop)
    other = Shop(resources, Connection("8", "other", "postgresql", True, ""))
    with pytest.raises(IndexRejected, match=rf"is gone: {name}\..*make migrate-index"):
        other.publish(*SIX)
    assert shop.index.collections() == []


def lose_the_alias(shop: Shop) -> None:
    lost = models.DeleteAlias(alias_name=shop.index.alias)
    shop.resources["qdrant"].client.update_collection_aliases(
        [models.DeleteAliasOperation(delete_alias=lost)]
    )


def test_a_publication_sets_an_alias_again_that_alone_was_lost(shop: Shop) -> None:
    names = shop.index.names()
    lose_the_alias(shop)
    assert shop.publish(*SIX).points.unchanged == 6
    assert shop.index.names() == names


def test_what_lost_its_alias_is_kept_as_the_one_before(shop: Shop) -> None:
    live, previous = shop.index.names()
    lose_the_alias(shop)
    assert go_back(shop).before == live
    assert shop.index.names() == (previous, live)


def test_an_index_that_this_release_cannot_read_is_not_served_again(shop: Shop) -> None:
    names, state = shop.index.names(), shop.store.index_states.get("7")
    qdrant = shop.resources["qdrant"]
    qdrant.client.update_collection(names.previous, metadata={"layout": "0.9"})
    with pytest.raises(MigrationRefused, match=r"has layout 0\.9.*Nothing was changed"):
        roll_back(SchemaIndex(qdrant.client, shop.index.alias), shop.ollama, shop.database)
    assert shop.index.names() == names
    assert shop.store.index_states.get("7") == state


def test_nothing_is_changed_during_a_migration(shop: Shop) -> None:
    names = shop.index.names()
    with (
        IndexLocks(shop.database, shop.index.alias).migrating(),
        pytest.raises(MigrationRefused, match="terminate the run of index_migration_job"),
    ):
        go_back(shop)
    assert shop.index.names() == names


def test_the_command_says_from_where_to_where(
    shop: Shop,
    services: Any,
    metadata_dsn: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    live, previous = shop.index.names()
    for name, value in {
        "TWD_METADATA_DSN": metadata_dsn,
        "QDRANT_URL": services.qdrant,
        "OLLAMA_BASE_URL": services.ollama,
        "TWD_INDEX_ALIAS": shop.index.alias,
        "TWD_EMBED_MODEL": SMALL,
    }.items():
        monkeypatch.setenv(name, value)
    assert main(["rollback-index"]) == 0
    said = capfd.readouterr().out
    assert f"{live} ({SMALL}) → {previous} ({LARGE})" in said
    assert "TWD_EMBED_MODEL is twd-lexical-small: set it to twd-lexical" in said
