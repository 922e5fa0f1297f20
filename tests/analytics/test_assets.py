"""The assets on real databases: what they write, again and again, and what the UI is told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import msgspec
import pytest
import sqlalchemy as sa

from twd_analytics.definitions import build_defs
from twd_analytics.defs import assets
from twd_analytics.defs.assets import DAILY_QUERY_STATS, SQL_ACCURACY_REPORT
from twd_analytics.generated_sql import history
from twd_analytics.messages.moments import Change
from twd_analytics.messages.reading import MessageLog
from twd_shared.clients.catalog import Connection
from twd_shared.resources.stores import ApplicationDatabaseResource, MetadataStoreResource
from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.schema_model.models import Column, Snapshot, Table
from twd_shared.settings import Settings
from twd_shared.store.analytics_tables import (
    daily_open_questions,
    daily_query_stats,
    daily_sql_accuracy,
    daily_sql_accuracy_by_model,
    daily_sql_accuracy_by_object,
)
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.snapshots import SnapshotStore
from twd_shared.store.tables import model_servings, snapshots

DAY = "2026-03-10"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)

SETTINGS = Settings(run_max_retries=0)

pytestmark = pytest.mark.integration
Build = Callable[..., dict[str, Any]]


@pytest.fixture
def metadata(metadata_dsn: str) -> Iterator[MetadataDatabase]:
    database = MetadataDatabase(metadata_dsn)
    yield database
    database.close()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def run(metadata_dsn: str, application: Any, instance: dg.DagsterInstance) -> Callable[..., Any]:
    """Runs analytics_job for a day or a range of days."""

    def _run(
        first: str,
        last: str = "",
        application_dsn: str = application.dsn,
        settings: Settings = SETTINGS,
        also: Mapping[str, str] | None = None,
    ) -> dg.ExecuteInProcessResult:
        resources = {
            "metadata_store": MetadataStoreResource(dsn=metadata_dsn),
            "application": ApplicationDatabaseResource(dsn=application_dsn),
        }
        job = build_defs(settings, resources).resolve_job_def("analytics_job")
        if last:
            tags = {
                "dagster/asset_partition_range_start": first,
                "dagster/asset_partition_range_end": last,
            }
        else:
            tags = {"dagster/partition": first}
        return job.execute_in_process(
            instance=instance, tags=tags | dict(also or {}), raise_on_error=False
        )

    return _run


@pytest.fixture
def shop(application: Any, metadata: MetadataDatabase, ask: Build, answer: Build) -> str:
    """A connection with a snapshot, a knowledge base and a day of conversations."""
    shop = application.connect("shop")
    ConnectionRegistry(metadata).register([Connection(shop, "shop", "postgresql", True, "")])
    SnapshotStore(metadata).save(
        shop,
        Snapshot(
            dialect="postgresql",
            database_name="shop",
            server_version="16",
            tables=(
                Table(
                    schema="public",
                    name="film",
                    kind="table",
                    columns=(Column(name="title", type="text"),),
                ),
            ),
        ),
    )
    with metadata.begin() as transaction:
        before = NOON - timedelta(days=1)
        transaction.execute(sa.update(snapshots).values(taken_at=before))
        for version, served in ((1, before), (2, NOON + timedelta(days=1))):
            transaction.execute(
                sa.insert(model_servings).values(
                    connection_id=shop, version=version, served_from=served
                )
            )
    application.talk(
        "an",
        NOON,
        ask("Which films did Mr Secretive rent?", connection_id=shop),
        answer("select title from film where title = 'hidden literal'", "[[1]]", latency_ms=120),
        ask("And now?", connection_id=shop),
        answer("select * from tbl_film"),
        ask("Hello?"),
    )
    return shop


MEASURED = (
    daily_query_stats,
    daily_sql_accuracy,
    daily_sql_accuracy_by_model,
    daily_sql_accuracy_by_object,
    daily_open_questions,
)


def rows_of(metadata: MetadataDatabase, table: sa.Table) -> list[dict[str, Any]]:
    columns = [column for column in table.c if column.name != "computed_at"]
    over_all_first = table.c.connection_id != "*"
    query = sa.select(*columns).order_by(
        table.c.day, over_all_first, *(key for key in table.primary_key if key.name != "day")
    )
    with metadata.begin() as transaction:
        return [dict(row) for row in transaction.execute(query).mappings()]


def test_a_day_is_measured_stored_and_shown(
    run: Callable[..., Any], metadata: MetadataDatabase, shop: str
) -> None:
    result = run(DAY)
    assert result.success
    stats = {row["connection_id"]: row for row in rows_of(metadata, daily_query_stats)}
    assert set(stats) == {"*", "", shop}
    assert [stats["*"][name] for name in ("total", "successful", "failed", "unanswered")] == [
        3,
        1,
        1,
        1,
    ]
    assert stats[shop]["top_tables"] == [
        {"connection_id": shop, "table": "public.film", "count": 1}
    ]
    assert [(one["column"], one["count"]) for one in stats[shop]["top_columns"]] == [("title", 1)]
    accuracy = {row["connection_id"]: row for row in rows_of(metadata, daily_sql_accuracy)}
    assert accuracy[shop]["error_classes"] == {"unknown_table": 1}
    assert accuracy[shop]["verdicts"] == {"unknown_table": 1, "valid": 1}
    [of_model] = rows_of(metadata, daily_sql_accuracy_by_model)
    assert (of_model["model_version"], of_model["generated"], of_model["executed"]) == (1, 2, 1)
    known = {
        (row["table_name"], row["column_name"]): row["is_known"]
        for row in rows_of(metadata, daily_sql_accuracy_by_object)
    }
    assert known == {
        ("public.film", ""): True,
        ("public.film", "title"): True,
        ("tbl_film", ""): False,
    }
    assert [row["question"] for row in rows_of(metadata, daily_open_questions)] == ["and now"]
    shown = {
        event.materialization.asset_key: event.materialization.metadata
        for event in _materializations(result)
    }
    assert shown[DAILY_QUERY_STATS]["total"].value == 3
    assert "| shop | 2 | 1 | 1 | 0 | 1 | 120 | 120 | 120 |" in _text(shown[DAILY_QUERY_STATS])
    assert shown[SQL_ACCURACY_REPORT]["executed_percent"].value == 50.0
    assert shown[DAILY_QUERY_STATS]["summary"].md_str.startswith(
        "On 2026-03-10, 1 user got 3 answers, a question without one counted as one: "
        "**1 (33 %)** had SQL that ran"
    )
    assert "**50.0 % ran**" in shown[SQL_ACCURACY_REPORT]["summary"].md_str
    for key in (DAILY_QUERY_STATS, SQL_ACCURACY_REPORT):
        assert "data:image/svg+xml;base64," in shown[key]["last_30_days"].md_str


def test_words_of_users_stay_out_of_events_and_logs(
    run: Callable[..., Any], shop: str, metadata: MetadataDatabase, instance: dg.DagsterInstance
) -> None:
    result = run(DAY)
    logged = " ".join(entry.to_json() for entry in instance.all_logs(result.run_id))
    assert "select title from film" in logged
    for word in ("Secretive", "secretive", "hidden literal", "now"):
        assert not re.search(rf"\b{word}\b", logged)
    questions = rows_of(metadata, daily_query_stats)[0]["most_common_questions"]
    assert "which films did mr secretive rent" in json.dumps(questions)


def test_no_word_of_a_user_is_kept_where_the_operator_wants_none(
    run: Callable[..., Any],
    shop: str,
    metadata: MetadataDatabase,
    instance: dg.DagsterInstance,
    application: Any,
    answer: Build,
) -> None:
    as_name = 'select title from film where title = "Secretive"'
    application.talk("an", NOON, answer(as_name, connection_id=shop))
    result = run(DAY, settings=Settings(run_max_retries=0, question_characters=0))
    assert result.success
    kept = json.dumps([rows_of(metadata, table) for table in MEASURED], default=str)
    kept += " ".join(entry.to_json() for entry in instance.all_logs(result.run_id))
    for word in ("secretive", "hidden literal", "and now"):
        assert word not in kept.lower()
    [question] = rows_of(metadata, daily_open_questions)
    assert (question["question"], question["unanswered"], question["failed"]) == ("", 0, 1)


def test_words_that_were_kept_are_forgotten_once_the_operator_wants_none(
    run: Callable[..., Any], shop: str, metadata: MetadataDatabase
) -> None:
    assert run(DAY).success
    before = rows_of(metadata, daily_open_questions)
    assert before[0]["question"] == "and now"
    nothing = Settings(run_max_retries=0, question_characters=0)
    assert run("2026-03-11", settings=nothing).success
    kept = json.dumps([rows_of(metadata, table) for table in MEASURED], default=str)
    for word in ("secretive", "hidden literal", "and now", "hello"):
        assert word not in kept.lower()
    assert rows_of(metadata, daily_open_questions) == [{**before[0], "question": ""}]


def test_words_that_were_kept_are_cut_once_the_operator_wants_fewer(
    run: Callable[..., Any], shop: str, metadata: MetadataDatabase, application: Any, ask: Build
) -> None:
    for text in ("Wo ist größer Straße?", "x" * 11, 'a"b{c}\\d' * 9):
        application.talk("an", NOON, ask(text, connection_id=shop))
    assert run(DAY).success
    few = Settings(run_max_retries=0, question_characters=11)
    assert run("2026-03-11", settings=few).success
    cut = [rows_of(metadata, table) for table in MEASURED]
    written = _writes(metadata)
    assert "which film…" in {one["question"] for one in cut[0][0]["most_common_questions"]}
    assert {"x" * 11, "wo ist grö…"} < {row["question"] for row in cut[-1]}
    assert run("2026-03-12", settings=few).success
    assert _writes(metadata) == written, "what is short enough is left alone"
    assert run(DAY, settings=few).success
    again = [rows_of(metadata, table) for table in MEASURED]
    assert [row for row in again[0] if str(row["day"]) == DAY] == [
        row for row in cut[0] if str(row["day"]) == DAY
    ]
    assert again[-1] == cut[-1]


def _writes(metadata: MetadataDatabase) -> list[Any]:
    """Which transactions wrote the rows of that day which hold questions."""
    query = "select xmin::text from twd.{} where day = :day order by 1"
    with metadata.begin() as transaction:
        return [
            transaction.execute(sa.text(query.format(table.name)), {"day": DAY}).all()
            for table in (daily_query_stats, daily_open_questions)
        ]


def test_measuring_again_changes_nothing(
    run: Callable[..., Any], metadata: MetadataDatabase, shop: str
) -> None:
    first = _versions(run(DAY))
    before = [rows_of(metadata, table) for table in MEASURED]
    assert _versions(run(DAY)) == first
    assert before == [rows_of(metadata, table) for table in MEASURED]


def test_numbers_of_a_day_stay_when_the_source_and_its_knowledge_base_change_later(
    run: Callable[..., Any], metadata: MetadataDatabase, shop: str
) -> None:
    first = _versions(run(DAY))
    renamed = Table(schema="public", name="tbl_film", kind="table", columns=())
    SnapshotStore(metadata).save(
        shop,
        Snapshot(
            dialect="postgresql", database_name="shop", server_version="16", tables=(renamed,)
        ),
    )
    with metadata.begin() as transaction:
        transaction.execute(sa.insert(model_servings).values(connection_id=shop, version=3))
    assert _versions(run(DAY)) == first


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("select title from film where 1 = ?", "select title from film where 1 = 1"),
        ("SELECT Titel FROM film", "select titel from film"),
        ("select title from film where title = '", "select title from film where title = 'x'"),
        ("select title from film; -- done", "select title from film; -- done\rdelete from film"),
    ],
)
def test_a_day_says_the_same_alone_and_beside_other_days(
    run: Callable[..., Any],
    metadata: MetadataDatabase,
    shop: str,
    application: Any,
    answer: Build,
    first: str,
    second: str,
) -> None:
    for sql, moment in ((first, NOON + timedelta(days=1)), (second, NOON + timedelta(days=2))):
        application.talk("an", moment, answer(sql, "[[1]]", connection_id=shop))
    assert run("2026-03-11", "2026-03-12").success
    together = [rows_of(metadata, table) for table in MEASURED]
    for day in ("2026-03-12", "2026-03-11"):
        assert run(day).success
    assert together == [rows_of(metadata, table) for table in MEASURED]


def test_names_that_are_sentences_or_too_long_are_not_kept(
    run: Callable[..., Any], metadata: MetadataDatabase, shop: str, application: Any, answer: Build
) -> None:
    texts = (
        "select " + "x" * 6_000 + " from film",
        "select * from " + "y" * 6_000,
        'select title from film where title = "John Secretive"',
    )
    application.talk("an", NOON, *(answer(text, connection_id=shop) for text in texts))
    result = run(DAY)
    assert result.success
    names = {
        (row["table_name"], row["column_name"])
        for row in rows_of(metadata, daily_sql_accuracy_by_object)
        if not row["is_known"]
    }
    # Of a table's name PostgreSQL reads the first 63 bytes, and would say so much of it.
    assert names == {("tbl_film", ""), ("y" * 63, ""), ("", "…")}


def test_the_oldest_snapshot_stands_for_the_time_before_it(
    run: Callable[..., Any], metadata: MetadataDatabase, shop: str
) -> None:
    with metadata.begin() as transaction:
        transaction.execute(sa.update(snapshots).values(taken_at=NOON + timedelta(days=9)))
    assert run(DAY).success
    [_, accuracy] = rows_of(metadata, daily_sql_accuracy)
    assert accuracy["verdicts"] == {"unknown_table": 1, "valid": 1}


def test_what_was_answered_while_a_forgotten_version_was_valid_is_unchecked(
    run: Callable[..., Any], metadata: MetadataDatabase, shop: str
) -> None:
    store = SnapshotStore(metadata)
    _, snapshot = store.load_newest(shop)
    for columns in ("name", "label"):
        renamed = msgspec.structs.replace(
            snapshot.tables[0], columns=(Column(name=columns, type="text"),)
        )
        store.save(shop, msgspec.structs.replace(snapshot, tables=(renamed,)))
    hour = timedelta(hours=1)
    bounds = [(NOON - 2 * hour, NOON - hour), (NOON - hour, NOON + hour), (NOON + hour, None)]
    with metadata.begin() as transaction:
        for version, (first, last) in enumerate(bounds, start=1):
            transaction.execute(
                sa.update(snapshots)
                .where(snapshots.c.version == version)
                .values(taken_at=first, ended_at=last)
            )
        transaction.execute(sa.delete(snapshots).where(snapshots.c.version == 2))
    assert [change[1:] for change in history.schema_changes(metadata)] == [
        (datetime(1970, 1, 1, tzinfo=UTC), 1),
        (NOON - hour, 0),
        (NOON + hour, 3),
    ]
    assert run(DAY).success
    [_, accuracy] = rows_of(metadata, daily_sql_accuracy)
    assert accuracy["verdicts"] == {"unchecked": 2}


def test_a_snapshot_that_is_forgotten_meanwhile_is_done_without_in_the_next_try(
    run: Callable[..., Any],
    metadata: MetadataDatabase,
    shop: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Retention comes between the list of the versions and the first look at one of them."""
    real, tries = history.schema_changes, list[int]()

    def forgotten_behind(database: MetadataDatabase) -> list[Change]:
        found = real(database)
        tries.append(len(found))
        with metadata.begin() as transaction:
            transaction.execute(sa.delete(snapshots))
        return found

    monkeypatch.setattr(history, "schema_changes", forgotten_behind)
    assert run(DAY, settings=Settings(run_max_retries=1, run_retry_seconds=0)).success
    assert tries == [1, 0, 0]
    accuracy = {row["connection_id"]: row for row in rows_of(metadata, daily_sql_accuracy)}
    assert accuracy[shop]["verdicts"] == {"unchecked": 2}


