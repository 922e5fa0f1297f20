"""Whom a change hits: on real databases, with training items and queries as the application has."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import dagster as dg
import psycopg2
import pytest
import sqlalchemy as sa

from twd_schema.definitions import build_defs
from twd_schema.drift.affected import Surroundings, SurroundingsReader, TrainingItem, UserQuery
from twd_schema.drift.changes import SchemaDiff
from twd_schema.drift.diff import diff_snapshots
from twd_schema.drift.impact import Affected, Impact, found_impact, impact_of, told
from twd_schema.drift.report import markdown_report
from twd_schema.drift.targets import Targets
from twd_schema.extraction.reading import SchemaReader
from twd_shared.clients.application import ApplicationDatabase
from twd_shared.clients.catalog import Connection
from twd_shared.clients.index_layout import Point
from twd_shared.resources.stores import ApplicationDatabaseResource
from twd_shared.schema_model.models import Column, Snapshot, Table
from twd_shared.settings import Settings
from twd_shared.store.tables import training_items
from twd_shared.terms.sparse import SparseTerms

from .index_shop import Shop, table

Execute = Callable[..., None]

SHOP = """
create type mood as enum ('sad', 'ok', 'glad');
create table customers (id int primary key, mood mood, email text);
create table orders (id int primary key, customer_id int references customers, total int);
create table visits (at date primary key);
"""
DIFF = dg.AssetKey(["sync", "schema_diff"])


class World:
    """A shop that is connected, with its application."""

    def __init__(
        self, dsn: str, application: str, resources: dict[str, Any], execute: Execute
    ) -> None:
        self.dsn, self.application, self.resources = dsn, application, resources
        self._execute = execute
        self.store = resources["metadata_store"]
        self.store.connections.register([Connection("7", "shop", "postgresql", True, dsn)])
        self.run_on_application(
            "insert into database_connections (id, name, connection_string, db_type)"
            " values (7, 'shop', 'x', 'postgresql'), (8, 'other', 'y', 'postgresql')"
        )

    def run_on_application(self, *statements: str) -> None:
        self._execute(self.application, *statements)

    def asked(self, user: str, sql: str, *, connection: int | None = 7, days_ago: int = 1) -> None:
        """A user's query, as the application keeps it."""
        opened = psycopg2.connect(self.application)
        with opened, opened.cursor() as cursor:
            cursor.execute("insert into conversations (user_id) values (%s) returning id", (user,))
            [conversation] = cursor.fetchone() or ()
            cursor.execute(
                "insert into messages (conversation_id, role, content, sql_query, created_at,"
                " connection_id) values (%s, 'assistant', '', %s,"
                " now() - make_interval(days => %s), %s)",
                (conversation, sql, days_ago, connection),
            )
        opened.close()

    def taught(
        self, question: str | None, content: str, *tables: str, accepted: bool = True
    ) -> None:
        """A training item; without a question it is documentation."""
        with self.store.database.begin() as transaction:
            transaction.execute(
                sa.insert(training_items).values(
                    connection_id="7",
                    item_id=uuid.uuid4(),
                    kind="question_sql" if question else "documentation",
                    source="user",
                    question=question,
                    content=content,
                    content_hash="",
                    tables=list(tables),
                    accepted=accepted,
                    snapshot_version=1,
                )
            )

    def change(self, reader: SchemaReader, *statements: str) -> tuple[Snapshot, SchemaDiff]:
        """The schema before the statements, and what they change."""
        connection = Connection("7", "shop", "postgresql", True, self.dsn)
        before = reader.read(connection)
        self._execute(self.dsn, *statements)
        return before, diff_snapshots(before, reader.read(connection), 1, 2)

    def impact(self, reader: SchemaReader, *statements: str) -> Impact:
        """Whom the statements hit."""
        before, diff = self.change(reader, *statements)
        surroundings = SurroundingsReader(
            self.store.database,
            lambda: ApplicationDatabase(self.application),
            lambda: self.resources["qdrant"].schema_index,
        )
        return found_impact(diff, before, surroundings, "7")


@pytest.fixture
def world(
    services: Any, application_dsn: str, resources: dict[str, Any], execute: Execute
) -> World:
    dsn = services.database()
    execute(dsn, SHOP)
    return World(dsn, application_dsn, resources, execute)


