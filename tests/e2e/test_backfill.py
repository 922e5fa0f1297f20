"""Days of the past are measured in a few runs, as Dagster itself launches them."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import psycopg2
import pytest

from twd_local.sources import with_database
from twd_local.stack.environment import APPLICATION_DATABASE

from .conftest import RunningStack, until

pytestmark = pytest.mark.e2e

# One more than a run measures at most.
FIRST, DAYS = date(2026, 1, 1), 101

_LAUNCH = """
mutation ($days: [String!]!) {
  launchPartitionBackfill(backfillParams: {
    partitionNames: $days
    assetSelection: [
      {path: ["analytics", "daily_query_stats"]}, {path: ["analytics", "sql_accuracy_report"]}
    ]
  }) { __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } }
}
"""
_STATUS = """
query ($id: String!) {
  partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill {
    status runs(limit: 200) { status }
  } }
}
"""


@pytest.fixture(scope="module")
def answered(running: RunningStack) -> date:
    """A day in the past on which a question was answered."""
    day = FIRST + timedelta(days=70)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    application = with_database(running.admin, APPLICATION_DATABASE)
    with closing(psycopg2.connect(application)) as connection, connection:
        cursor = connection.cursor()
        cursor.execute("insert into conversations (user_id) values ('an') returning id")
        [talk] = cursor.fetchone() or ()
        for role, sql, moment in (
            ("user", None, noon),
            ("assistant", "select 1", noon + timedelta(seconds=1)),
        ):
            cursor.execute(
                "insert into messages (conversation_id, role, content, sql_query, query_result,"
                " created_at) values (%s, %s, 'How many?', %s, %s, %s)",
                (talk, role, sql, sql and "[[1]]", moment),
            )
    return day


def test_a_hundred_days_and_one_are_measured_in_two_runs(
    running: RunningStack, answered: date
) -> None:
    days = [(FIRST + timedelta(days=place)).isoformat() for place in range(DAYS)]
    launched = running.api.ask(_LAUNCH, days=days)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def ended() -> dict[str, object] | None:
        found = running.api.ask(_STATUS, id=launched["backfillId"])["partitionBackfillOrError"]
        assert "FAIL" not in found["status"], found
        return found if found["status"] == "COMPLETED_SUCCESS" else None

    backfill = until(ended, "the back-fill is over", 240)
    assert [run["status"] for run in backfill["runs"]] == ["SUCCESS", "SUCCESS"]
    with closing(psycopg2.connect(running.stack.environment["TWD_METADATA_DSN"])) as connection:
        cursor = connection.cursor()
        cursor.execute(
            "select day, total, successful from twd.daily_query_stats"
            " where connection_id = '*' and day < %s order by day",
            (FIRST + timedelta(days=DAYS),),
        )
        rows = cursor.fetchall()
    assert [day.isoformat() for day, _, _ in rows] == days
    assert [row for row in rows if row[1]] == [(answered, 1, 1)]