def test_a_connection_that_is_called_as_all_of_them_together_is_counted_once(
    run: Callable[..., Any], metadata: MetadataDatabase, shop: str, application: Any, answer: Build
) -> None:
    ConnectionRegistry(metadata).register([Connection("*", "stars", "postgresql", True, "")])
    application.execute("alter table messages drop constraint messages_connection_id_fkey")
    application.execute("alter table messages alter connection_id type text")
    application.talk("an", NOON, answer("select 1", "[1]", connection_id="*", latency_ms=9))
    result = run(DAY)
    assert result.success
    totals = [
        (row["connection_id"], row["total"], row["average_response_ms"])
        for row in rows_of(metadata, daily_query_stats)
    ]
    assert totals == [("*", 4, 64.5), ("", 2, 9), (shop, 2, 120)]
    generated = [
        (row["connection_id"], row["generated"]) for row in rows_of(metadata, daily_sql_accuracy)
    ]
    assert generated == [("*", 3), ("", 1), (shop, 2)]
    first, _ = _materializations(result)
    assert "| all | 4 | 2 |" in _text(first.materialization.metadata)


def test_late_messages_are_taken_over(
    run: Callable[..., Any], metadata: MetadataDatabase, shop: str, application: Any, answer: Build
) -> None:
    first = _versions(run(DAY))
    application.talk("bao", NOON, answer("select title from film", "[]", connection_id=shop))
    assert _versions(run(DAY))[0] != first[0]
    assert rows_of(metadata, daily_query_stats)[0]["total"] == 4