@pytest.mark.parametrize(
    ("statement", "hit", "missed"),
    [
        ("drop table visits", "select * from visits", "select * from orders"),
        ("alter table visits rename to calls", "select 1 from visits", "select 1 from orders"),
        (
            "alter table customers drop email",
            "select c.email from customers c",
            "select * from customers",
        ),
        (
            "alter table customers rename email to mail",
            "select id from customers where email is null",
            "select id from customers",
        ),
        (
            "alter table orders alter total type numeric",
            "select sum(total) from orders",
            "select customer_id from orders",
        ),
        (
            "alter table orders alter customer_id set not null",
            "select customer_id from orders",
            "select total from orders",
        ),
        (
            "alter type mood rename value 'sad' to 'blue'",
            "select id from customers where mood in ('ok', 'sad')",
            "select id from customers where mood = 'ok' and email = 'sad'",
        ),
        (
            "alter table customers rename to clients; alter table clients rename email to mail",
            "select email from customers",
            "select id from orders",
        ),
    ],
    ids=lambda text: text[:30],
)
def test_a_change_hits_the_statements_that_read_what_changed(
    world: World, reader: SchemaReader, statement: str, hit: str, missed: str
) -> None:
    world.asked("ann", hit)
    world.asked("bob", missed)
    world.taught("What is hit?", hit, "public.x")
    world.taught("What is not?", missed, "public.x")
    impact = world.impact(reader, *statement.split("; "))
    assert (impact.total.queries, impact.total.users) == (1, 1)
    assert impact.total.questions == ("What is hit?",)


@pytest.mark.parametrize(
    ("prepared", "statements", "query"),
    [
        (
            "create table visits_new (at date primary key)",
            ("drop table visits", "alter table visits_new rename to visits"),
            "select at from visits",
        ),
        (
            "alter table orders add total_new numeric",
            ("alter table orders drop total", "alter table orders rename total_new to total"),
            "select total from orders",
        ),
    ],
    ids=["table", "column"],
)
def test_what_is_removed_hits_its_statements_though_another_took_its_name(
    world: World,
    reader: SchemaReader,
    execute: Execute,
    prepared: str,
    statements: tuple[str, ...],
    query: str,
) -> None:
    execute(world.dsn, prepared)
    world.asked("ann", query)
    world.taught("What is hit?", query)
    impact = world.impact(reader, *statements)
    assert told(impact.total) == "breaks 1 training item and 1 query of 1 user in the last 30 days"


def test_a_removed_type_is_of_the_tables_that_had_it_though_another_took_its_name(
    world: World, reader: SchemaReader, execute: Execute
) -> None:
    execute(world.dsn, "create type mood_new as enum ('sad', 'ok')")
    before, diff = world.change(
        reader,
        "alter table customers alter mood type mood_new using null",
        "drop type mood",
        "alter type mood_new rename to mood",
    )
    [gone] = [change for change in diff.changes if change.rule == "enum_removed"]
    assert Targets(diff, before).of(gone).tables == {("public", "customers")}


def test_a_removed_label_hits_what_compares_its_column_with_it(
    world: World, reader: SchemaReader
) -> None:
    world.asked("ann", "select 1 from customers where mood = 'glad'")
    world.asked("ann", "select 1 from customers where mood = 'ok'")
    impact = world.impact(
        reader,
        "alter type mood rename to old_mood",
        "create type mood as enum ('sad', 'ok')",
        "alter table customers alter mood type mood using mood::text::mood",
        "drop type old_mood",
    )
    [change] = [change for change in impact.changes if change.rule == "enum_label_removed"]
    assert impact.of(change).queries == 1


def test_safe_changes_hit_nobody_and_ask_nobody(world: World, reader: SchemaReader) -> None:
    world.asked("ann", "select * from orders")
    before, diff = world.change(reader, "alter table orders add note text")

    def never() -> Any:
        raise AssertionError

    surroundings = SurroundingsReader(world.store.database, never, never)
    assert found_impact(diff, before, surroundings, "7") == Impact()


