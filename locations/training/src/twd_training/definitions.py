"""The training code location, wired: what `dagster api grpc` and `dg` load."""

import os
from collections.abc import Mapping
from typing import Any

import dagster as dg

from twd_shared.automation import automation_sensor
from twd_shared.contract import TRAINING
from twd_shared.resources.defaults import default_resources
from twd_shared.resources.sources import SourceAccessResource, source_access_values
from twd_shared.settings import Settings
from twd_training.defs.assets import EXTERNAL_ASSETS, training_assets
from twd_training.defs.jobs import training_job
from twd_training.defs.sensors import training_data_sensor


def build_defs(settings: Settings, resources: Mapping[str, object]) -> dg.Definitions:
    """The location's definitions with these settings and resources."""
    job = training_job(settings)
    return dg.Definitions(
        assets=[*EXTERNAL_ASSETS, *training_assets(settings)],
        jobs=[job],
        sensors=[
            training_data_sensor(settings, job),
            automation_sensor(TRAINING, settings.automation_seconds),
        ],
        resources=resources,
        # A chain of short steps in one process: a process for each step costs seconds.
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions as the environment configures them."""
    access: dict[str, Any] = source_access_values(os.environ)
    return build_defs(
        Settings.from_environment(os.environ),
        {**default_resources(os.environ), "source_access": SourceAccessResource(**access)},
    )