@pytest.mark.parametrize("deleted", ["role = 'user'", "true"])
@pytest.mark.parametrize("last", ["", "2026-03-11"])
def test_a_day_keeps_what_was_measured_when_the_application_deletes_its_messages(
    run: Callable[..., Any],
    metadata: MetadataDatabase,
    shop: str,
    application: Any,
    deleted: str,
    last: str,
) -> None:
    application.talk("an", NOON, {"role": "user", "content": "x", "connection_id": shop})
    first = run(DAY, last)
    before = [rows_of(metadata, table) for table in MEASURED]
    application.execute(f"delete from messages where {deleted}")
    again = run(DAY, last)
    assert [rows_of(metadata, table) for table in MEASURED] == before
    assert _versions(again) == _versions(first)
    for one, other in zip(_materializations(first), _materializations(again), strict=True):
        shown, kept = one.materialization.metadata, other.materialization.metadata
        gone = other.materialization.partition == DAY
        assert ("from are gone" in kept["summary"].md_str) is gone
        assert {**shown, "summary": None} == {**kept, "summary": None}


def test_fewer_messages_than_were_measured_are_told_and_taken_over_only_if_a_run_says_so(
    run: Callable[..., Any],
    metadata: MetadataDatabase,
    metadata_dsn: str,
    shop: str,
    application: Any,
) -> None:
    assert run(DAY).success
    application.execute("delete from messages where role = 'assistant'")
    for check in _checked(metadata_dsn, application)[1]:
        assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert "2 messages fewer than when 1 day was measured" in str(check.description)
        assert check.metadata["messages_fewer"].value == {DAY: 2}
        assert check.metadata["days_to_measure_again"].value == []
    assert run(DAY, also={"twd/even_if_fewer": "yes"}).success
    [everything, *_] = rows_of(metadata, daily_query_stats)
    assert (everything["total"], everything["unanswered"]) == (3, 3)
    assert rows_of(metadata, daily_sql_accuracy)[0]["generated"] == 0
    assert all(check.passed for check in _checked(metadata_dsn, application)[1])