def test_users_are_counted_once_and_queries_each_time(world: World, reader: SchemaReader) -> None:
    for user in ("ann", "ann", "bob"):
        world.asked(user, "```sql\nselect * from visits\n```")
    world.asked("cat", "select at from visits")
    world.asked("dan", "select at from visits", days_ago=31)
    world.asked("eve", "select at from visits", connection=8)
    world.asked("fay", "this is no sql of visits")
    impact = world.impact(reader, "drop table visits")
    assert (impact.breaking.queries, impact.breaking.users) == (4, 3)
    assert told(impact.breaking) == "breaks 4 queries of 3 users in the last 30 days"


def test_queries_that_are_kept_as_json_count(world: World, reader: SchemaReader) -> None:
    world.asked("ann", "select at from visits")
    world.run_on_application(
        "alter table messages alter sql_query type jsonb using to_jsonb(sql_query)"
    )
    assert world.impact(reader, "drop table visits").breaking.queries == 1


def test_more_queries_than_are_looked_at_are_told_as_at_least_as_many(
    world: World, reader: SchemaReader
) -> None:
    world.run_on_application(
        "insert into conversations (user_id) values ('ann')",
        "insert into messages (conversation_id, role, content, sql_query, created_at,"
        " connection_id) select c.id, 'assistant', '', 'select at from visits',"
        " now() - make_interval(secs => n), 7 from conversations c, generate_series(1, 5001) n",
    )
    impact = world.impact(reader, "drop table visits")
    assert told(impact.breaking) == ("breaks at least 5000 queries of 1 user in the last 30 days")
    assert impact.unknown == "user queries: only the newest 5,000 were looked at"


def test_more_training_questions_than_are_looked_at_are_told_as_at_least_as_many(
    world: World, reader: SchemaReader
) -> None:
    with world.store.database.begin() as transaction:
        transaction.execute(
            sa.text(
                "insert into twd.training_items (connection_id, item_id, kind, source, question,"
                " content, content_hash, tables, accepted, snapshot_version)"
                " select '7', gen_random_uuid(), 'question_sql', 'user', 'When?',"
                " 'select at from visits', '', '{}', true, 1 from generate_series(1, 5001)"
            )
        )
    impact = world.impact(reader, "drop table visits")
    assert told(impact.breaking) == "breaks at least 5000 training items"
    assert impact.unknown == "training items: only the newest 5,000 were looked at"


def test_a_query_whose_question_alone_names_the_connection_counts(
    world: World, reader: SchemaReader
) -> None:
    world.asked("ann", "select at from visits", connection=None)
    world.asked("bob", "select at from visits", connection=None)
    world.run_on_application(
        "insert into messages (conversation_id, role, content, created_at, connection_id)"
        " select id, 'user', 'when?', now() - interval '2 days', 7 from conversations"
        " where user_id = 'ann'"
    )
    impact = world.impact(reader, "drop table visits")
    assert (impact.total.queries, impact.total.users) == (1, 1)


def test_without_a_column_for_it_queries_count_where_all_their_tables_are_known(
    world: World, reader: SchemaReader
) -> None:
    world.asked("ann", "select at from visits")
    world.asked("bob", "select at from visits, somewhere_else")
    world.run_on_application("alter table messages drop connection_id")
    impact = world.impact(reader, "drop table visits")
    assert (impact.total.queries, impact.total.users) == (1, 1)


def test_a_connection_that_is_kept_from_the_role_is_as_good_as_missing(
    world: World, reader: SchemaReader
) -> None:
    world.asked("ann", "select at from visits")
    world.asked("bob", "select at from visits", connection=8)
    needed = "conversation_id, created_at, sql_query"
    role, owner = f"reader_{uuid.uuid4().hex[:8]}", world.application
    world.run_on_application(
        f"create role {role} login password 'hush'",
        f"grant select ({needed}) on messages to {role}",
        f"grant select on conversations to {role}",
    )
    address = sa.make_url(owner).set(username=role, password="hush")
    world.application = address.render_as_string(hide_password=False)
    impact = world.impact(reader, "drop table visits")
    world.application = owner
    world.run_on_application(f"drop owned by {role}", f"drop role {role}")
    assert (impact.unknown, impact.total.queries, impact.total.users) == ("", 2, 2)


