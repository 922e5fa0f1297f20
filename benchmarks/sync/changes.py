"""A thousand tables imported, then synced with ten of them changed: both as whole Dagster jobs."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Set
from contextlib import closing
from statistics import median
from typing import Any, NamedTuple

import dagster as dg
import psycopg2

from benchmarks.index.model_server import MODEL, CountingRelay
from benchmarks.index.thousand_tables import thousand_tables
from benchmarks.services import Services
from benchmarks.sync import bare_job
from twd_schema.definitions import build_defs
from twd_schema.defs.resources import SourceDatabaseResource
from twd_shared.contract import source_databases
from twd_shared.resources.servers import OllamaResource, QdrantResource
from twd_shared.resources.stores import (
    ApplicationDatabaseResource,
    CatalogResource,
    MetadataStoreResource,
)
from twd_shared.schema_model.ddl.script import schema_script
from twd_shared.settings import Settings
from twd_shared.store.migrate import upgrade

CHANGED = 10
BATCH = 64
ROUNDS = 3
_JOBS = {
    "import": "schema_import_job",
    "sync": bare_job.JOB,
    "again": bare_job.JOB,
    "bare": bare_job.JOB,
}


class Costs(NamedTuple):
    """Medians in seconds, the jobs' whole wall time and their steps'.

    `bare` is a sync's job without any work in its steps. `calls` are those of /api/embed with
    documents that a sync made, `texts` what was in them.
    """

    imported: float
    synced: float
    unchanged: float
    bare: float
    import_steps: Mapping[str, float]
    sync_steps: Mapping[str, float]
    calls: int
    texts: int


def costs(servers: Services, ollama_url: str, name: str) -> Costs:
    """Import and sync databases of the same tables, one after the other; `name` is their own."""
    taken: defaultdict[str, list[float]] = defaultdict(list)
    steps: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    calls, texts = [], []
    with CountingRelay(ollama_url) as relay:
        for number in range(ROUNDS):
            source = _Source(servers, relay.url, f"sync_{name}_{number}")
            for job, name_of_job in _JOBS.items():
                if job == "sync":
                    relay.take_all()
                    source.change(CHANGED)
                seconds, by_step = source.run(name_of_job, is_bare=job == "bare")
                taken[job].append(seconds)
                for step, of_step in by_step.items():
                    steps[job][step].append(of_step)
                if job == "sync":
                    made = [inputs for inputs in relay.take_all() if not _is_probe(inputs)]
                    calls.append(len(made))
                    texts.append(sum(map(len, made)))
    return Costs(
        median(taken["import"]),
        median(taken["sync"]),
        median(taken["again"]),
        median(taken["bare"]),
        {name: median(of_step) for name, of_step in steps["import"].items()},
        {name: median(of_step) for name, of_step in steps["sync"].items()},
        max(calls),
        max(texts),
    )


def _is_probe(inputs: Set[str]) -> bool:
    """Whether a call asks about the model: no document of ours is that short."""
    return max(map(len, inputs)) < 100


class _Source:
    """A database of a thousand tables that is connected, and the jobs that read it."""

    def __init__(self, servers: Services, ollama_url: str, name: str) -> None:
        self._name = name
        snapshot = thousand_tables()
        self._tables = snapshot.tables
        self._dsn = servers.database(name)
        schemas = sorted({table.schema for table in snapshot.tables} - {"public"})
        statements = [f'create schema "{name}"' for name in schemas] + schema_script(snapshot)
        self._execute(self._dsn, ";\n".join(statements), "analyze")
        metadata = servers.database(f"{name}_metadata")
        upgrade(metadata)
        application = servers.application(f"{name}_application")
        self._execute(
            application,
            "insert into database_connections (name, connection_string, db_type, is_active)"  # noqa: S608 - our own address
            f" values ('{name}', '{self._dsn}', 'postgresql', true)",
        )
        store = MetadataStoreResource(dsn=metadata)
        catalog = CatalogResource(source="database", api_url="", application_dsn=application)
        [registered] = store.connections.register(catalog.catalog.listing().connections)
        self._partition = registered.partition_key
        resources: dict[str, Any] = {
            "metadata_store": store,
            "catalog": catalog,
            "application": ApplicationDatabaseResource(dsn=application),
            "ollama": OllamaResource(base_url=ollama_url, embed_model=MODEL),
            "qdrant": QdrantResource(url=servers.qdrant, collection_name=name),
            "source_database": SourceDatabaseResource(hosts="loopback"),
        }
        self._location = build_defs(Settings(), resources)
        self._bare = bare_job.bare_location(self._location, store)
        self._instance = dg.DagsterInstance.ephemeral()
        self._instance.add_dynamic_partitions(str(source_databases.name), [self._partition])

    def run(self, job: str, *, is_bare: bool = False) -> tuple[float, dict[str, float]]:
        """Seconds of the whole job, and of each step."""
        location = self._bare if is_bare else self._location
        started = time.perf_counter()
        result = location.resolve_job_def(job).execute_in_process(
            instance=self._instance, partition_key=self._partition
        )
        seconds = time.perf_counter() - started
        return seconds, {
            str(event.step_key): event.step_success_data.duration_ms / 1000
            for event in result.all_events
            if event.is_step_success
        }

    def change(self, count: int) -> None:
        """A column more in so many tables, spread over all."""
        step = len(self._tables) // count
        for table in self._tables[: count * step : step]:
            self._execute(
                self._dsn, f'alter table "{table.schema}"."{table.name}" add added_later text'
            )

    @staticmethod
    def _execute(dsn: str, *texts: str) -> None:
        with closing(psycopg2.connect(dsn)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for text in texts:
                    cursor.execute(text)
