"""The analytics code location, wired: what `dagster api grpc` and `dg` load."""

import os
from collections.abc import Mapping

import dagster as dg

from twd_analytics.defs.assets import daily_query_stats, sql_accuracy_report
from twd_analytics.defs.checks import checks
from twd_analytics.defs.external import external_assets
from twd_analytics.defs.jobs import analytics_job, daily_analytics_schedule
from twd_analytics.defs.late_sensor import late_messages_sensor
from twd_shared.automation import automation_sensor
from twd_shared.contract import ANALYTICS
from twd_shared.resources.defaults import default_resources
from twd_shared.settings import Settings


def build_defs(settings: Settings, resources: Mapping[str, object]) -> dg.Definitions:
    """The location's definitions with these settings and resources."""
    job = analytics_job(settings)
    return dg.Definitions(
        assets=[*external_assets(), daily_query_stats(settings), sql_accuracy_report(settings)],
        asset_checks=checks(settings),
        jobs=[job],
        schedules=[daily_analytics_schedule(settings, job)],
        sensors=[
            late_messages_sensor(settings, job),
            automation_sensor(ANALYTICS, settings.automation_seconds, emit_backfills=True),
        ],
        resources=resources,
        # A chain of short steps in one process: a process for each step costs seconds.
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions as the environment configures them."""
    return build_defs(Settings.from_environment(os.environ), default_resources(os.environ))
