"""Which failures are one event and which are news."""

from __future__ import annotations

import dagster as dg

from twd_shared.alerting import failure_alert


def failed_run(run_id: str, root: str | None = None, **tags: str) -> dg.DagsterRun:
    return dg.DagsterRun(
        job_name="import_job",
        run_id=run_id,
        root_run_id=root,
        parent_run_id=root,
        tags={f"dagster/{name}": value for name, value in tags.items()},
    )


FIRST = "00000000-0000-4000-8000-000000000001"
SECOND = "00000000-0000-4000-8000-000000000002"


def key(run: dg.DagsterRun) -> str:
    return failure_alert(run, "why", "http://ui").key


def test_an_automatic_retry_is_the_same_event() -> None:
    assert key(failed_run(SECOND, FIRST, retry_number="1")) == key(failed_run(FIRST))


def test_a_run_that_somebody_executed_again_is_news() -> None:
    assert key(failed_run(SECOND, FIRST)) != key(failed_run(FIRST))
    assert SECOND in failure_alert(failed_run(SECOND, FIRST), "why", "http://ui").link
