"""The sensor that replaces an index which this release can neither read nor go on with."""

import time
from typing import TYPE_CHECKING

import dagster as dg

from twd_shared.contract import TRIGGER_TAG
from twd_shared.errors import TwdError
from twd_shared.resources.servers import QdrantResource
from twd_shared.settings import Settings

if TYPE_CHECKING:
    from twd_schema.indexing.outdated import Outdated

NAME = "index_layout_sensor"
WISH_TAG = "twd/index_wish"
"""On a requested run: which collection it is to replace, and by which layout."""

_MOST_ATTEMPTS = 3
_WAIT_SECONDS = 300.0
"""Between the end of a run that failed and the next."""


def index_layout_sensor(settings: Settings, job: dg.JobDefinition) -> dg.SensorDefinition:
    """The sensor that looks after an upgrade whether the index that is served can be used."""

    @dg.sensor(
        name=NAME,
        job=job,
        minimum_interval_seconds=settings.new_connection_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Looks whether the schema index that is served is of an earlier release, and requests "
            "the job that builds a new one beside it. A failed run is requested again, up "
            "to three times in all. A changed model is no reason."
        ),
    )
    def sensor(
        context: dg.SensorEvaluationContext, qdrant: QdrantResource
    ) -> dg.RunRequest | dg.SkipReason:
        # Importing Qdrant's client takes a second, which every start of a run would wait for.
        from twd_schema.indexing.outdated import outdated

        try:
            found = outdated(qdrant.schema_index)
        except TwdError as error:
            return dg.SkipReason(str(error))
        if found is None:
            return dg.SkipReason("The schema index that is served is of this release, or new.")
        return _request(context.instance, job.name, found)

    return sensor


def _request(
    instance: dg.DagsterInstance, job: str, found: "Outdated"
) -> dg.RunRequest | dg.SkipReason:
    newest = instance.get_runs(dg.RunsFilter(job_name=job), limit=1)
    if newest and not newest[0].is_finished:
        return dg.SkipReason(f"{job} is going on already. {found.reason}")
    wish = f"{found.collection} to layout {found.layout}"
    # Newest first.
    attempts = instance.get_run_records(dg.RunsFilter(job_name=job, tags={WISH_TAG: wish}))
    if any(attempt.dagster_run.is_success for attempt in attempts):
        return dg.SkipReason(
            f"{found.collection} was replaced once and then put back. Run {job} to replace it "
            f"again. {found.reason}"
        )
    if len(attempts) >= _MOST_ATTEMPTS:
        return dg.SkipReason(
            f"{job} failed {len(attempts)} times. See why in its last run "
            f"({attempts[0].dagster_run.run_id}), then launch it. {found.reason}"
        )
    if attempts and time.time() - attempts[0].update_timestamp.timestamp() < _WAIT_SECONDS:
        return dg.SkipReason(f"{job} failed and waits for its next try. {found.reason}")
    return dg.RunRequest(
        run_key=f"{wish}, attempt {len(attempts) + 1}",
        tags={WISH_TAG: wish, TRIGGER_TAG: NAME},
    )
