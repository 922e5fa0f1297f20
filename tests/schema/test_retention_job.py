"""Old runs are deleted each night, unless the operator keeps them for ever."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from twd_schema.defs.retention_job import run_retention_job, run_retention_schedule
from twd_shared.settings import Settings

from .daemon import Daemon


def test_the_schedule_asks_for_the_job_also_where_runs_are_kept_for_ever() -> None:
    settings = Settings(run_days=0)
    schedule = run_retention_schedule(settings, run_retention_job(settings))
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance, scheduled_execution_time=datetime.now(UTC)
        )
        # What ticks logged is deleted in any case, as Dagster deletes the ticks.
        assert len(schedule.evaluate_tick(context).run_requests or ()) == 1


def test_the_job_tells_what_it_deleted_and_leaves_young_runs_alone(daemon: Daemon) -> None:
    result = daemon.location.resolve_job_def("run_retention_job").execute_in_process(
        instance=daemon.instance, resources=dict(daemon.resources)
    )
    [output] = result.filter_events(lambda event: event.is_successful_output)
    told = output.event_specific_data.metadata
    names = ("deleted_runs", "kept_runs", "deleted_logs", "deleted_check_results")
    assert [told[name].value for name in names] == [0, 0, 0, 0]


def test_the_job_deletes_no_run_where_runs_are_kept_for_ever() -> None:
    job = run_retention_job(Settings(run_days=0))
    unused = {"metadata_store": dg.ResourceDefinition.none_resource()}
    with dg.DagsterInstance.ephemeral() as instance:
        ended = job.execute_in_process(instance=instance, resources=unused)
        assert job.execute_in_process(instance=instance, resources=unused).success
        assert instance.has_run(ended.run_id)
