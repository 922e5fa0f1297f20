"""One status, one cause and since when, of each connection: the view twd.connection_freshness."""

from __future__ import annotations

from typing import Any

import psycopg2
import pytest
from psycopg2.extras import RealDictCursor

from twd_shared.store.database import MetadataDatabase
from twd_shared.store.source_checks import SourceCheck, SourceCheckStore

from ..statements import execute
from .observed_instance import write_rows

# Version 4 was read 20 minutes ago, so version 3 ended then; index and knowledge base hold 3.
NEWER = (
    "update twd.snapshots set ended_at = now() - interval '20 minutes'",
    "insert into twd.snapshots (connection_id, version, fingerprint, dialect, database_name,"
    " server_version, unknown_facts, table_count, column_count, taken_at)"
    " values ('7', 4, 'f4', 'postgresql', 'shop', '16', '[]', 2, 9, now() - interval '20 minutes')",
)
INDEXED = "update twd.index_states set snapshot_version = 4, published_at = now()"
TRAINED = "update twd.model_versions set snapshot_version = 4"
HELD = (
    "insert into twd.model_versions (connection_id, version, snapshot_version, content_hash, model,"
    " model_digest, dimension, ddl_count, documentation_count, question_sql_count, collections,"
    " is_live, held_reason) values ('7', 3, 4, 'g', 'm', 'd', 8, 1, 1, 1, '{\"a\": \"b\"}', false,"
    " 'Its recall is lower.')"
)
FAILED = (
    "insert into twd.alerts (alert_key, severity, title, body, subject, sequence)"
    " overriding system value values ('f', 'failure', 'training_job failed for shop',"
    " E'Ollama does not answer.\\nMore.',"
    ' \'{"location":"training","job":"","partition":"shop","assets":[]}\', 900)'
)


def check(freshness: str, cause: str, fingerprint: str, *, fresh: str, asked: str = "0") -> str:
    """The source's last answer; when it was fresh last and asked last, in minutes ago."""
    return (
        f"update twd.source_checks set freshness = '{freshness}', cause = '{cause}',"
        f" fingerprint = '{fingerprint}', since = now(),"
        f" fresh_at = now() - interval '{fresh} minutes',"
        f" asked_at = now() + interval '1 second' - interval '{asked} minutes'"
    )


def freshness(dsn: str, objective: int | None = None) -> dict[str, Any]:
    """The row of shop, with how many minutes ago `since` and `known_fresh_at` are."""
    connection = psycopg2.connect(dsn)
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        if objective is not None:
            cursor.execute(
                "select set_config('twd.freshness_seconds', %s, false)", [str(objective)]
            )
        cursor.execute(
            "select *, round(extract(epoch from now() - since) / 60)::int as minutes,"
            " round(extract(epoch from now() - known_fresh_at) / 60)::int as fresh_minutes"
            " from twd.connection_freshness"
        )
        [row] = cursor.fetchall()
    connection.close()
    return dict(row)


@pytest.fixture
def dsn(metadata_dsn: str) -> str:
    write_rows(metadata_dsn)
    execute(metadata_dsn, "delete from twd.alerts")
    return metadata_dsn


def test_what_is_fresh_has_no_cause_and_paused_ones_are_not_told(dsn: str) -> None:
    row = freshness(dsn)
    assert (row["partition_key"], row["status"], row["cause"]) == ("shop", "fresh", "")
    assert row["objective_met"] is True
    versions = ("snapshot_version", "index_snapshot_version", "knowledge_base_snapshot_version")
    assert [row[name] for name in versions] == [3, 3, 3]
    assert (row["index_points"], row["index_complete"], row["is_held"]) == (11, True, False)
    assert row["fresh_minutes"] == 0