def test_documentation_is_hit_with_its_table_or_with_a_column_that_it_tells_of(
    world: World, reader: SchemaReader
) -> None:
    world.taught(None, "The e-mail stands in email.", "public.customers")
    world.taught(None, "Customers are people.", "public.customers")
    world.taught("Rejected?", "select email from customers", "public.customers", accepted=False)
    impact = world.impact(reader, "alter table customers drop email")
    assert impact.total.question_count == 1
    assert impact.total.questions == ("documentation of public.customers",)


def test_an_application_that_is_away_is_told_and_fails_nothing(
    world: World, reader: SchemaReader
) -> None:
    world.application = "postgresql://u:canary@127.0.0.1:1/app"
    world.taught("When?", "select at from visits", "public.visits")
    impact = world.impact(reader, "drop table visits")
    assert impact.total == Affected(questions=("When?",), question_count=1)
    assert impact.unknown.startswith("user queries: not known (The application database 127.0.0.1")
    assert "canary" not in impact.unknown


@pytest.mark.parametrize("kind", ["text", "varchar(40)", "numeric(20)", "smallint"])
def test_the_users_of_queries_are_known_whatever_the_types_of_ids(
    world: World, reader: SchemaReader, kind: str
) -> None:
    world.run_on_application(
        "alter table messages drop constraint messages_conversation_id_fkey",
        f"alter table messages alter conversation_id type {kind}",
    )
    world.asked("ann", "select at from visits")
    world.asked("bob", "select at from visits")
    impact = world.impact(reader, "drop table visits")
    assert (impact.unknown, impact.total.queries, impact.total.users) == ("", 2, 2)


@pytest.mark.parametrize("kind", ["double precision", "numeric(10, 2)", "text", "jsonb"])
def test_a_connection_is_known_of_whatever_type_its_ids_are(
    world: World, reader: SchemaReader, kind: str
) -> None:
    world.asked("ann", "select at from visits")
    world.asked("bob", "select at from visits", connection=None)
    world.asked("eve", "select at from visits", connection=8)
    using = "to_jsonb(connection_id::text)" if kind == "jsonb" else f"connection_id::{kind}"
    world.run_on_application(
        "insert into messages (conversation_id, role, content, created_at, connection_id)"
        " select id, 'user', 'when?', now() - interval '2 days', 7 from conversations"
        " where user_id = 'bob'",
        "alter table messages drop constraint messages_connection_id_fkey",
        f"alter table messages alter connection_id type {kind} using {using}",
    )
    impact = world.impact(reader, "drop table visits")
    assert (impact.unknown, impact.total.queries, impact.total.users) == ("", 2, 2)


def test_a_query_in_a_conversation_of_several_users_counts_once(
    world: World, reader: SchemaReader
) -> None:
    world.asked("bob", "select at from visits")
    world.asked("cat", "select at from visits")
    world.run_on_application(
        "alter table conversations rename to kept_conversations",
        "create view conversations as select id, user_id from kept_conversations"
        " union all select id, 'ann' from kept_conversations where user_id = 'bob'",
    )
    impact = world.impact(reader, "drop table visits")
    assert (impact.unknown, impact.total.queries, impact.total.users) == ("", 2, 2)


def test_an_application_without_its_tables_is_told(
    world: World, reader: SchemaReader, services: Any
) -> None:
    world.application = services.database()
    impact = world.impact(reader, "drop table visits")
    assert "no table 'messages'" in impact.unknown


def test_at_most_five_questions_are_named_by_their_beginning(
    world: World, reader: SchemaReader
) -> None:
    for number in range(7):
        world.taught(f"{number} " + "x" * 100, "select at from visits", "public.visits")
    impact = world.impact(reader, "drop table visits")
    assert impact.total.question_count == 7
    assert len(impact.total.questions) == 5
    assert all(name[1:] == " " + "x" * 78 + " …" for name in impact.total.questions)


