"""Backup and restore on real servers: nothing is lost, nothing is half, and a kill is made good.

Belongs here: what a user of `make backup` and `make restore` relies on. Not here: how a point looks
in a file (`test_backup_points.py`), the whole stack (`tests/e2e`).
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import dagster as dg
import httpx
import msgspec
import numpy as np
import psycopg2
import pytest
import sqlalchemy as sa
from dagster._daemon.types import DaemonHeartbeat
from dagster_postgres.run_storage import PostgresRunStorage
from qdrant_client import QdrantClient, models

from twd_local.backup import __main__ as backup_command
from twd_local.backup import database, metadata_restore, restoring, servers, writers
from twd_local.backup.__main__ import main
from twd_local.backup.database import restore_dump, run_tool, session, tool_path
from twd_local.backup.index_names import OurCollections, beside
from twd_local.backup.index_restore import IndexRestore
from twd_local.backup.manifest import (
    NAME,
    Manifest,
    read_manifest,
    stored_file,
    write_manifest,
)
from twd_local.backup.points import PointWriter, read_points
from twd_local.backup.restoring import make_ready, require_known_revision, restore
from twd_local.backup.saving import save
from twd_local.backup.servers import Servers, servers_of
from twd_local.backup.writers import writers_stopped
from twd_local.postgres.running import start_postgres
from twd_local.stack.errors import StackError
from twd_local.stack.home import REPOSITORY, Home
from twd_local.stack.private_files import write_private_json
from twd_shared.clients.index_collections import Making, create_collection
from twd_shared.clients.qdrant import open_client
from twd_shared.clients.token_budget import CONSERVATIVE, TokenBudget

pytestmark = pytest.mark.integration

SIZE = 8
ALIAS = "backup_schemas"
LIVE, PREVIOUS = f"{ALIAS}__lexical__{SIZE}__2", f"{ALIAS}__lexical__{SIZE}__1"
KNOWLEDGE, HELD = "kb_shop_sql_v3", "kb_shop_sql_v4"
SOMEBODY_ELSES = "vanna_own"
PLAIN = models.VectorParams(size=SIZE, distance=models.Distance.COSINE)


class World:
    """A metadata database and an index with contents, and what they hold."""

    def __init__(self, metadata: sa.URL, services: Any, folder: Path) -> None:
        self.metadata = metadata
        self.servers = Servers(
            self.metadata, sa.make_url(services.postgres), services.qdrant, "", ALIAS
        )
        self.client = open_client(services.qdrant)
        self.ours = OurCollections(self.client, ALIAS)
        self.folder = folder / "backup"
        self.environment = {
            "TWD_HOME": str(folder / "home"),
            "TWD_METADATA_DSN": metadata.render_as_string(hide_password=False),
            "QDRANT_URL": services.qdrant,
            "TWD_INDEX_ALIAS": ALIAS,
        }

    def save(self) -> Manifest:
        return save(self.servers, self.folder, print)

    def restore(self) -> None:
        restore(self.servers, self.folder, read_manifest(self.folder), print)

    def execute(self, *statements: str) -> list[Any]:
        with closing(
            psycopg2.connect(self.metadata.render_as_string(hide_password=False))
        ) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []

    def database(self) -> dict[str, tuple[int, str | None]]:
        """Table → rows and a digest of them."""
        tables = self.execute(
            "select schemaname, tablename from pg_tables where schemaname in ('public', 'twd')"
        )
        return {
            f"{schema}.{table}": self.execute(
                f"select count(*), md5(string_agg(t::text, '|' order by t::text))"
                f' from {schema}."{table}" t'
            )[0]
            for schema, table in tables
        }

    def index(self) -> dict[str, Any]:
        """Aliases, and collection → settings and points with payload and vectors."""
        found: dict[str, Any] = {"aliases": self.ours.aliases()}
        for name in self.ours.names() | self.ours.left_beside():
            info = self.client.get_collection(name)
            points = self.client.scroll(name, limit=10_000, with_vectors=True)[0]
            found[name] = (
                info.config.model_dump(),
                {field: one.params for field, one in info.payload_schema.items()},
                {str(point.id): (point.payload, point.vector) for point in points},
            )
        return found

    def answers(self) -> list[list[tuple[Any, float]]]:
        """What a question finds by vectors, and what by words."""
        words = models.SparseVector(indices=[1, 9], values=[1.0, 0.5])
        return [
            [(hit.id, hit.score) for hit in found.points]
            for found in (
                self.client.query_points(ALIAS, query=_vector(5), using="dense", limit=20),
                self.client.query_points(ALIAS, query=words, using="terms", limit=20),
            )
        ]

    def delete_index(self) -> None:
        names = self.ours.names() | self.ours.left_beside() | {SOMEBODY_ELSES, ALIAS}
        for name in names:
            self.client.delete_collection(name)

    def process(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "twd_local.backup", *arguments],
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )


@pytest.fixture(scope="module")
def prepared(services: Any) -> sa.URL:
    """A database with the tables of schema twd and of Dagster, which others are copied from."""
    url = sa.make_url(services.database())
    make_ready(url, dg.__version__)
    return url


@pytest.fixture
def world(prepared: sa.URL, services: Any, tmp_path: Path) -> Iterator[World]:
    world = World(prepared.set(database=f"meta_{uuid.uuid4().hex[:12]}"), services, tmp_path)
    with session(world.servers.admin) as cursor:
        cursor.execute(f"create database {world.metadata.database} template {prepared.database}")
    world.execute(
        "insert into public.kvs (key, value) values ('cursor', 'seven')",
        "create table twd.notes (id int primary key, text text)",
        "insert into twd.notes select n, 'ghi chú ' || n from generate_series(1, 500) n",
    )
    with closing(world.client):
        world.delete_index()
        _fill_index(world.client)
        yield world
        world.delete_index()


def _vector(number: int) -> list[float]:
    return np.random.default_rng(number).normal(size=SIZE).tolist()


def _fill_index(client: QdrantClient) -> None:
    making = Making("lexical", "d1", SIZE, "1.1")
    for name, count in ((LIVE, 700), (PREVIOUS, 300)):
        create_collection(client, name, making, TokenBudget(100, CONSERVATIVE))
        client.upsert(name, [_table(number) for number in range(count)], wait=True)
    for name, count in ((KNOWLEDGE, 40), (HELD, 41), (SOMEBODY_ELSES, 3)):
        client.create_collection(name, vectors_config=PLAIN)
        points = [
            models.PointStruct(
                id=number, vector=_vector(number), payload={"sql": f"select {number}"}
            )
            for number in range(1, count)
        ]
        client.upsert(name, points, wait=True)
    named = {ALIAS: LIVE, f"{ALIAS}_previous": PREVIOUS, "kb_shop_sql": KNOWLEDGE}
    client.update_collection_aliases(
        [
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(alias_name=alias, collection_name=name)
            )
            for alias, name in named.items()
        ]
    )


def _table(number: int) -> models.PointStruct:
    return models.PointStruct(
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))),
        vector={
            "dense": _vector(number),
            "terms": models.SparseVector(
                indices=[number % 11, 40 + number % 17],
                values=[1.0 + number / 7, 0.25 + number % 3],
            ),
        },
        payload={
            "connection_id": "1",
            "table_name": f"bảng_{number}",
            "words": [number, 1.5, None],
        },
    )


def _change_everything(world: World) -> None:
    """What must be gone after a restore: rows, points, collections and aliases of later."""
    world.execute(
        "update public.kvs set value = 'eight'",
        "delete from twd.notes where id > 20",
        "create table twd.later (id int)",
    )
    client = world.client
    client.delete(LIVE, models.FilterSelector(filter=models.Filter()), wait=True)
    client.upsert(LIVE, [_table(number) for number in range(5000, 5010)], wait=True)
    client.delete_collection(PREVIOUS)
    client.create_collection("kb_shop_sql_v5", vectors_config=PLAIN)
    client.update_collection_aliases(
        [
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(alias_name=alias, collection_name="kb_shop_sql_v5")
            )
            for alias in ("kb_shop_sql", "kb_shop_ddl")
        ]
    )


def test_a_restore_brings_back_every_row_point_vector_and_alias(world: World) -> None:
    before, index, answers = world.database(), world.index(), world.answers()
    manifest = world.save()
    assert manifest.metadata.rows["twd.notes"] == 500
    assert {one.name for one in manifest.index.collections} == {LIVE, PREVIOUS, KNOWLEDGE, HELD}
    _change_everything(world)
    assert world.database() != before
    assert world.index() != index
    world.restore()
    assert world.database() == before
    assert world.index() == index
    assert world.answers() == answers
    assert world.client.count(SOMEBODY_ELSES).count == 2
    world.restore()
    assert (world.database(), world.index()) == (before, index)


def test_a_restore_needs_nothing_of_what_was_there(world: World) -> None:
    before, index = world.database(), world.index()
    world.save()
    world.delete_index()
    with session(world.servers.admin) as cursor:
        cursor.execute(f'drop database "{world.metadata.database}"')
    world.restore()
    assert (world.database(), world.index()) == (before, index)


def test_readers_find_whole_collections_at_every_moment(world: World) -> None:
    world.save()
    _change_everything(world)
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        with closing(open_client(world.servers.qdrant_url)) as client:
            while not done.is_set():
                seen.append(client.count(ALIAS).count)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        world.restore()
    finally:
        done.set()
        reader.join()
    assert seen[0] == 10
    assert seen[-1] == 700
    assert set(seen) == {10, 700}


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("Metadata database", 0.3),
        ("Index", 0),
        (f"  {LIVE}", 0),
        ("Switching", 0),
        ("Deleting", 0),
        ("Deleting", 0.05),
    ],
)
def test_a_restore_that_was_killed_is_run_again(world: World, line: str, seconds: float) -> None:
    before, index = world.database(), world.index()
    world.save()
    _change_everything(world)
    changed = world.database(), world.answers()
    process = world.process("restore", str(world.folder), "--yes")
    assert process.stdout is not None
    with process.stdout:
        assert any(text.startswith(line) for text in process.stdout)
        time.sleep(seconds)
        process.kill()
        rest = process.stdout.read()
    process.wait()
    if line in ("Metadata database", "Index") and "Switching" not in rest:
        assert (world.database(), world.answers()) == changed
    assert main_of(world, "restore", str(world.folder), "--yes") == 0
    assert (world.database(), world.index()) == (before, index)
    assert not _databases(world, f"{world.metadata.database}_%")


def main_of(world: World, *arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in world.environment.items():
            patch.setenv(name, value)
        return main(list(arguments))


@pytest.mark.parametrize("typed", ["", "no\n", "y\n"], ids=["end of input", "no", "y"])
def test_who_does_not_say_yes_keeps_everything(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    world.save()
    _change_everything(world)
    changed = world.database()
    terminal = io.StringIO(typed)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    assert main_of(world, "restore", str(world.folder)) == 1
    assert capsys.readouterr().err == "error: Nothing was changed.\n"
    assert world.database() == changed


def _databases(world: World, pattern: str) -> list[Any]:
    return world.execute(f"select datname from pg_database where datname like '{pattern}'")


def test_a_backup_that_was_killed_is_none(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    process = world.process("save", str(world.folder))
    assert process.stdout is not None
    with process.stdout:
        assert any(text.startswith("Index") for text in process.stdout)
        process.kill()
    process.wait()
    assert main_of(world, "restore", str(world.folder), "--yes") == 1
    assert "not finished" in capsys.readouterr().err


def test_a_backup_is_its_owners_alone_and_never_overwrites(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []
    run = subprocess.run

    def noted(command: list[str], **options: Any) -> Any:
        commands.append(command)
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", noted)
    world.save()
    assert world.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in world.folder.iterdir()} == {0o600}
    password = str(world.metadata.password)
    assert not [command for command in commands if password in " ".join(command)]
    assert not [p for p in world.folder.iterdir() if password.encode() in p.read_bytes()]
    with pytest.raises(StackError, match="not empty"):
        world.save()


def test_a_damaged_backup_changes_nothing(world: World) -> None:
    manifest = world.save()
    before = world.database(), world.index()
    for file in manifest.files:
        path = world.folder / file.name
        content = path.read_bytes()
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
        with pytest.raises(StackError, match=f"{re.escape(file.name)} is not what was written"):
            read_manifest(world.folder)
        path.unlink()
        with pytest.raises(StackError, match="is missing"):
            read_manifest(world.folder)
        path.write_bytes(content)
    assert main_of(world, "restore", str(world.folder)) == 1  # nobody can be asked here
    assert (world.database(), world.index()) == before


def test_a_backup_of_a_newer_release_is_refused(world: World) -> None:
    world.save()
    path = world.folder / NAME
    written = json.loads(path.read_text())
    written["metadata"]["alembic_revision"] = "9999"
    path.write_text(json.dumps(written))
    with pytest.raises(StackError, match=r"newer release.*9999"):
        require_known_revision(read_manifest(world.folder))
    assert main_of(world, "restore", str(world.folder), "--yes") == 1


def test_a_backup_of_a_newer_dagster_is_told_with_both_versions(world: World) -> None:
    world.execute("update public.alembic_version set version_num = '9999'")
    world.save()
    path = world.folder / NAME
    written = json.loads(path.read_text())
    assert written["dagster_version"] == dg.__version__
    path.write_text(json.dumps(written | {"dagster_version": "99.1"}))
    with pytest.raises(
        StackError,
        match=rf"made with Dagster 99\.1, and this release has {re.escape(dg.__version__)}: ",
    ):
        world.restore()


def test_runs_of_then_are_ended_and_hold_no_slot(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").symlink_to(REPOSITORY / "dagster.yaml")
    for name, value in {
        **world.environment,
        "DAGSTER_HOME": str(tmp_path),
        "TWD_MAX_CONCURRENT_RUNS": "4",
        "TWD_COMPUTE_LOG_DIR": str(tmp_path),
        "TWD_ARTIFACT_DIR": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    statuses = {
        dg.DagsterRunStatus.STARTED: dg.DagsterRunStatus.FAILURE,
        dg.DagsterRunStatus.STARTING: dg.DagsterRunStatus.FAILURE,
        dg.DagsterRunStatus.CANCELING: dg.DagsterRunStatus.CANCELED,
        dg.DagsterRunStatus.SUCCESS: dg.DagsterRunStatus.SUCCESS,
    }
    with dg.DagsterInstance.get() as instance:
        for status in statuses:
            run = dg.DagsterRun("training_job", run_id=str(uuid.uuid4()), status=status)
            instance.run_storage.add_run(run)
            if status is dg.DagsterRunStatus.STARTED:
                log = instance.event_log_storage
                [pool] = log.get_pool_limits()
                log.claim_concurrency_slot(pool.name, run.run_id, "step")
                assert log.get_concurrency_info(pool.name).active_run_ids == {run.run_id}
    world.save()
    assert main_of(world, "restore", str(world.folder), "--yes") == 1  # they are in flight now
    world.execute("update public.runs set status = 'SUCCESS'")
    assert main_of(world, "restore", str(world.folder), "--yes") == 0
    with dg.DagsterInstance.get() as instance:
        found = [run.status for run in instance.get_runs(ascending=True)]
        [pool] = instance.event_log_storage.get_pool_limits()
        held = instance.event_log_storage.get_concurrency_info(pool.name)
    assert found == list(statuses.values())
    assert held.active_slot_count == 0


def test_nothing_is_replaced_under_somebody_who_uses_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.save()
    monkeypatch.setattr(metadata_restore, "_LEAVE_WITHIN_SECONDS", 0.1)
    address = world.metadata.render_as_string(hide_password=False)
    with (
        closing(psycopg2.connect(address, application_name="a_reader")),
        pytest.raises(StackError, match=r"a_reader of role postgres from 127\.0\.0\.1"),
    ):
        world.restore()
    _report_as_a_daemon(world, ago=0)
    assert main_of(world, "restore", str(world.folder), "--yes") == 1


@pytest.mark.parametrize("zone", ["UTC", "Asia/Ho_Chi_Minh", "America/New_York"])
def test_a_daemon_is_alive_for_a_minute_after_its_report_whatever_the_zones_of_sessions(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    world.execute(f"alter database {world.metadata.database} set timezone = '{zone}'")
    _report_as_a_daemon(world, ago=30)
    # What libpq asks the server for, over what the database says.
    monkeypatch.setenv("PGTZ", "Asia/Tokyo")
    with (
        pytest.raises(StackError, match=r"reported 3\d s ago"),
        writers_stopped(Home(tmp_path / "home"), world.servers, print),
    ):
        pass
    monkeypatch.delenv("PGTZ")
    _report_as_a_daemon(world, ago=90)
    with writers_stopped(Home(tmp_path / "home"), world.servers, print):
        pass


def _report_as_a_daemon(world: World, ago: int) -> None:
    storage = PostgresRunStorage(
        world.metadata.render_as_string(hide_password=False), should_autocreate_tables=False
    )
    storage.add_daemon_heartbeat(DaemonHeartbeat(time.time() - ago, "SENSOR", "some daemon"))


def test_a_failure_before_the_switch_leaves_everything_as_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.save()
    _change_everything(world)
    changed = world.database(), world.answers(), world.ours.aliases()

    def fail(*_: object) -> None:
        raise StackError("no")

    monkeypatch.setattr(restoring, "make_ready", fail)
    with pytest.raises(StackError):
        world.restore()
    assert (world.database(), world.answers(), world.ours.aliases()) == changed


def test_a_failure_while_filling_leaves_nothing_that_takes_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.save()
    _change_everything(world)
    changed = world.database(), world.index()
    upsert, written = QdrantClient.upsert, []

    def refuse_the_last(client: QdrantClient, name: str, *points: Any, **options: Any) -> Any:
        written.append(name)
        if name == beside(LIVE):
            raise OSError(28, "No space left on device")
        return upsert(client, name, *points, **options)

    monkeypatch.setattr(QdrantClient, "upsert", refuse_the_last)
    with pytest.raises(OSError, match="No space left"):
        world.restore()
    assert set(written) == {PREVIOUS, beside(LIVE)}
    assert (world.database(), world.index()) == changed
    assert not _databases(world, f"{world.metadata.database}_%")


def test_a_failure_after_the_switch_says_that_it_came_so_far(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, index = world.database(), world.index()
    world.save()
    _change_everything(world)
    with monkeypatch.context() as patch:
        patch.setattr(
            QdrantClient, "update_collection_aliases", Mock(side_effect=httpx.ReadTimeout(""))
        )
        with pytest.raises(StackError, match=r"(?s)ReadTimeout.*replaced already.*same folder"):
            world.restore()
    assert world.database() == before
    world.restore()
    assert (world.database(), world.index()) == (before, index)


def test_an_interruption_while_filling_is_told_and_leaves_nothing(world: World) -> None:
    world.save()
    changed = world.index()
    process = world.process("restore", str(world.folder), "--yes")
    assert process.stdout is not None
    assert any(text.startswith("Index") for text in process.stdout)
    process.send_signal(signal.SIGINT)
    assert "Interrupted. Nothing was replaced." in process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert world.index() == changed
    assert not _databases(world, f"{world.metadata.database}_%")


def test_nobody_interrupts_the_switch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before, index = world.database(), world.index()
    world.save()
    _change_everything(world)
    switch = IndexRestore.serve

    def impatient(restore: IndexRestore) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        switch(restore)

    monkeypatch.setattr(IndexRestore, "serve", impatient)
    world.restore()
    assert (world.database(), world.index()) == (before, index)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_after_the_switch_says_so_and_no_backup_is_made_of_it(
    interruption: type[BaseException], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.save()
    with monkeypatch.context() as patch:
        patch.setattr(IndexRestore, "settle", Mock(side_effect=interruption))
        with pytest.raises(StackError, match=r"(?s)interrupted.*replaced already.*same folder"):
            world.restore()
    with pytest.raises(StackError, match=r"_before_restore is still there.*make restore again"):
        save(world.servers, world.folder.with_name("unfinished"), print)
    world.restore()
    save(world.servers, world.folder.with_name("whole"), print)


def test_an_interruption_while_the_stack_starts_again_says_what_had_become_of_the_restore(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def impatient(*_: object) -> Iterator[None]:
        try:
            yield
        finally:
            raise KeyboardInterrupt

    world.save()
    half = StackError("The database was replaced already.")
    monkeypatch.setattr(backup_command, "writers_stopped", impatient)
    monkeypatch.setattr(backup_command, "restore", Mock(side_effect=half))
    monkeypatch.setattr(backup_command, "servers_of", lambda *_: world.servers)
    assert main(["restore", str(world.folder), "--yes"]) == 1
    said = capsys.readouterr().err
    assert "The database was replaced already." in said
    assert "make up" in said
    assert "Nothing was replaced" not in said


def test_after_a_killed_restore_another_backup_can_be_restored(world: World) -> None:
    before, index = world.database(), world.index()
    world.save()
    _change_everything(world)
    process = world.process("restore", str(world.folder), "--yes")
    assert process.stdout is not None
    with process.stdout:
        assert any(text.startswith("Deleting") for text in process.stdout)
        process.kill()
    process.wait()
    assert world.ours.aliases()[ALIAS] == beside(LIVE)
    # A backup would not have what is served; and the next restore must leave it alone till its end.
    with pytest.raises(StackError, match=r"not come to its end.*of the same folder"):
        save(world.servers, world.folder.with_name("unfinished"), print)
    assert not world.folder.with_name("unfinished").exists()
    other = _smaller(world)
    filled: list[Any] = []
    restore(
        world.servers, other, read_manifest(other), lambda _: filled.append(_served(world.client))
    )
    assert set(filled) == {700, 10}
    assert sorted(filled, reverse=True) == filled
    world.restore()
    assert (world.database(), world.index()) == (before, index)


def _smaller(world: World) -> Path:
    """Another backup, in which the index has ten points: made of the one that is there."""
    other = world.folder.with_name("other")
    shutil.copytree(world.folder, other)
    manifest = read_manifest(other)
    collections = []
    for one in manifest.index.collections:
        if one.name == LIVE:
            path = other / one.file.name
            kept = next(read_points(path, 10))
            path.unlink()
            with PointWriter(path) as writer:
                writer.write(
                    models.Record(id=p.id, payload=p.payload, vector=cast("Any", p.vector))
                    for p in kept
                )
            content = writer.content
            one = msgspec.structs.replace(
                one, file=stored_file(path), points=content.points, content=content.digest
            )
        collections.append(one)
    smaller = msgspec.structs.replace(manifest.index, collections=collections)
    write_manifest(other, msgspec.structs.replace(manifest, index=smaller))
    return other


def _served(client: QdrantClient) -> int:
    return client.count(ALIAS).count


def test_a_backup_of_an_index_of_another_name_is_refused(world: World) -> None:
    world.save()
    _change_everything(world)
    changed = world.database(), world.index()
    elsewhere = dataclasses.replace(world.servers, index_alias="another_name")
    with pytest.raises(StackError, match=f"TWD_INDEX_ALIAS.*{LIVE}"):
        restore(elsewhere, world.folder, read_manifest(world.folder), print)
    assert (world.database(), world.index()) == changed


def test_a_database_whose_name_leaves_no_room_for_one_beside_is_left_alone(world: World) -> None:
    manifest = world.save()
    name = world.metadata.database or ""
    long = name + "m" * (63 - len(name))
    of_long = dataclasses.replace(world.servers, metadata=world.metadata.set(database=long))
    with session(world.servers.admin) as cursor:
        cursor.execute(f'create database "{long}" template "{name}"')
        try:
            with pytest.raises(StackError, match="too long for a restore"):
                restore(of_long, world.folder, manifest, print)
            with session(of_long.metadata) as asked:
                asked.execute("select count(*) from twd.notes")
                assert asked.fetchone() == (500,)
        finally:
            cursor.execute(f'drop database if exists "{long}"')


def test_a_program_of_a_killed_restore_that_goes_on_without_it_is_in_nobodys_way(
    world: World,
) -> None:
    before, index = world.database(), world.index()
    world.save()
    half_filled = f"{world.metadata.database}_restoring"
    world.execute(f'create database "{half_filled}"')
    url = world.metadata.set(database=half_filled).render_as_string(hide_password=False)
    with closing(psycopg2.connect(url, application_name="pg_restore")):
        world.restore()
    assert (world.database(), world.index()) == (before, index)


def test_what_postgresql_does_by_itself_is_nobodys_use(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, index = world.database(), world.index()
    world.save()
    monkeypatch.setattr(metadata_restore, "_LEAVE_WITHIN_SECONDS", 0.1)
    workers = (
        "select 1 from pg_stat_activity where backend_type = 'autovacuum worker'"
        f" and datname = '{world.metadata.database}'"
    )
    try:
        world.execute(
            # One page, then a pause of a tenth of a second, and so on: it takes minutes.
            "create table twd.large (id int, text text) with (autovacuum_vacuum_cost_delay = 100,"
            " autovacuum_vacuum_cost_limit = 1, autovacuum_vacuum_threshold = 1)",
            "insert into twd.large select n, repeat('x', 500) from generate_series(1, 20000) n",
            "delete from twd.large where id % 2 = 0",
            "alter system set autovacuum = on",
            "alter system set autovacuum_naptime = '1s'",
            "select pg_reload_conf()",
        )
        deadline = time.monotonic() + 60
        while not world.execute(workers):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        world.restore()
    finally:
        with session(world.servers.admin) as cursor:
            cursor.execute("alter system set autovacuum = off")
            cursor.execute("alter system reset autovacuum_naptime")
            cursor.execute("select pg_reload_conf()")
    assert (world.database(), world.index()) == (before, index)


def test_why_a_restore_failed_is_told_even_if_the_stack_does_not_come_up_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = Mock(services=[SimpleNamespace(name="schema"), SimpleNamespace(name="daemon")])
    stack.wait.side_effect = StackError("schema is not ready after 120 s.")
    monkeypatch.setattr(writers, "Supervisor", Mock())
    monkeypatch.setattr(writers, "started_stack", Mock(return_value=stack))
    home = Home(world.folder)
    with (
        pytest.raises(StackError, match=r"(?s)No room is left.*schema is not ready"),
        writers_stopped(home, world.servers, print),
    ):
        raise StackError("No room is left.")
    stack.wait.side_effect = None
    with (
        pytest.raises(StackError, match=r"^No room is left\.$"),
        writers_stopped(home, world.servers, print),
    ):
        raise StackError("No room is left.")


def test_what_does_not_run_after_a_restore_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("schema", "webserver", "daemon")
    stack = Mock(services=[SimpleNamespace(name=name) for name in names])
    supervisor = Mock()
    supervisor.pid_if_alive.side_effect = lambda name: 0 if name == "daemon" else 1
    monkeypatch.setattr(writers, "Supervisor", Mock(return_value=supervisor))
    monkeypatch.setattr(writers, "started_stack", Mock(return_value=stack))
    with (
        pytest.raises(StackError, match="ended at once: daemon"),
        writers_stopped(Home(world.folder), world.servers, print),
    ):
        pass


def test_rights_on_the_database_are_kept(world: World) -> None:
    name = world.metadata.database
    role = f"reader_{uuid.uuid4().hex[:8]}"
    world.execute(
        f"create role {role}",
        f'revoke connect on database "{name}" from public',
        f'grant connect on database "{name}" to {role}',
        f"grant usage on schema twd to {role}",
        f"grant select on twd.notes to {role}",
    )
    assert world.save().metadata.grantees == [role]
    world.restore()
    question = (
        f"select has_database_privilege('{role}', current_database(), 'connect'),"
        f" has_table_privilege('{role}', 'twd.notes', 'select'),"
        " (select count(*) from pg_database d, aclexplode(d.datacl) a"
        "  where datname = current_database() and grantee = 0 and privilege_type = 'CONNECT')"
    )
    assert world.execute(question) == [(True, True, 0)]
    world.execute(f"drop owned by {role}", f"drop role {role}")
    assert world.execute("select has_schema_privilege('twd', 'usage')") == [(True,)]
    said: list[str] = []
    restore(world.servers, world.folder, read_manifest(world.folder), said.append)
    assert any(f"no role {role}" in text for text in said)


def test_a_server_newer_than_the_programs_is_told_with_the_remedy() -> None:
    with pytest.raises(StackError, match="client programs of PostgreSQL 99"):
        tool_path("pg_dump", 99)


def test_no_limit_of_a_role_or_database_ends_a_backup_or_a_restore(world: World) -> None:
    name = world.metadata.database
    limits = ("statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout")
    world.execute(
        "insert into twd.notes select n, repeat('x', 900) from generate_series(501, 60000) n",
        *(f"alter database \"{name}\" set {limit} = '40ms'" for limit in limits),
    )
    assert world.save().metadata.rows["twd.notes"] == 60_000
    world.restore()


def test_a_server_older_than_the_programs_is_restored(world: World, tmp_path: Path) -> None:
    found = next(Path("/usr/lib/postgresql").glob("1[56]"), None)
    if found is None:
        pytest.skip("No PostgreSQL 15 or 16 is installed in /usr/lib/postgresql.")
    with start_postgres(tmp_path / "data", "secret", installation=found) as server:
        admin = sa.make_url(server.dsn())
        metadata = admin.set(database="meta")
        with session(admin) as cursor:
            cursor.execute("create database meta")
        make_ready(metadata, dg.__version__)
        with session(metadata) as cursor:
            cursor.execute("insert into public.kvs (key, value) values ('cursor', 'seven')")
        older = dataclasses.replace(world.servers, metadata=metadata, admin=admin)
        manifest = save(older, world.folder, print)
        with session(metadata) as cursor:
            cursor.execute("delete from public.kvs")
        restore(older, world.folder, manifest, print)
        with session(metadata) as cursor:
            cursor.execute("select value from public.kvs")
            assert cursor.fetchall() == [("seven",)]


@pytest.mark.parametrize(
    ("refused", "is_whole"),
    [
        (["SET transaction_timeout = 0"], True),
        (["CREATE TABLE twd.notes (id int)"], False),
        (["SET transaction_timeout = 0", "CREATE TABLE twd.notes (id int)"], False),
    ],
)
def test_an_older_server_may_refuse_one_setting_and_nothing_else(
    refused: list[str], is_whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "".join(f"pg_restore: error: no\nCommand was: {one};\n" for one in refused)
    lines += f"pg_restore: warning: errors ignored on restore: {len(refused)}\n"
    program = tmp_path / "pg_restore"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{lines}END\nexit 1\n")
    program.chmod(0o700)
    monkeypatch.setattr(database, "tool_path", Mock(return_value=str(program)))
    url = sa.make_url("postgresql://u:p@127.0.0.1/m")
    with nullcontext() if is_whole else pytest.raises(StackError, match=r"notes \(id int\)"):
        restore_dump(url, 16, tmp_path / "dump", 18)
    with pytest.raises(StackError):
        restore_dump(url, 17, tmp_path / "dump", 18)


def test_an_address_may_hold_blanks_in_its_passwords_and_its_options(
    services: Any, tmp_path: Path
) -> None:
    role = {"username": f"u_{uuid.uuid4().hex[:12]}", "password": "two words + more"}
    admin = sa.make_url(services.postgres)
    url = admin.set(**role).update_query_dict(
        {"options": "-c search_path=app -c work_mem=4MB", "sslpassword": "of a # key"}
    )
    with session(admin) as cursor:
        cursor.execute(f"create role {role['username']} login password '{role['password']}'")
        try:
            with session(url) as asked:
                asked.execute("show search_path")
                assert asked.fetchone() == ("app",)
            run_tool(url, "pg_dump", 1, "--file", str(tmp_path / "dump"))
        finally:
            cursor.execute(f"drop role {role['username']}")


def test_no_password_of_an_address_is_on_a_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, seen = tmp_path / "pg_dump", tmp_path / "seen"
    program.write_text(
        '#!/bin/sh\n{ echo "$@"; stat -c %a "$PGSERVICEFILE"; cat "$PGSERVICEFILE"; } >'
        f" {seen}\necho $PGSERVICE $PGSERVICEFILE\n"
    )
    program.chmod(0o700)
    monkeypatch.setattr(database, "tool_path", Mock(return_value=str(program)))
    run_tool(
        sa.make_url("postgresql://u:canary-1@127.0.0.1/m?sslkey=/k&sslpassword=canary-2%20%23+x"),
        "pg_dump",
        18,
    )
    arguments, mode, section, line = seen.read_text().splitlines()
    assert "canary" not in arguments
    assert "sslkey=/k" in arguments
    assert (mode, section, line) == ("600", "[twd-backup]", "sslpassword=canary-2 # x")


def test_whoever_asks_the_database_in_psql_shows_no_password(
    metadata_dsn: str, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    home.create()
    write_private_json(home.environment_file, {"TWD_METADATA_DSN": metadata_dsn})
    url = sa.make_url(metadata_dsn)
    assert url.password
    done = subprocess.run(
        [sys.executable, "-m", "twd_local.sql_session"],
        env={**os.environ, "TWD_HOME": str(tmp_path)},
        input="\\! cat /proc/$PPID/cmdline\nselect current_database();\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert "psql" in done.stdout
    assert f"\n {url.database}\n" in done.stdout
    assert url.password not in done.stdout


@pytest.mark.parametrize("query", ["sslpassword=canary%0Ax", "sslpassword=canary%20"])
def test_a_password_that_would_be_passed_on_as_another_is_refused(query: str) -> None:
    with pytest.raises(StackError, match=r"127\.0\.0\.1:5432/m has an sslpassword") as raised:
        run_tool(sa.make_url(f"postgresql://u:p@127.0.0.1/m?{query}"), "pg_dump", 1)
    assert "canary" not in str(raised.value)


def test_without_a_stack_both_addresses_are_needed(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="QDRANT_URL is not set"):
        servers_of(Home(tmp_path), {"TWD_METADATA_DSN": "postgresql://u:p@h/m", "QDRANT_URL": ""})
    found = servers_of(
        Home(tmp_path),
        {"TWD_METADATA_DSN": "postgresql://u:secret@h:7/m", "QDRANT_URL": "https://k:v@q/p"},
    )
    assert (found.metadata_place, found.admin.database) == ("h:7/m", "postgres")
    assert found.qdrant_place == "https://q/p"


def test_an_address_that_is_not_the_stacks_is_no_backup_of_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks = {"TWD_METADATA_DSN": "postgresql://u:p@127.0.0.1/m", "QDRANT_URL": "http://127.0.0.1"}
    home = Home(tmp_path)
    home.services.mkdir()
    home.environment_file.touch()
    monkeypatch.setattr(
        servers, "started_stack", Mock(return_value=Mock(environment=stacks, services=[]))
    )
    for given in ({}, stacks, dict.fromkeys(stacks, "")):
        assert servers_of(home, given).qdrant_url == stacks["QDRANT_URL"]
    for name in stacks:
        with pytest.raises(StackError, match=f"{name} is another than the stack .* TWD_HOME="):
            servers_of(home, {name: "postgresql://u:p@production/m"})


def test_names_of_knowledge_bases_are_those_of_the_training_location(world: World) -> None:
    path = REPOSITORY / "locations/training/src/twd_training/knowledge_base/names.py"
    names: dict[str, Any] = {}
    exec(compile(path.read_text(), path.name, "exec"), names)  # noqa: S102 - it imports no other
    knowledge = {names["collection_of"]("sh-op.2_x", part, 12) for part in names["PARTS"]}
    before = world.ours.names()
    for name in knowledge:
        for one in (name, beside(name), f"x{name}"):
            world.client.create_collection(one, vectors_config=PLAIN)
    assert world.ours.names() - before == knowledge
    assert world.ours.left_beside() == {beside(name) for name in knowledge}
    for name in knowledge:
        world.client.delete_collection(f"x{name}")


def test_a_collection_that_has_the_name_of_an_alias_is_left_alone(world: World) -> None:
    world.save()
    _change_everything(world)
    world.client.delete_collection("kb_shop_sql_v5")
    world.client.create_collection("kb_shop_sql", vectors_config=PLAIN)
    changed = world.database(), world.answers()
    try:
        with pytest.raises(StackError, match="names of aliases of the backup: kb_shop_sql"):
            world.restore()
        assert (world.database(), world.answers()) == changed
    finally:
        world.client.delete_collection("kb_shop_sql")
