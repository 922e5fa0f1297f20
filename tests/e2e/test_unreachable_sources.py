"""Sources that fail in every way a driver can fail: nothing of a password is told anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg2
import pytest

from .conftest import READER, RunningStack, until

pytestmark = pytest.mark.e2e

# Of a length that nothing else has by chance, and with what an address must escape.
CANARIES = {
    "wrong_password": "cnry-8f1d-wrong",
    "nobody_listens": "cnry-8f1d-nobody",
    "no_such_host": "cnry-8f1d-host",
    "no_such_database": "cnry-8f1d-base",
    "another_protocol": "cnry-8f1d-http",
    "unsafe_option": "cnry-8f1d-option",
    "escaped": "cnry-8f1d%40%2Fescaped",
    "another_type": "cnry-8f1d-type",
    "not_an_address": "cnry-8f1d-none",
    "sealed": "cnry-8f1d-sealed",
}
_MARK = "cnry-8f1d"

_RUNS = """
query { runsOrError(limit: 500) { ... on Runs { results {
  runId status runConfigYaml tags { key value }
} } } }
"""
_EVENTS = """
query ($run: ID!) { logsForRun(runId: $run, limit: 1000) { ... on EventConnection {
  events { ... on MessageEvent { message } ... on ErrorEvent { error { message stack } } }
} } }
"""
_AUTOMATION = """
query { workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError {
  ... on RepositoryLocation { repositories {
    allTopLevelResourceDetails { name configuredValues { key value type } }
    sensors { name sensorState { ticks(limit: 50) {
      status skipReason error { message stack } logEvents { events { message } }
    } } }
  } }
} } } } }
"""


@pytest.fixture(scope="module")
def failing(running: RunningStack) -> set[str]:
    """The sources, connected; each was tried and failed at least once."""
    postgres = urlsplit(running.admin)
    api = urlsplit(running.stack.environment["TWD_API_URL"])
    here = f"127.0.0.1:{postgres.port}"
    canary = CANARIES
    strings = {
        "wrong_password": f"postgresql://{READER}:{canary['wrong_password']}@{here}/postgres",
        "nobody_listens": f"postgresql://u:{canary['nobody_listens']}@127.0.0.1:1/shop",
        "no_such_host": f"postgresql://u:{canary['no_such_host']}@nowhere.invalid/shop",
        "no_such_database": f"postgresql://{READER}:{canary['no_such_database']}@{here}/none",
        "another_protocol": f"postgresql://u:{canary['another_protocol']}@127.0.0.1:{api.port}/x",
        "unsafe_option": f"postgresql://u:{canary['unsafe_option']}@{here}/x?sslkey=/etc/passwd",
        "escaped": f"postgresql://{READER}:{canary['escaped']}@{here}/postgres",
        "another_type": f"mysql://u:{canary['another_type']}@127.0.0.1:1/x",
        "not_an_address": f"postgresql://u:{canary['not_an_address']}@[::1/x:y",
        "sealed": f"fernet:{canary['sealed']}",
    }
    with httpx.Client(base_url=running.stack.environment["TWD_API_URL"]) as client:
        for name, text in strings.items():
            answer = client.post(
                "/text-to-data/connections",
                json={
                    "database_name": name,
                    "connection_string": text,
                    "db_type": "mysql" if text.startswith("mysql") else "postgresql",
                },
            )
            assert answer.status_code in (201, 400, 422), answer.text
            assert _MARK not in answer.text or answer.status_code == 201
    connected = {
        item["database_name"]
        for item in httpx.get(
            f"{running.stack.environment['TWD_API_URL']}/text-to-data/connections"
        ).json()["connections"]
    } & set(strings)
    # What cannot even be opened is told by the sensor, and no run is made of it.
    tried = connected - {"sealed"}

    for name in sorted(tried):
        until(
            lambda name=name: any(run["status"] == "FAILURE" for run in running.runs(name)),
            f"an import of {name} has failed",
            180,
        )
    return connected


def test_each_failure_is_explained_with_its_remedy(
    running: RunningStack, failing: set[str]
) -> None:
    with _metadata(running) as cursor:
        cursor.execute(
            "select database_name, status_reason from twd.connections where status = 'failing'"
        )
        reasons = dict(cursor.fetchall())
    assert set(reasons) >= failing - {"sealed"}
    assert all(len(reason) > 20 for reason in reasons.values()), reasons


def test_no_password_is_in_any_table_of_ours(running: RunningStack, failing: set[str]) -> None:
    with _metadata(running) as cursor:
        cursor.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_schema in ('public', 'twd') and table_type = 'BASE TABLE'"
        )
        found = [
            f"{schema}.{table}"
            for schema, table in cursor.fetchall()
            if _holds_a_canary(cursor, schema, table)
        ]
    assert found == []


def test_no_password_is_in_any_log_or_output(running: RunningStack, failing: set[str]) -> None:
    folders = (running.home.logs, running.stack.environment["TWD_COMPUTE_LOG_DIR"])
    files = [path for folder in folders for path in Path(folder).rglob("*") if path.is_file()]
    assert files
    # The server's own log tells what it refused, as any PostgreSQL does; it gets no password.
    assert [str(path) for path in files if _MARK.encode() in path.read_bytes()] == []


def test_no_password_is_in_any_answer_of_the_ui(running: RunningStack, failing: set[str]) -> None:
    runs = running.api.ask(_RUNS)["runsOrError"]["results"]
    assert any(run["status"] == "FAILURE" for run in runs)
    told: list[Any] = [runs, running.api.ask(_AUTOMATION)]
    told += [running.api.ask(_EVENTS, run=run["runId"]) for run in runs]
    text = json.dumps(told)
    assert "failed" in text, "something was told"
    assert _MARK not in text
    assert running.stack.environment["TWD_METADATA_DSN"] not in text


def test_no_password_is_in_the_index(running: RunningStack, failing: set[str]) -> None:
    url = running.stack.environment["QDRANT_URL"]
    names = [one["name"] for one in _asked(url, "/collections")["collections"]]
    for name in names:
        points = _asked(
            url,
            f"/collections/{name}/points/scroll",
            {"limit": 10_000, "with_payload": True, "with_vector": False},
        )["points"]
        assert _MARK not in json.dumps(points)


def _asked(url: str, path: str, body: dict[str, Any] | None = None) -> Any:
    answer = httpx.get(f"{url}{path}") if body is None else httpx.post(f"{url}{path}", json=body)
    return answer.raise_for_status().json()["result"]


@contextmanager
def _metadata(running: RunningStack) -> Iterator[Any]:
    """A cursor on the metadata database."""
    dsn = running.stack.environment["TWD_METADATA_DSN"]
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        yield cursor


def _holds_a_canary(cursor: Any, schema: str, table: str) -> bool:
    cursor.execute(
        f'select exists (select from "{schema}"."{table}" t where t::text like %s)', (f"%{_MARK}%",)
    )
    return cursor.fetchone()[0]
