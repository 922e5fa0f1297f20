"""Lines of runs as JSON: of a real run in a process of its own, as containers have it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from operator import itemgetter
from pathlib import Path

import pytest
import yaml

from twd_shared.run_logs import FORMAT_VARIABLE, JsonLines

ROOT = Path(__file__).parents[2]
CANARY = "canary-4e/9@1"

PROGRAM = """
import sys
import dagster as dg
from twd_shared.contract import source_databases

@dg.asset(key=["schema", "raw_schema_metadata"], partitions_def=source_databases)
def raw(context):
    context.log.info("Read \\u00fc in 3 s")

@dg.op
def broken(context):
    secret = sys.argv[2]
    context.log.warning(f"not postgresql://reader:{secret}@host:5432/shop, password='{secret}\\"'")
    try:
        raise ValueError(f"driver: {sys.argv[2]}")
    except ValueError as error:
        raise dg.Failure("The source does not answer.") from error

@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def broken_again():
    raise dg.Failure("The index is away.")

@dg.job
def broken_job():
    broken()
    broken_again()

defs = dg.Definitions(
    assets=[raw], jobs=[dg.define_asset_job("schema_import_job", selection=[raw]), broken_job]
)
with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    instance.add_dynamic_partitions("source_databases", ["shop"])
    defs.resolve_job_def("schema_import_job").execute_in_process(
        partition_key="shop", instance=instance, tags={"twd/connection_id": "7"}
    )
    defs.resolve_job_def("broken_job").execute_in_process(instance=instance, raise_on_error=False)
"""


def run(folder: Path, log_format: str) -> subprocess.CompletedProcess[str]:
    logs = (ROOT / "deploy/compose/python-logs.yaml").read_text()
    (folder / "dagster.yaml").write_text(f"telemetry:\n  enabled: false\n{logs}")
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), CANARY],
        env={**os.environ, FORMAT_VARIABLE: log_format},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    done = run(tmp_path_factory.mktemp("json"), "json")
    assert CANARY not in done.stdout
    # People read the same lines on stderr.
    assert "Read ü in 3 s" in done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_line_names_run_job_and_time(lines: list[dict[str, object]]) -> None:
    assert len(lines) > 20
    for line in lines:
        assert {"timestamp", "level", "logger", "event", "run_id", "job"} <= line.keys()
    assert len({line["run_id"] for line in lines}) == 2


def test_a_line_of_a_step_names_asset_partition_and_connection(
    lines: list[dict[str, object]],
) -> None:
    [said] = [line for line in lines if line["event"] == "Read ü in 3 s"]
    assert {key: said[key] for key in said if key not in ("timestamp", "run_id")} == {
        "level": "info",
        "logger": "dagster",
        "event": "Read ü in 3 s",
        "job": "schema_import_job",
        "step": "schema__raw_schema_metadata",
        "assets": ["schema/raw_schema_metadata"],
        "partition": "shop",
        "connection_id": "7",
    }
    [written] = [line for line in lines if line.get("kind") == "ASSET_MATERIALIZATION"]
    assert written["assets"] == ["schema/raw_schema_metadata"]


def test_a_failure_is_told_without_its_cause_and_passwords_are_masked(
    lines: list[dict[str, object]],
) -> None:
    [failed, again] = sorted(
        (line for line in lines if line.get("kind") == "STEP_FAILURE"), key=itemgetter("step")
    )
    assert str(failed["error"]).endswith("Failure: The source does not answer.")
    assert (failed["level"], failed["step"]) == ("error", "broken")
    assert "assets" not in failed
    # Not that it was tried in vain as often as it may be, which Dagster says.
    assert (again["step"], again["error"]) == (
        "broken_again",
        "dagster._core.definitions.events.Failure: The index is away.",
    )
    [warned] = [line for line in lines if line["level"] == "warning"]
    assert str(warned["event"]).startswith(
        "not postgresql://reader:***@host:5432/shop, password=***"
    )


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("POSTGRES_PASSWORD=canary x", "POSTGRES_PASSWORD=*** x"),
        ("sslpassword=canary", "sslpassword=***"),
        ('{"password": "ca\\"nary", "a": 1}', '{"password": ***, "a": 1}'),
        ("{'password': 'ca nary'}", "{'password': ***}"),
        ("host=h password='ca nary' port=1", "host=h password=*** port=1"),
        ("ALTER ROLE r PASSWORD 'canary'", "ALTER ROLE r PASSWORD ***"),
        ("passwd: canary", "passwd: ***"),
        (r"password='it\'s canary' x", "password=*** x"),
        ("password='it''s canary' x", "password=*** x"),
        (r"password=\"canary\" x", "password=*** x"),
        (r"{\"password\": \"ca nary\", \"a\": 1}", r"{\"password\": ***, \"a\": 1}"),
        ("PASSWORD E'ca nary'", "PASSWORD ***"),
        ('password="ca nary', "password=***"),
        ("password='ca nary", "password=***"),
        ('postgresql://u:p"canary@w@h/d', "postgresql://u:***@h/d"),
        ("QDRANT_API_KEY=canary", "QDRANT_API_KEY=***"),
        ("api-key: canary", "api-key: ***"),
        ("password authentication failed", "password authentication failed"),
    ],
)
def test_passwords_are_masked_however_they_are_spelled(said: str, written: str) -> None:
    record = logging.LogRecord("twd", logging.INFO, "", 0, said, None, None)
    assert json.loads(JsonLines().format(record))["event"] == written


def test_without_json_a_run_says_nothing_more_than_before(tmp_path: Path) -> None:
    assert run(tmp_path, "colored").stdout == ""


def test_the_section_is_one_of_dagster_yaml() -> None:
    whole = (ROOT / "dagster.yaml").read_text()
    added = (ROOT / "deploy/compose/python-logs.yaml").read_text()
    assert yaml.safe_load(whole + added) == yaml.safe_load(whole) | yaml.safe_load(added)