@pytest.mark.parametrize(
    ("statements", "status", "cause", "minutes", "is_met"),
    [
        (
            [check("unreadable", "It does not answer.", "f3", fresh="10", asked="-1")],
            *("unreadable", "It does not answer.", 10, True),
        ),
        (
            [check("unreadable", "It does not answer.", "f3", fresh="16", asked="-1")],
            *("unreadable", "It does not answer.", 16, False),
        ),
        (
            [check("drifted", "Another schema.", "f9", fresh="5")],
            *("drifted", "Another schema.", 5, True),
        ),
        (
            [check("given_up", "8 syncs failed.", "f9", fresh="130")],
            *("given_up", "8 syncs failed.", 130, False),
        ),
        (
            [check("given_up", "8 syncs failed.", "f9", fresh="130"), FAILED],
            *("given_up", "training_job failed for shop: Ollama does not answer.", 130, False),
        ),
        (
            ["update twd.index_states set is_complete = false"],
            *("drifted", "A run is writing its index, or the last one that did has failed.", 0),
            True,
        ),
        (
            [*NEWER],
            *("drifted", "Its index holds version 3 of its schema, and version 4 was read."),
            *(20, False),
        ),
        (
            [*NEWER, INDEXED],
            "behind",
            "Its knowledge base stands on version 3 of its schema, and version 4 was read.",
            *(20, False),
        ),
        (
            [*NEWER, INDEXED, FAILED],
            *("behind", "training_job failed for shop: Ollama does not answer.", 20, False),
        ),
        ([*NEWER, INDEXED, HELD, FAILED], "held", "Its recall is lower.", 20, False),
        (
            ["delete from twd.model_versions"],
            *("not_trained", "No knowledge base of it is served yet.", 0, True),
        ),
        (
            ["delete from twd.index_states", "delete from twd.source_checks"],
            *("not_imported", "Its first import has not ended.", 0, True),
        ),
        (
            [
                "delete from twd.index_states",
                "delete from twd.source_checks",
                "delete from twd.snapshots",
                "update twd.connections set status = 'failing', status_reason = 'Wrong password.',"
                " first_seen_at = now() - interval '1 hour'",
            ],
            *("unreadable", "Wrong password.", 60, False),
        ),
    ],
)
def test_one_status_one_cause_and_since_when(
    dsn: str, statements: list[str], status: str, cause: str, minutes: int, is_met: bool
) -> None:
    execute(dsn, *statements)
    row = freshness(dsn)
    assert (row["status"], row["cause"]) == (status, cause)
    assert (row["minutes"], row["objective_met"]) == (minutes, is_met)
    assert row["fresh_minutes"] == row["minutes"]


def test_who_was_not_asked_for_longer_than_the_objective_is_not_known_to_be_fresh(dsn: str) -> None:
    execute(
        dsn,
        check("fresh", "", "f3", fresh="20", asked="20"),
        "update twd.snapshots set confirmed_at = now() - interval '2 days'",
    )
    row = freshness(dsn)
    assert (row["status"], row["objective_met"], row["minutes"]) == ("unchecked", False, 20)
    assert "schema_change_sensor does not reach it" in row["cause"]
    row = freshness(dsn, objective=3600)
    assert (row["status"], row["objective_met"], row["fresh_minutes"]) == ("fresh", True, 20)


@pytest.mark.parametrize("freshness_before", ["drifted", "given_up"])
def test_what_a_sync_has_mended_counts_before_the_sensor_asks_again(
    dsn: str, freshness_before: str
) -> None:
    execute(dsn, *NEWER, check(freshness_before, "Another schema.", "f4", fresh="21"))
    assert freshness(dsn)["status"] == freshness_before
    execute(dsn, INDEXED)
    assert freshness(dsn)["status"] == "behind"
    execute(dsn, TRAINED)
    row = freshness(dsn)
    assert (row["status"], row["cause"], row["objective_met"]) == ("fresh", "", True)


def test_a_source_that_was_read_since_it_did_not_answer_is_readable(dsn: str) -> None:
    execute(
        dsn,
        check("unreadable", "It does not answer.", "f3", fresh="30", asked="10"),
        "update twd.snapshots set confirmed_at = now() - interval '1 minute'",
    )
    row = freshness(dsn)
    assert (row["status"], row["fresh_minutes"]) == ("fresh", 1)


def test_the_objective_is_that_of_the_session(dsn: str) -> None:
    execute(dsn, *NEWER, INDEXED)
    assert freshness(dsn)["objective_met"] is False
    assert freshness(dsn, objective=3600)["objective_met"] is True


def test_when_a_source_was_fresh_last_outlives_what_it_says_now(
    dsn: str, database: MetadataDatabase
) -> None:
    store = SourceCheckStore(database)
    for state, cause in (("fresh", ""), ("unreadable", "No answer."), ("unreadable", "Refused.")):
        store.record([SourceCheck("7", "s", "f3", state, cause)])  # type: ignore[arg-type]
    connection = psycopg2.connect(dsn)
    with connection.cursor() as cursor:
        cursor.execute("select fresh_at < since, fresh_at is not null from twd.source_checks")
        assert cursor.fetchone() == (True, True)
    connection.close()
