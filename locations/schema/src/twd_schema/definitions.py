"""The schema code location, wired: what `dagster api grpc` and `dg` load."""

import os
from collections.abc import Mapping

import dagster as dg

from twd_schema.defs.alert_sensor import alert_delivery_sensor
from twd_schema.defs.change_sensor import schema_change_sensor
from twd_schema.defs.connection_sensor import new_connection_sensor
from twd_schema.defs.freshness_asset import SOURCE_FRESHNESS
from twd_schema.defs.import_assets import SOURCE_DATABASE, import_assets
from twd_schema.defs.jobs import check_connections_job, schema_jobs
from twd_schema.defs.migration_job import index_migration_job
from twd_schema.defs.migration_sensor import index_layout_sensor
from twd_schema.defs.resources import source_database_resource
from twd_schema.defs.retention_job import run_retention_job, run_retention_schedule
from twd_schema.defs.schedules import sync_schedules
from twd_schema.defs.sync_assets import sync_assets
from twd_shared.alerting import run_failure_alert_sensor, run_recovery_sensor
from twd_shared.automation import automation_sensor
from twd_shared.contract import SCHEMA
from twd_shared.resources.defaults import default_resources
from twd_shared.settings import Settings


def build_defs(settings: Settings, resources: Mapping[str, object]) -> dg.Definitions:
    """The location's definitions with these settings and resources."""
    jobs = schema_jobs(settings)
    migration = index_migration_job(settings)
    retention = run_retention_job(settings)
    return dg.Definitions(
        assets=[
            SOURCE_DATABASE,
            SOURCE_FRESHNESS,
            *import_assets(settings),
            *sync_assets(settings),
        ],
        jobs=[*jobs.values(), check_connections_job(settings), migration, retention],
        sensors=[
            new_connection_sensor(settings, jobs["schema_import_job"]),
            schema_change_sensor(settings, jobs["schema_sync_job"]),
            index_layout_sensor(settings, migration),
            run_failure_alert_sensor(settings.ui_url, settings.automation_seconds),
            run_recovery_sensor(settings.ui_url, settings.automation_seconds),
            alert_delivery_sensor(),
            automation_sensor(SCHEMA, settings.automation_seconds),
        ],
        schedules=[
            *sync_schedules(settings, jobs["schema_sync_job"]),
            run_retention_schedule(settings, retention),
        ],
        resources=resources,
        # A chain of short steps in one process: a process for each step costs seconds.
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions as the environment configures them."""
    return build_defs(
        Settings.from_environment(os.environ),
        {
            **default_resources(os.environ),
            "source_database": source_database_resource(os.environ),
        },
    )
