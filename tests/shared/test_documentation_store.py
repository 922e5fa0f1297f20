"""Documentation and descriptions in the metadata database: read as they were written."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from twd_shared.clients.catalog import Connection
from twd_shared.schema_model.keys import TableName
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.descriptions import DescriptionStore, ModelAnswer
from twd_shared.store.documentation import DocumentationStore, TableCard
from twd_shared.store.tables import table_documentation

FILM = ("public", "film")
HOSTILE = "'; drop table x; --\n{} %s \\"


@pytest.fixture
def descriptions(database: MetadataDatabase, registry: ConnectionRegistry) -> DescriptionStore:
    registry.register([Connection("8", "other", "postgresql", True, "postgresql://u@h/other")])
    return DescriptionStore(database)


def replace(
    store: DocumentationStore, version: int, *cards: TableCard, verify: bool = False
) -> list[str]:
    """Write the cards; gives the tables of those that were asked for."""
    by_name = {(card.schema, card.table): card for card in cards}
    asked: list[str] = []

    def card_of(name: TableName) -> TableCard:
        asked.append(name[1])
        return by_name[name]

    fingerprints = {name: card.table_fingerprint for name, card in by_name.items()}
    stored = store.replace("7", version, fingerprints, card_of, verify=verify)
    assert stored == {
        name: (card.table_fingerprint, card.content_hash, bool(card.descriptions))
        for name, card in by_name.items()
    }
    return asked


def written_at(database: MetadataDatabase) -> dict[str, list[object]]:
    table = table_documentation.c
    query = sa.select(table.table_name, table.snapshot_version, table.written_at)
    with database.begin() as transaction:
        return {name: written for name, *written in transaction.execute(query)}


def test_a_card_comes_back_with_its_descriptions_and_categories(
    database: MetadataDatabase, registry: ConnectionRegistry
) -> None:
    store = DocumentationStore(database)
    plain = TableCard("public", "actor", "Table actor", "h1", "f1")
    told = TableCard(
        "public", "film", HOSTILE, "h2", "f2", {"": "A film", "rating": HOSTILE}, {"kind": ["a"]}
    )
    replace(store, 1, plain, told)
    assert store.cards("7") == [plain, told]


def test_a_card_that_tells_no_more_than_the_snapshot_need_not_be_read(
    database: MetadataDatabase, registry: ConnectionRegistry
) -> None:
    store = DocumentationStore(database)
    plain = TableCard("public", "actor", "Table actor", "h1", "f1")
    described = TableCard("public", "city", "Table city", "h2", "f2", {"id": "Its number"})
    valued = TableCard("public", "film", "Table film", "h3", "f3", {}, {"kind": ["a"]})
    replace(store, 1, plain, described, valued)
    assert store.telling("7") == [described, valued]


def test_a_new_version_replaces_every_part_of_a_card_and_drops_gone_tables(
    database: MetadataDatabase, registry: ConnectionRegistry
) -> None:
    store = DocumentationStore(database)
    old = TableCard("public", "film", "old", "h1", "f1", {"": "old"}, {"kind": ["old"]})
    replace(store, 1, old, TableCard("public", "gone", "x", "h", "f"))
    new = TableCard("public", "film", "new", "h2", "f2")
    replace(store, 2, new)
    assert store.cards("7") == [new]


def test_more_tables_go_at_once_than_a_statement_can_name(
    database: MetadataDatabase, registry: ConnectionRegistry
) -> None:
    store = DocumentationStore(database)
    replace(store, 1, *(TableCard("old", f"t{n}", "x", "h", "f") for n in range(12_000)))
    replace(store, 2, TableCard("new", "t0", "x", "h", "f"))
    assert [card.schema for card in store.cards("7")] == ["new"]


def test_only_a_card_that_is_made_of_something_else_is_asked_for(
    database: MetadataDatabase, registry: ConnectionRegistry
) -> None:
    store = DocumentationStore(database)
    film = TableCard("public", "film", "film", "h1", "f1", {"": "told"})
    actor = TableCard("public", "actor", "actor", "h2", "f2")
    assert replace(store, 1, film, actor) == ["film", "actor"]
    before = written_at(database)
    assert replace(store, 2, film, actor) == []
    assert written_at(database) == before
    assert replace(store, 3, film, dataclasses.replace(actor, table_fingerprint="f3")) == ["actor"]


def test_a_verification_restores_a_card_that_is_not_what_is_recorded_and_writes_no_other(
    database: MetadataDatabase, registry: ConnectionRegistry
) -> None:
    store = DocumentationStore(database)
    film = TableCard("public", "film", "film", "h1", "f1")
    actor = TableCard("public", "actor", "actor", "h2", "f2", {"": "told"}, {"kind": ["a"]})
    replace(store, 1, film, actor)
    before = written_at(database)
    with database.begin() as transaction:
        transaction.execute(
            sa.text("update twd.table_documentation set card = 'x' where table_name = 'film'")
        )
    assert replace(store, 2, film, actor, verify=True) == ["film", "actor"]
    assert store.cards("7") == [actor, film]
    after = written_at(database)
    assert after["actor"] == before["actor"]
    assert (before["film"][0], after["film"][0]) == (1, 2)


def test_people_and_model_are_kept_apart(descriptions: DescriptionStore) -> None:
    descriptions.edit("7", FILM, "rating", "by a person")
    descriptions.keep_answer("7", FILM, ModelAnswer("hash", {"": "film", "rating": HOSTILE}))
    assert descriptions.of_people("7") == {FILM: {"rating": "by a person"}}
    assert descriptions.of_model("7") == {
        FILM: ModelAnswer("hash", {"": "film", "rating": HOSTILE})
    }


def test_runs_that_are_answered_at_once_keep_one_answer(descriptions: DescriptionStore) -> None:
    together = threading.Barrier(4)

    def keep(run: int) -> None:
        for _ in range(20):
            together.wait(timeout=30)
            texts = {"": "film", **{f"c{run}_{number}": "x" for number in range(9)}}
            descriptions.keep_answer("7", FILM, ModelAnswer(f"hash{run}", texts))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(keep, range(4)))
    kept = descriptions.of_model("7")[FILM]
    run = kept.content_hash.removeprefix("hash")
    assert kept.texts.keys() == {"", *(f"c{run}_{number}" for number in range(9))}


def test_a_new_answer_leaves_nothing_of_the_old_one(descriptions: DescriptionStore) -> None:
    descriptions.keep_answer("7", FILM, ModelAnswer("old", {"": "old", "gone": "x"}))
    descriptions.keep_answer("7", FILM, ModelAnswer("new", {"": "new"}))
    assert descriptions.of_model("7") == {FILM: ModelAnswer("new", {"": "new"})}


def test_an_edit_replaces_the_one_before_and_an_empty_one_removes_it(
    descriptions: DescriptionStore,
) -> None:
    descriptions.edit("7", FILM, "", "first")
    descriptions.edit("7", FILM, "", "second")
    descriptions.edit("7", FILM, "rating", "stays")
    assert descriptions.of_people("7") == {FILM: {"": "second", "rating": "stays"}}
    descriptions.edit("7", FILM, "", "")
    assert descriptions.of_people("7") == {FILM: {"rating": "stays"}}


def test_descriptions_of_one_connection_are_not_read_for_another(
    descriptions: DescriptionStore,
) -> None:
    descriptions.edit("7", FILM, "", "mine")
    descriptions.keep_answer("7", FILM, ModelAnswer("hash", {"": "mine"}))
    assert (descriptions.of_people("8"), descriptions.of_model("8")) == ({}, {})