def test_a_day_whose_messages_have_other_roles_is_told_with_these(
    run: Callable[..., Any], metadata_dsn: str, shop: str, application: Any
) -> None:
    application.execute("alter table messages drop constraint messages_role_check")
    application.execute(
        "update messages set role = case role when 'user' then 'human' else 'ai' end"
    )
    assert run(DAY).success
    check, _ = _checked(metadata_dsn, application)
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert f"No message of {DAY} is a user's" in check.description
    assert "'ai', 'human'" in check.description


def test_a_day_keeps_the_numbers_of_a_connection_that_the_application_has_deleted(
    run: Callable[..., Any],
    metadata: MetadataDatabase,
    metadata_dsn: str,
    shop: str,
    application: Any,
) -> None:
    assert run(DAY).success
    before = [rows_of(metadata, table) for table in MEASURED]
    named = application.execute("select count(connection_id) from messages")[0][0]
    application.execute("update messages set connection_id = null")
    again = run(DAY)
    assert [rows_of(metadata, table) for table in MEASURED] == before
    shown = _materializations(again)[0].materialization.metadata["summary"].md_str
    assert f"{named} messages that they were measured from are gone, or name no connection" in shown
    for check in _checked(metadata_dsn, application)[1]:
        assert check.metadata["messages_fewer"].value == {DAY: named}
        assert check.metadata["days_to_measure_again"].value == []
    assert run(DAY, also={"twd/even_if_fewer": "yes"}).success
    assert {row["connection_id"] for row in rows_of(metadata, daily_query_stats)} == {"*", ""}


