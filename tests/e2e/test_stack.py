"""Three gRPC code servers, webserver and daemon over PostgreSQL: what a user and a team see.

The tests run in the order they stand in and share one stack: starting it costs half a minute.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg2
import pytest

from twd_local.stack.names import LOCATIONS
from twd_local.stack.supervision import Supervisor

from .automation_log import automation
from .conftest import PASSWORD, RunningStack, until

pytestmark = pytest.mark.e2e


def test_a_connection_added_through_the_api_ends_in_a_trained_model(
    running: RunningStack, shop: str
) -> None:
    assets = running.assets(shop)
    assert assets["schema/raw_schema_metadata"]["numbers"]["table_count"] == 11
    assert assets["schema/schema_embeddings"]["numbers"]["embedded_tables"] == 11
    assert assets["training/trained_model"]["numbers"]["trained_tables"] == 11
    assert assets["training/trained_model"]["numbers"]["trained_relationships"] == 11


def test_each_step_of_it_ran_once(running: RunningStack, shop: str) -> None:
    jobs = [run["jobName"] for run in running.runs(shop) if run["status"] == "SUCCESS"]
    assert jobs.count("schema_import_job") == 1
    assert "schema_sync_job" not in jobs


def test_a_question_finds_its_tables_from_the_command_line(
    running: RunningStack, shop: str
) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "twd_shared.retrieval", "--database", shop, "tracks of an album"],
        env={**os.environ, **running.stack.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"public\.(track|album)", answer.stdout), answer.stdout


def test_a_re_read_without_a_change_runs_nothing_downstream(
    running: RunningStack, shop: str
) -> None:
    before = {run["runId"] for run in running.runs(shop)}
    ours = running.launch("schema_sync_job", "schema", shop)
    until(
        lambda: any(r["runId"] == ours and r["status"] == "SUCCESS" for r in running.runs(shop)),
        "the sync run succeeds",
    )
    _let_each_location_look(running)
    assert {run["runId"] for run in running.runs(shop)} - before == {ours}
    assert running.everything_is_fresh(shop)


def test_a_changed_source_reaches_the_knowledge_base_with_no_click(
    running: RunningStack, shop: str
) -> None:
    version = running.assets(shop)["training/trained_model"]["numbers"]["version"]
    running.alter(shop, "alter table album add column recorded_at date")
    until(
        lambda: (
            running.assets(shop)["training/trained_model"]["numbers"]["version"] == version + 1
            and running.everything_is_fresh(shop)
        ),
        "the knowledge base stands on the changed schema",
        150,
    )


def test_nothing_listens_beyond_this_machine(running: RunningStack, shop: str) -> None:
    pids = [process["pid"] for process in Supervisor(running.home).processes().values()]
    listening = [
        address
        for pid in pids
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
        for address in _listened_at(process)
    ]
    assert len(listening) >= len(pids) - 1, "all but the daemon"
    # A server of gRPC writes ::ffff:127.0.0.1.
    assert {address.removeprefix("::ffff:") for address in listening} <= {"127.0.0.1", "::1"}


def test_no_password_of_a_source_is_anywhere_in_the_instance(
    running: RunningStack, shop: str
) -> None:
    places = [*Path(running.home.logs).rglob("*"), *_compute_logs(running)]
    found = [
        str(path) for path in places if path.is_file() and PASSWORD.encode() in path.read_bytes()
    ]
    assert not found
    with psycopg2.connect(running.stack.environment["TWD_METADATA_DSN"]) as connection:
        cursor = connection.cursor()
        cursor.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_schema in ('public', 'twd') and table_type = 'BASE TABLE'"
        )
        for schema, table in cursor.fetchall():
            cursor.execute(
                f'select count(*) from "{schema}"."{table}" t where t::text like %s',
                (f"%{PASSWORD}%",),
            )
            assert cursor.fetchone() == (0,), f"{schema}.{table}"


def _listened_at(process: psutil.Process) -> list[str]:
    """Where the process listens: nowhere, if it has ended meanwhile, as the worker of a run may."""
    try:
        sockets = process.net_connections(kind="inet")
    except psutil.NoSuchProcess:
        return []
    return [socket.laddr.ip for socket in sockets if socket.status == psutil.CONN_LISTEN]


def _let_each_location_look(running: RunningStack) -> None:
    """Wait until every automation sensor has begun and ended two more ticks."""
    began = time.time()

    def have_ticked() -> bool:
        found = automation(running.api)
        ticks = [
            [tick for tick in one.ticks if tick.began > began and tick.is_done]
            for location in LOCATIONS
            for one in found[location]
            if one.name == f"{location}_automation_sensor"
        ]
        return len(ticks) == len(LOCATIONS) and min(map(len, ticks)) >= 2

    until(have_ticked, "every automation sensor ticks twice")


def _compute_logs(running: RunningStack) -> list[Path]:
    return list(Path(running.stack.environment["TWD_COMPUTE_LOG_DIR"]).rglob("*"))
