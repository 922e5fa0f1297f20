"""`twd-schema plan`: what a sync would do, told on real servers and with nothing written."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa

from twd_schema.command import main
from twd_schema.documentation.documenting import document_connection
from twd_schema.drift.breaking_changes import BreakingChanges, Told
from twd_schema.drift.diff import diff_snapshots
from twd_schema.drift.store import DiffStore
from twd_schema.extraction.reading import SchemaReader
from twd_schema.indexing.publication import Publisher
from twd_shared.clients.catalog import Connection
from twd_shared.errors import IndexOutdated, IndexRejected
from twd_shared.store.descriptions import DescriptionStore
from twd_shared.store.tables import metadata, training_items

from .index_shop import Shop

Execute = Callable[..., None]

SHOP = """
create table customers (id int primary key, email text);
create table orders (id int primary key, customer_id int references customers, total int);
create table visits (at date primary key);
create table words (id int primary key, word text);
"""
CHANGES = (
    "create table refunds (id int primary key)",
    "drop table visits",
    "alter table customers drop email",
    "comment on table words is 'What we say'",
)


class Source:
    """A database that was imported, and the command line that plans its sync."""

    def __init__(self, shop: Shop, reader: SchemaReader, application: str) -> None:
        self.shop, self._reader, self.application = shop, reader, application

    def sync(self) -> None:
        """What a sync stores and publishes."""
        shop, connection = self.shop, self.shop.connection
        store = shop.store
        snapshot = self._reader.read(connection)
        version = store.snapshots.save("7", snapshot).version.version
        document_connection(
            "7", store.snapshots, store.documentation, DescriptionStore(shop.database), None
        )
        DiffStore(shop.database).put("7", diff_snapshots(None, snapshot, version - 1, version))
        Publisher(shop.index, shop.ollama, shop.database).publish(connection, snapshot, version)

    def tell(self) -> Told:
        """What a sync stores and tells before it publishes."""
        store, database = self.shop.store, self.shop.database
        snapshot = self._reader.read(self.shop.connection)
        version = store.snapshots.save("7", snapshot).version.version
        held = store.snapshots.load("7", 1)
        diff = diff_snapshots(held, snapshot, 1, version)
        return BreakingChanges(database).tell(
            store.connections.by_partition("shop"), diff, snapshot, {}, ""
        )

    def everything(self) -> tuple[object, ...]:
        """Every row of schema twd, and every point with its vectors."""
        with self.shop.database.read() as transaction:
            rows = [
                sorted(map(repr, transaction.execute(sa.select(table)).all()))
                for table in metadata.sorted_tables
            ]
        served = self.shop.index.served()
        points = None
        if served is not None:
            client = self.shop.resources["qdrant"].client
            records, _ = client.scroll(served.name, limit=10_000, with_vectors=True)
            points = sorted(map(_point, records), key=str)
        return rows, points, self.shop.index.collections(), self.shop.index.names()


def _point(record: Any) -> tuple[object, ...]:
    # Qdrant gives the vectors, and the numbers of a sparse one, in any order.
    terms = record.vector["terms"]
    sparse = sorted(zip(terms.indices, terms.values, strict=True))
    return record.id, record.payload, record.vector["dense"], sparse


@pytest.fixture
def source(
    services: Any,
    resources: dict[str, Any],
    reader: SchemaReader,
    application_dsn: str,
    catalog: Any,
    execute: Execute,
    monkeypatch: pytest.MonkeyPatch,
) -> Source:
    """The shop, synced; the environment says where all is."""
    dsn = services.database()
    execute(dsn, SHOP)
    catalog.add(7, "shop", dsn)
    environment = {
        "TWD_METADATA_DSN": resources["metadata_store"].dsn,
        "TWD_APPLICATION_DSN": application_dsn,
        "TWD_API_URL": catalog.url,
        "QDRANT_URL": resources["qdrant"].url,
        "TWD_INDEX_ALIAS": resources["qdrant"].collection_name,
        "OLLAMA_BASE_URL": resources["ollama"].base_url,
        "TWD_EMBED_MODEL": resources["ollama"].embed_model,
        "TWD_SOURCE_HOSTS": "loopback",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    shop = Shop(resources, Connection("7", "shop", "postgresql", True, dsn))
    made = Source(shop, reader, application_dsn)
    made.sync()
    return made


def teach(source: Source, question: str, sql: str) -> None:
    with source.shop.database.begin() as transaction:
        transaction.execute(
            sa.insert(training_items).values(
                connection_id="7",
                item_id=uuid.uuid4(),
                kind="question_sql",
                source="user",
                question=question,
                content=sql,
                content_hash="",
                tables=[],
                accepted=True,
                snapshot_version=1,
            )
        )


def ask(source: Source, user: str, sql: str) -> None:
    opened = psycopg2.connect(source.application)
    with opened, opened.cursor() as cursor:
        cursor.execute(
            "insert into database_connections (id, name, connection_string, db_type)"
            " values (7, 'shop', 'x', 'postgresql') on conflict do nothing"
        )
        cursor.execute("insert into conversations (user_id) values (%s) returning id", (user,))
        [conversation] = cursor.fetchone() or ()
        cursor.execute(
            "insert into messages (conversation_id, role, content, sql_query, connection_id)"
            " values (%s, 'assistant', '', %s, 7)",
            (conversation, sql),
        )
    opened.close()


def planned(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Status and answer of `plan shop --json`."""
    capsys.readouterr()
    status = main(["plan", "shop", "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_nothing_changed_is_said_with_status_zero(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "shop"]) == 0
    assert capsys.readouterr().out == "shop: no change; all 4 documents stay.\n"


def test_one_change_of_what_is_no_table_is_told_as_one(
    source: Source, execute: Execute, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(source.shop.connection.connection_string, "create type mood as enum ('sad')")
    assert main(["plan", "shop"]) == 1
    summary = capsys.readouterr().out.partition("\n")[0]
    assert summary == "shop: 1 change of another object; all 4 documents stay."


def test_a_plan_tells_changes_documents_time_and_whom_they_hit(
    source: Source, execute: Execute, capsys: pytest.CaptureFixture[str]
) -> None:
    teach(source, "When?", "select at from visits")
    ask(source, "ann", "select email from customers")
    ask(source, "bob", "select email from customers")
    execute(source.shop.connection.connection_string, *CHANGES)
    assert main(["plan", "shop"]) == 3
    summary, empty, heading, *rows = capsys.readouterr().out.splitlines()
    assert summary == (
        "shop: adds 1 table, drops 1 table, changes 2 tables; re-embeds 3 of 4 documents "
        "in about 1 s, deletes 1; breaks 1 training item and 2 queries of 2 users in the last "
        "30 days."
    )
    assert (empty, heading.split()[:2]) == ("", ["severity", "rule"])
    assert [row.split()[:2] for row in rows] == [
        ["breaking", "column_removed"],
        ["breaking", "table_removed"],
        ["safe", "table_added"],
        ["safe", "table_comment_changed"],
    ]
    assert rows[0].endswith("2 (2)")
    assert "1: “When?”" in rows[1]


def test_what_a_plan_says_is_what_a_sync_does(
    source: Source, execute: Execute, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(source.shop.connection.connection_string, *CHANGES)
    _, plan = planned(capsys)
    before = source.shop.points.held(["text_hash", "content_hash"])
    source.sync()
    after = source.shop.points.held(["text_hash", "content_hash"])
    embedded = {
        key
        for key, held in after.items()
        if before.get(key, {}).get("text_hash") != held["text_hash"]
    }
    kept = {key for key, held in after.items() if before.get(key) == held}
    assert plan["documents"] == {
        "embedded": len(embedded),
        "rewritten": len(after.keys() - embedded - kept),
        "deleted": len(before.keys() - after.keys()),
        "unchanged": len(kept),
    }
    assert planned(capsys)[0] == 0


def test_a_plan_writes_nothing_anywhere(
    source: Source, execute: Execute, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(source.shop.connection.connection_string, *CHANGES)
    before = source.everything()
    assert main(["plan", "shop"]) == 3
    assert source.everything() == before


def test_a_plan_of_a_source_that_was_never_imported_writes_nothing(
    source: Source, catalog: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = source.shop.connection
    other = Connection("8", "other", "postgresql", True, connection.connection_string)
    catalog.add(8, "other", connection.connection_string)
    source.shop.store.connections.register([other])
    before = source.everything()
    assert main(["plan", "other"]) == 1
    assert "adds 4 tables" in capsys.readouterr().out
    assert source.everything() == before


@pytest.mark.parametrize(
    ("statement", "status", "rule"),
    [
        ("alter table orders add note text", 1, "column_added"),
        ("alter table orders alter customer_id set not null", 1, "column_nullability_changed"),
        ("alter table orders rename total to sum", 3, "column_renamed"),
        ("alter table words rename to terms", 3, "table_renamed"),
    ],
)
def test_the_status_says_how_bad_it_is(
    source: Source,
    execute: Execute,
    capsys: pytest.CaptureFixture[str],
    statement: str,
    status: int,
    rule: str,
) -> None:
    execute(source.shop.connection.connection_string, statement)
    answered, plan = planned(capsys)
    assert answered == status
    assert [change["rule"] for change in plan["changes"]] == [rule]


def test_what_a_failed_sync_told_already_does_not_count_as_breaking(
    source: Source, execute: Execute, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(source.shop.connection.connection_string, "alter table orders alter total type text")
    assert planned(capsys)[0] == 3
    assert source.tell() == Told(broken=1, recovered=0)
    status, plan = planned(capsys)
    assert (status, [change["rule"] for change in plan["changes"]]) == (1, ["column_type_changed"])
    assert source.tell() == Told(broken=0, recovered=0)


def test_a_break_that_is_taken_back_does_not_count_as_breaking(
    source: Source, execute: Execute, capsys: pytest.CaptureFixture[str]
) -> None:
    dsn = source.shop.connection.connection_string
    execute(dsn, "alter table orders alter total type text")
    source.tell()
    source.sync()
    execute(dsn, "alter table orders alter total type int using total::int")
    status, plan = planned(capsys)
    assert (status, [change["rule"] for change in plan["changes"]]) == (1, ["column_type_changed"])
    assert source.tell() == Told(broken=0, recovered=1)


def test_a_rename_is_proven_by_the_server(
    source: Source, execute: Execute, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(source.shop.connection.connection_string, "alter table words rename to terms")
    _, plan = planned(capsys)
    assert [change["evidence"] for change in plan["changes"]] == ["server"]


def test_what_the_options_leave_out_since_is_planned_as_no_change_of_the_schema(
    source: Source, catalog: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog.rows[0]["extraction"] = {"exclude": ["public.words"]}
    status, plan = planned(capsys)
    assert (status, plan["changes"]) == (1, [])
    assert plan["documents"] == {"embedded": 0, "rewritten": 0, "deleted": 1, "unchanged": 3}


def test_what_became_part_of_a_table_that_is_left_out_is_planned_as_no_change_of_the_schema(
    source: Source, execute: Execute, catalog: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog.rows[0]["extraction"] = {"exclude": ["public.all_words"]}
    execute(
        source.shop.connection.connection_string,
        "create table all_words (like words) partition by hash (id)",
        "alter table all_words attach partition words for values with (modulus 1, remainder 0)",
    )
    _, plan = planned(capsys)
    assert plan["changes"] == []
    assert plan["documents"]["deleted"] == 1


def test_what_people_said_since_is_planned_without_being_stored(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    DescriptionStore(source.shop.database).edit("7", ("public", "words"), "", "All that is said")
    before = source.everything()
    status, plan = planned(capsys)
    assert status == 1
    assert plan["documents"] == {"embedded": 1, "rewritten": 0, "deleted": 0, "unchanged": 3}
    assert source.everything() == before


def test_without_ollama_the_time_is_not_known(
    source: Source,
    execute: Execute,
    faults: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    execute(source.shop.connection.connection_string, *CHANGES)
    faults("ollama", {"path": "/api", "status": 404})
    assert main(["plan", "shop"]) == 3
    out = capsys.readouterr().out
    assert "re-embeds 3 of 4 documents, time not known" in out
    assert "\ntime: not known (" in out


def test_an_index_that_a_sync_would_not_write_is_told(
    source: Source,
    execute: Execute,
    faults: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    listed = {"models": [{"model": "twd-lexical:latest", "digest": "f" * 64}]}
    faults("ollama", {"path": "/api/tags", "status": 200, "body": listed})
    with pytest.raises(IndexOutdated):
        source.sync()
    assert main(["plan", "shop"]) == 0
    assert "\nindex: a sync would not write it. The schema" in capsys.readouterr().out
    execute(source.shop.connection.connection_string, *CHANGES)
    assert "pulled again" in planned(capsys)[1]["unknown"][0]


def test_an_index_that_is_lost_is_told_beside_the_changes(
    source: Source, execute: Execute, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(source.shop.connection.connection_string, *CHANGES)
    for name in source.shop.index.collections():
        source.shop.resources["qdrant"].client.delete_collection(name)
    status, plan = planned(capsys)
    assert (status, bool(plan["changes"])) == (3, True)
    assert "make migrate-index" in plan["unknown"][0]
    with pytest.raises(IndexRejected, match="is gone"):
        source.sync()


def test_an_application_that_is_away_is_told(
    source: Source,
    execute: Execute,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TWD_APPLICATION_DSN", "postgresql://u:canary@127.0.0.1:1/app")
    execute(source.shop.connection.connection_string, *CHANGES)
    assert main(["plan", "shop"]) == 3
    out = capsys.readouterr().out
    assert "user queries: not known" in out
    assert "canary" not in out


@pytest.mark.parametrize("database", ["nobody", ""])
def test_an_unknown_database_is_an_error(
    source: Source, capsys: pytest.CaptureFixture[str], database: str
) -> None:
    assert main(["plan", database]) == 2
    assert "Known: shop" in capsys.readouterr().err


def test_a_source_that_is_away_is_an_error_and_is_not_recorded(
    source: Source, catalog: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog.rows[0]["connection_string"] = "postgresql://u:canary@127.0.0.1:1/shop"
    before = source.everything()
    assert main(["plan", "shop"]) == 2
    assert "canary" not in capsys.readouterr().err
    assert source.everything() == before
