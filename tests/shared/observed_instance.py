"""A Dagster instance on PostgreSQL in which something has happened, and rows of ours beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.events import AssetMaterializationPlannedData
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.test_utils import create_run_for_test
from dagster._daemon.types import DaemonHeartbeat

from twd_shared.contract import source_databases
from twd_shared.instance import prepare

from ..statements import execute

_REPOSITORY = RemoteRepositoryOrigin(
    GrpcServerCodeLocationOrigin(host="127.0.0.1", port=1, location_name="schema"),
    "__repository__",
)
TAGS = {".dagster/repository": "__repository__@schema", "twd/connection_id": "7"}


@dg.asset(key=["schema", "schema_embeddings"], partitions_def=source_databases)
def _embeddings() -> dg.MaterializeResult:
    return dg.MaterializeResult(
        metadata={
            "points": dg.MetadataValue.text("12 / 11"),
            "points_embedded_now": 6,
            "embedding_seconds": 1.5,
            # PostgreSQL's jsonb has no place for it.
            "note": "a\0b",
        }
    )


@dg.op
def _fails() -> None:
    raise dg.Failure("The source does not answer.")


@dg.op
def _raises() -> None:
    raise ValueError("It is broken.")


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def _fails_again() -> None:
    raise dg.Failure("The index is away.")


@dg.job(name="failing_again_job")
def _failing_again_job() -> None:
    _fails_again()


@dg.job(name="failing_job")
def _failing_job() -> None:
    _fails()


@dg.job(name="raising_job")
def _raising_job() -> None:
    _raises()


_DEFS = dg.Definitions(
    assets=[_embeddings],
    jobs=[
        dg.define_asset_job("schema_sync_job", selection=[_embeddings]),
        _failing_again_job,
        _failing_job,
        _raising_job,
    ],
)


@contextmanager
def instance_on(dsn: str, folder: Path) -> Iterator[dg.DagsterInstance]:
    """An instance whose storage is the database at `dsn`, prepared as before a first start."""
    (folder / "dagster.yaml").write_text(
        f"storage:\n  postgres:\n    postgres_url: {dsn}\ntelemetry:\n  enabled: false\n"
        "concurrency:\n  default_op_concurrency_limit: 3\n"
    )
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        prepare(instance)
        yield instance


def run_jobs(instance: dg.DagsterInstance) -> None:
    """A run that succeeds for shop, three that fail, and one that waits to make its first model."""
    instance.add_dynamic_partitions("source_databases", ["shop"])
    sync = _DEFS.resolve_job_def("schema_sync_job")
    sync.execute_in_process(partition_key="shop", instance=instance, tags=TAGS)
    for name in ("failing_again_job", "failing_job", "raising_job"):
        job = _DEFS.resolve_job_def(name)
        job.execute_in_process(instance=instance, raise_on_error=False, tags=TAGS)
    queued = create_run_for_test(
        instance,
        job_name="training_job",
        status=dg.DagsterRunStatus.QUEUED,
        remote_job_origin=_REPOSITORY.get_job_origin("training_job"),
        tags=TAGS,
    )
    model = AssetMaterializationPlannedData(dg.AssetKey(["training", "trained_model"]), "shop")
    planned = dg.DagsterEvent.build_asset_materialization_planned_event(
        queued.job_name, "training__trained_model", model
    )
    instance.report_dagster_event(planned, queued.run_id)


def tick(instance: dg.DagsterInstance, name: str, ages: dict[int, TickStatus]) -> None:
    """A sensor of 30 seconds called `name` that ticked these seconds ago, with these ends."""
    origin = RemoteInstigatorOrigin(_REPOSITORY, name)
    state = InstigatorState(
        origin,
        InstigatorType.SENSOR,
        InstigatorStatus.DECLARED_IN_CODE,
        SensorInstigatorData(min_interval=30),
    )
    instance.add_instigator_state(state)
    for age, status in ages.items():
        started = instance.create_tick(
            TickData(
                instigator_origin_id=origin.get_id(),
                instigator_name=name,
                instigator_type=InstigatorType.SENSOR,
                status=TickStatus.STARTED,
                timestamp=time.time() - age,
                selector_id=state.selector_id,
            )
        )
        if status == TickStatus.SKIPPED:
            instance.update_tick(started.with_status(status))


def beat(instance: dg.DagsterInstance) -> None:
    """A heartbeat of the sensor daemon, of now."""
    instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), "SENSOR", "id"))


_ROWS = (
    "insert into twd.connections (connection_id, partition_key, database_name, db_type, is_active)"
    " values ('7', 'shop', 'shop', 'postgresql', true), ('8', 'old', 'old', 'mysql', false)",
    "insert into twd.snapshots (connection_id, version, fingerprint, dialect, database_name,"
    " server_version, unknown_facts, table_count, column_count)"
    " values ('7', 3, 'f3', 'postgresql', 'shop', '16', '[]', 2, 9)",
    "insert into twd.index_states (connection_id, collection, model, model_digest, dimension,"
    " snapshot_version, content_hash, point_count) values ('7', 'c', 'm', 'd', 8, 3, 'h', 11)",
    "insert into twd.model_versions (connection_id, version, snapshot_version, content_hash, model,"
    " model_digest, dimension, ddl_count, documentation_count, question_sql_count, collections,"
    " is_live) values ('7', 2, 3, 'h', 'm', 'd', 8, 1, 1, 1, '{\"a\": \"b\"}', true)",
    "insert into twd.source_checks (connection_id, fingerprint, freshness, fresh_at)"
    " values ('7', 'f3', 'fresh', now())",
    "insert into twd.alerts (alert_key, severity, title, body, subject, raised_at)"
    " values ('a', 'failure', 'schema_sync_job failed for shop', 'Ollama does not answer.',"
    ' \'{"location":"schema","job":"","partition":"shop","assets":[]}\','
    " now() - interval '100 seconds'),"
    " ('b', 'breaking', 'A column is gone', '', '', now())",
    "insert into twd.alerts (alert_key, severity, title, body, raised_at, refused_at)"
    " select 'refused ' || ago, 'breaking', 'A column is gone', '', at, at"
    " from unnest('{0,2,40}'::int[]) ago,"
    " lateral (select now() - make_interval(days => ago)) moment(at)",
    "insert into twd.measured_days (day, measure, timezone, source_state)"
    " select (now() at time zone 'utc')::date - ago, 'usage', 'UTC', 's'"
    " from unnest('{1,2,4,5}'::int[]) ago",
)


def write_rows(dsn: str) -> None:
    """Connection 7, shop, that is fresh, an open failure, alerts that wait, days measured."""
    execute(dsn, *_ROWS)
