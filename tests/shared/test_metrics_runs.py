"""Run statistics by SQL over Dagster's tables, which stay free to change."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa
from dagster._core.scheduler.instigation import TickStatus
from psycopg2.extras import RealDictCursor

from twd_shared.store.migrate import downgrade, upgrade

from ..statements import execute
from .observed_instance import instance_on, run_jobs, tick

DOCUMENTED = (Path(__file__).parents[2] / "docs/observability.md").read_text()
VIEWS = ("run_statistics", "failed_runs", "step_statistics", "asset_runs", "tick_statistics")


def rows(dsn: str, query: str) -> list[dict[str, Any]]:
    connection = psycopg2.connect(dsn)
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(query)
        found = [dict(row) for row in cursor.fetchall()]
    connection.close()
    return found


@pytest.fixture(scope="module")
def ran_dsn(services: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Runs that ended well and ill, on a server far from UTC; our schema came first."""
    dsn: str = services.database()
    name = sa.make_url(dsn).database
    execute(dsn, f"alter database \"{name}\" set timezone = 'Asia/Ho_Chi_Minh'")
    upgrade(dsn)
    with instance_on(dsn, tmp_path_factory.mktemp("dagster")) as instance:
        run_jobs(instance)
        tick(instance, "schema_change_sensor", {40: TickStatus.SKIPPED, 10: TickStatus.STARTED})
    return dsn


def test_runs_are_told_with_what_asked_for_them_and_how_long_they_took(ran_dsn: str) -> None:
    [run] = rows(ran_dsn, "select * from twd.runs_since('-infinity') where status = 'SUCCESS'")
    assert (run["location"], run["job"]) == ("schema", "schema_sync_job")
    assert (run["partition_key"], run["connection_id"], run["requested_by"]) == ("shop", "7", "")
    assert run["created_at"] <= run["started_at"] <= run["ended_at"]
    assert 0 <= run["queued_seconds"] < 30
    assert run["seconds"] > 0
    [recent] = rows(
        ran_dsn,
        "select count(*) as n from twd.runs_since(now() - interval '1 hour')"
        " where created_at > now() - interval '1 hour'",
    )
    assert recent["n"] == 5
    assert rows(ran_dsn, "select * from twd.runs_since(now() + interval '1 hour')") == []


def test_runs_by_day_and_job(ran_dsn: str) -> None:
    found = rows(ran_dsn, "select * from twd.run_statistics order by job, status")
    assert [(row["job"], row["status"], row["runs"]) for row in found] == [
        ("failing_again_job", "FAILURE", 1),
        ("failing_job", "FAILURE", 1),
        ("raising_job", "FAILURE", 1),
        ("schema_sync_job", "SUCCESS", 1),
        ("training_job", "QUEUED", 1),
    ]
    succeeded = found[3]
    assert succeeded["p50_seconds"] == succeeded["longest_seconds"] > 0


def test_the_share_of_failures_is_told_as_documented_and_0_where_none_failed(ran_dsn: str) -> None:
    [query] = re.findall(r"^select .* as failed .*;$", DOCUMENTED, re.MULTILINE)
    shares = {row["job"]: row["failed"] for row in rows(ran_dsn, query)}
    assert (shares["failing_job"], shares["schema_sync_job"]) == (1, 0)


def test_failed_runs_with_the_reason_alone(ran_dsn: str) -> None:
    found = rows(ran_dsn, "select job, step, reason from twd.failed_runs order by job")
    assert found == [
        {"job": "failing_again_job", "step": "_fails_again", "reason": "The index is away."},
        {"job": "failing_job", "step": "_fails", "reason": "The source does not answer."},
        {"job": "raising_job", "step": "_raises", "reason": "It is broken."},
    ]


def test_slowest_steps_and_materializations(ran_dsn: str) -> None:
    [step] = rows(ran_dsn, "select * from twd.step_statistics")
    assert (step["step"], step["runs"]) == ("schema__schema_embeddings", 1)
    assert step["average_seconds"] == step["longest_seconds"] > 0
    [asset] = rows(ran_dsn, "select *, now() as now from twd.asset_runs")
    assert (asset["asset"], asset["partition_key"]) == ("schema/schema_embeddings", "shop")
    assert asset["numbers"] == {"points_embedded_now": 6, "embedding_seconds": 1.5}
    assert asset["seconds"] == step["total_seconds"]
    assert 0 <= (asset["now"] - asset["materialized_at"]).total_seconds() < 600


def test_ticks(ran_dsn: str) -> None:
    found = rows(ran_dsn, "select * from twd.tick_statistics order by status")
    assert [(row["name"], row["kind"], row["status"], row["ticks"]) for row in found] == [
        ("schema_change_sensor", "SENSOR", "SKIPPED", 1),
        ("schema_change_sensor", "SENSOR", "STARTED", 1),
    ]
    assert found[0]["location"] == "schema"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'{"a": "x\u0000y"}', "xy"),
        (r'{"a": "x\\u0000y"}', r"x\u0000y"),
        (r'{"a": "x\\\u0000y"}', "x\\y"),
    ],
)
def test_the_character_that_jsonb_has_no_place_for_is_left_out(
    ran_dsn: str, text: str, value: str
) -> None:
    [row] = rows(ran_dsn, f"select twd.event_body($x${text}$x$) ->> 'a' as a")
    assert row["a"] == value


def test_dagster_may_change_its_tables(services: Any, tmp_path: Path) -> None:
    dsn: str = services.database()
    upgrade(dsn)
    # Before Dagster has made its tables, a view says so and nothing else breaks.
    with pytest.raises(psycopg2.errors.UndefinedTable):
        rows(dsn, "select * from twd.failed_runs")
    with instance_on(dsn, tmp_path) as instance:
        instance.upgrade()
        execute(
            dsn,
            "alter table runs alter column pipeline_name type varchar(300)",
            "alter table event_logs alter column step_key type varchar(300)",
            "alter table job_ticks rename column tick_body to tick_text",
            "alter table run_tags drop column value",
            "alter table run_tags add column value text",
        )
    for view in VIEWS:
        assert rows(dsn, f"select * from twd.{view}") == []


def test_views_and_functions_go_and_come_with_the_migration(services: Any) -> None:
    dsn: str = services.database()
    told = (
        "select relname from pg_class where relkind = 'v' and relnamespace = 'twd'::regnamespace"
        " union select proname || '()' from pg_proc where pronamespace = 'twd'::regnamespace"
        " order by 1"
    )
    upgrade(dsn, "0008")
    before = rows(dsn, told)
    upgrade(dsn)
    with_views = {row["relname"] for row in rows(dsn, told)}
    assert {*VIEWS, "connection_freshness", "runs_since()"} <= with_views
    downgrade(dsn, "0008")
    assert rows(dsn, told) == before
    upgrade(dsn)
    assert {row["relname"] for row in rows(dsn, told)} == with_views