def test_a_run_keeps_a_fingerprint_of_each_day_alone(
    run: Callable[..., Any], shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[list[str]] = []

    def spied(parts: Iterable[str]) -> str:
        hashed.append(list(parts))
        return content_fingerprint(hashed[-1])

    monkeypatch.setattr(assets, "content_fingerprint", spied)
    assert run("2026-03-09", "2026-03-11").success
    days, of_run = hashed[:3], hashed[3]
    assert [*map(content_fingerprint, days)] == of_run
    assert len({*of_run}) == 3


def test_a_range_of_days_is_one_run(
    run: Callable[..., Any], metadata: MetadataDatabase, shop: str
) -> None:
    result = run("2026-03-09", "2026-03-11")
    assert result.success
    totals = [
        (row["day"].isoformat(), row["total"])
        for row in rows_of(metadata, daily_query_stats)
        if row["connection_id"] == "*"
    ]
    assert totals == [("2026-03-09", 0), (DAY, 3), ("2026-03-11", 0)]
    shown = {
        event.materialization.partition: event.materialization.metadata["total"].value
        for event in _materializations(result)
        if event.materialization.asset_key == DAILY_QUERY_STATS
    }
    assert shown == dict(totals)


def test_rubbish_never_fails_a_day(
    run: Callable[..., Any], metadata: MetadataDatabase, application: Any, answer: Build
) -> None:
    rubbish = (
        None,
        "",
        "hello world",
        "```sql\nselect 1\n```",
        "select 1; select 2; drop table film",
        "(" * 1_000_000,
        "select * from (" * 1_000,
        "\u202e select 'ø",
        "{'json': true}",
    )
    application.talk("an", NOON, *(answer(sql) for sql in rubbish))
    assert run(DAY).success
    assert rows_of(metadata, daily_query_stats)[0]["total"] == len(rubbish)
    assert rows_of(metadata, daily_sql_accuracy)[0]["parsed"] == 2
    assert rows_of(metadata, daily_sql_accuracy)[0]["read_only"] == 1


def test_checks_hold_the_numbers_against_the_source(
    run: Callable[..., Any], application: Any, answer: Build, shop: str
) -> None:
    assert all(check.passed for check in run(DAY).get_asset_check_evaluations())
    failing = [answer("select nope from film", error="boom") for _ in range(30)]
    application.talk("bao", NOON, *failing)
    ahead = datetime.now(UTC) + timedelta(days=2)
    application.talk("chi", ahead, answer("select 1"))
    checks = {check.check_name: check for check in run(DAY).get_asset_check_evaluations()}
    assert checks["daily_query_stats_agree_with_source"].passed
    assert not checks["messages_not_in_future"].passed
    assert f"is of {ahead:%Y-%m-%d}" in (checks["messages_not_in_future"].description or "")
    assert not checks["error_rate_in_bounds"].passed
    assert checks["error_rate_in_bounds"].severity == dg.AssetCheckSeverity.WARN


def test_a_check_that_passes_names_the_day_that_it_judged(
    run: Callable[..., Any], shop: str
) -> None:
    checks = {check.check_name: check for check in run(DAY).get_asset_check_evaluations()}
    del checks["messages_not_in_future"]
    assert len(checks) == 4
    for check in checks.values():
        assert (check.passed, check.metadata["days"].value) == (True, DAY)


def test_numbers_that_differ_from_the_source_are_noticed(
    run: Callable[..., Any],
    metadata: MetadataDatabase,
    metadata_dsn: str,
    application: Any,
    shop: str,
) -> None:
    assert run(DAY).success
    with metadata.begin() as transaction:
        transaction.execute(sa.update(daily_query_stats).values(total=2))
    agreeing, late = _checked(metadata_dsn, application)
    assert not agreeing.passed
    assert agreeing.metadata["days_that_differ"].value == {DAY: {"stored": 2, "in_source": 3}}
    assert all(check.passed for check in late)


def test_messages_that_came_later_are_noticed(
    run: Callable[..., Any], metadata_dsn: str, application: Any, answer: Build, shop: str
) -> None:
    assert run(DAY).success
    application.talk("bao", NOON, answer("select 1"))
    agreeing, late = _checked(metadata_dsn, application)
    assert agreeing.passed, "it is another check that tells it"
    assert agreeing.metadata["days"].value == "none"
    for check in late:
        assert not check.passed
        assert check.metadata["days_to_measure_again"].value == [DAY]


def test_a_message_that_comes_while_a_check_looks_is_no_wrong_number(
    run: Callable[..., Any],
    metadata_dsn: str,
    application: Any,
    answer: Build,
    shop: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run(DAY).success
    count_of = MessageLog.count_of

    def count_after_another(log: MessageLog, day: date) -> int:
        application.talk("bao", NOON, answer("select 1"))
        return count_of(log, day)

    monkeypatch.setattr(MessageLog, "count_of", count_after_another)
    agrees, _ = _checked(metadata_dsn, application)
    assert agrees.passed
    assert agrees.metadata["days_that_differ"].value == {}


def test_a_day_of_another_time_zone_is_noticed_and_said_to_be(
    run: Callable[..., Any], metadata_dsn: str, application: Any, shop: str
) -> None:
    assert run(DAY).success
    zone = Settings(timezone="Asia/Ho_Chi_Minh")
    for check in _checked(metadata_dsn, application, zone)[1]:
        assert check.metadata["days_to_measure_again"].value == [DAY]
        assert "TWD_TIMEZONE was another" in str(check.description)


def _checked(
    metadata_dsn: str, application: Any, settings: Settings | None = None
) -> tuple[Any, list[Any]]:
    """What the checks of that day say: whether the numbers agree, and whether they are late."""
    resources = {
        "metadata_store": MetadataStoreResource(dsn=metadata_dsn),
        "application": ApplicationDatabaseResource(dsn=application.dsn),
    }
    defs = build_defs(settings or Settings(), resources)
    job = dg.define_asset_job("checks", selection=dg.AssetSelection.all_asset_checks())
    checking = dg.Definitions.merge(defs, dg.Definitions(jobs=[job])).resolve_job_def("checks")
    result = checking.execute_in_process(tags={"dagster/partition": DAY})
    found = {check.check_name: check for check in result.get_asset_check_evaluations()}
    names = ("daily_query_stats_up_to_date", "sql_accuracy_report_up_to_date")
    return found["daily_query_stats_agree_with_source"], [found[name] for name in names]


@pytest.mark.parametrize(
    ("dsn", "says"),
    [
        ("postgresql://twd:hush@127.0.0.1:1/app", "127.0.0.1:1/app is not available"),
        ("", "has no table 'messages'"),
    ],
)
def test_an_application_that_cannot_be_read_is_explained(
    run: Callable[..., Any],
    instance: dg.DagsterInstance,
    services: Any,
    metadata: MetadataDatabase,
    dsn: str,
    says: str,
) -> None:
    result = run(DAY, application_dsn=dsn or services.database())
    assert not result.success
    logged = " ".join(entry.to_json() for entry in instance.all_logs(result.run_id))
    assert says in logged
    assert "hush" not in logged
    assert rows_of(metadata, daily_query_stats) == []
    with metadata.begin() as transaction:
        alerts = transaction.execute(sa.text("select title from twd.alerts")).scalars().all()
    assert alerts == [f"analytics_job failed for {DAY}"]


def _materializations(result: dg.ExecuteInProcessResult) -> list[Any]:
    return [event.step_materialization_data for event in result.get_asset_materialization_events()]


def _versions(result: dg.ExecuteInProcessResult) -> list[str]:
    assert result.success
    tags = [event.materialization.tags or {} for event in _materializations(result)]
    return [tag["dagster/data_version"] for tag in tags]


def _text(metadata: Any) -> str:
    return metadata["by_connection"].md_str