@pytest.mark.parametrize(
    ("affected", "sentence"),
    [
        (Affected(documents=3), ""),
        (Affected(question_count=1), "breaks 1 training item"),
        (Affected(queries=1, users=1), "breaks 1 query of 1 user in the last 30 days"),
        (
            Affected(question_count=2, queries=14, users=3),
            "breaks 2 training items and 14 queries of 3 users in the last 30 days",
        ),
    ],
)
def test_what_a_change_hits_is_told_in_one_sentence(affected: Affected, sentence: str) -> None:
    assert told(affected) == sentence


def test_a_report_tells_whom_each_change_hits(world: World, reader: SchemaReader) -> None:
    world.asked("ann", "select at from visits")
    world.taught("When | why?", "select at from visits", "public.visits")
    before, diff = world.change(reader, "drop table visits")
    surroundings = SurroundingsReader(
        world.store.database,
        lambda: ApplicationDatabase(world.application),
        lambda: world.resources["qdrant"].schema_index,
    )
    report = markdown_report(diff, found_impact(diff, before, surroundings, "7"))
    heading, _, row = report.splitlines()
    assert heading.endswith("| documents | training items | user queries (users) |")
    assert row.endswith("|  | 1: “When \\| why?” | 1 (1) |")


def test_a_point_that_something_else_wrote_is_no_document_of_a_table(
    application_dsn: str, resources: dict[str, Any]
) -> None:
    shop = Shop(resources)
    shop.publish(table("visits", "id"))
    stranger = Point("0" * 32, [0.1] * 768, SparseTerms((1,), (1.0,)), {"connection_id": "7"})
    shop.points.upsert([stranger])
    reader = SurroundingsReader(
        shop.database, lambda: ApplicationDatabase(application_dsn), lambda: shop.index
    )
    assert reader.read("7").documents["public", "visits"] == 1


def test_thousands_of_changes_and_statements_take_seconds() -> None:
    tables = tuple(
        Table(
            schema="public",
            name=f"t{number}",
            kind="table",
            columns=tuple(Column(name=f"c{place}", type="integer") for place in range(10)),
        )
        for number in range(2_000)
    )
    before = Snapshot(dialect="postgresql", database_name="x", server_version="1", tables=tables)
    after = Snapshot(dialect="postgresql", database_name="x", server_version="1", tables=tables[:1])
    queries = tuple(
        UserQuery(
            f"select a.c1, b.c2 from t{number} a join t{number + 1} b on a.c3 = b.c4"
            f" where a.c5 = '{number}'",
            1,
            {f"u{number % 50}"},
        )
        for number in range(1, 1_999)
    )
    items = tuple(TrainingItem(f"q{n}", sql=query.sql) for n, query in enumerate(queries))
    diff = diff_snapshots(before, after, 1, 2)
    start = time.thread_time()
    impact = impact_of(diff, before, Surroundings(items=items, queries=queries))
    assert time.thread_time() - start < 10
    assert impact.total.queries == 1_998
    assert len(impact.changes) == 1_999


def run(location: dg.Definitions, instance: dg.DagsterInstance, job: str) -> dict[str, Any]:
    """What the run's diff says."""
    result = location.resolve_job_def(job).execute_in_process(
        instance=instance, partition_key="shop"
    )
    return {
        name: value.value
        for event in result.get_asset_materialization_events()
        if event.asset_key == DIFF
        for name, value in event.materialization.metadata.items()
    }


def test_the_diff_of_a_sync_tells_its_impact_and_no_text_of_queries(
    world: World, instance: dg.DagsterInstance, catalog: Any, execute: Execute
) -> None:
    location = build_defs(
        Settings(confirm_seconds=0),
        {**world.resources, "application": ApplicationDatabaseResource(dsn=world.application)},
    )
    catalog.add(7, "shop", world.dsn)
    instance.add_dynamic_partitions("source_databases", ["shop"])
    run(location, instance, "schema_import_job")
    run(location, instance, "schema_sync_job")
    world.asked("ann", "select at, 'canary' from visits")
    world.taught("When?", "select at from visits", "public.visits")
    execute(world.dsn, "drop table visits")
    said = run(location, instance, "schema_sync_job")
    numbers = [said[f"affected_{what}"] for what in ("documents", "questions", "queries")]
    assert numbers == [1, 1, 1]
    assert "When?" in said["changes"]
    assert "canary" not in str(said)
