"""The exporter against a real database: what it tells, what it never tells, and who reads it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
import yaml
from dagster._core.scheduler.instigation import TickStatus
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.drill.proxy import Link
from twd_shared.metrics import reading
from twd_shared.metrics.collector import METRICS, DatabaseCollector
from twd_shared.metrics.dagster_queries import QUERIES
from twd_shared.metrics.model import Query
from twd_shared.metrics.reading import Reader
from twd_shared.metrics.server import make_metrics_server

from ..statements import execute
from .observed_instance import beat, instance_on, run_jobs, tick, write_rows

ROOT = Path(__file__).parents[2]
Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def collector(dsn: str, **options: Any) -> DatabaseCollector:
    return DatabaseCollector(Reader(dsn, "UTC", 900), has_webhook=True, **options)


def scrape(dsn: str, **options: Any) -> Samples:
    """What a scrape gives, by metric and labels; over HTTP, as Prometheus does it."""
    server = make_metrics_server(collector(dsn, **options), "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics") as answer:
            assert answer.status == 200
            return parsed(answer.read().decode())
    finally:
        server.shutdown()
        server.server_close()


def parsed(text: str) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def only(samples: Samples, name: str, /, **labels: str) -> float:
    """The one value of a metric that has these labels."""
    [value] = [
        value for found, value in samples[name].items() if labels.items() <= dict(found).items()
    ]
    return value


@pytest.fixture(scope="module")
def observed_dsn(services: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database in which everything that is measured has happened, on a server far from UTC."""
    from twd_shared.store.migrate import upgrade

    dsn: str = services.database()
    name = sa.make_url(dsn).database
    execute(dsn, f"alter database \"{name}\" set timezone = 'Asia/Ho_Chi_Minh'")
    upgrade(dsn)
    write_rows(dsn)
    with instance_on(dsn, tmp_path_factory.mktemp("dagster")) as instance:
        run_jobs(instance)
        tick(instance, "new_connection_sensor", {60: TickStatus.SKIPPED, 20: TickStatus.SKIPPED})
        tick(instance, "schema_change_sensor", {500: TickStatus.SKIPPED, 10: TickStatus.STARTED})
        beat(instance)
    return dsn


@pytest.fixture(scope="module")
def samples(observed_dsn: str) -> Samples:
    return scrape(observed_dsn)


def test_every_metric_is_exported_and_nothing_else(samples: Samples) -> None:
    assert set(samples) == {metric.name for metric in METRICS}
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    assert set(samples["twd_query_up"].values()) == {1.0}


def test_names_are_of_the_field_and_labels_have_few_values() -> None:
    known = {
        *("location", "job", "status", "kind", "name", "database", "asset", "quantile", "pool"),
        *("daemon", "query", "db_type", "state", "measure"),
    }
    for metric in METRICS:
        assert re.fullmatch(r"(twd|dagster)_[a-z][a-z_]*", metric.name)
        assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket"))
        assert set(metric.labels) <= known


def test_runs_and_queue(samples: Samples) -> None:
    assert only(samples, "dagster_runs_queued") == 1
    assert only(samples, "dagster_runs_in_progress") == 0
    assert 0 <= only(samples, "dagster_queue_oldest_seconds") < 60
    assert (
        only(samples, "dagster_runs", job="training_job", status="QUEUED", location="schema") == 1
    )
    ended = {
        job: only(samples, "dagster_runs_ended_last_day", job=job, status=status)
        for job, status in (("schema_sync_job", "SUCCESS"), ("failing_job", "FAILURE"))
    }
    assert ended == {"schema_sync_job": 1, "failing_job": 1}
    assert 0 < only(samples, "dagster_run_duration_seconds", quantile="0.95") < 60
    assert 0 <= only(samples, "dagster_run_wait_seconds", quantile="0.5") < 60


def test_ticks_and_daemons(samples: Samples) -> None:
    ages = "dagster_last_good_tick_age_seconds"
    assert 20 <= only(samples, ages, name="new_connection_sensor", kind="sensor") < 80
    assert 500 <= only(samples, ages, name="schema_change_sensor") < 560
    assert only(samples, "dagster_tick_interval_seconds", name="schema_change_sensor") == 30
    assert (
        only(
            samples,
            "dagster_ticks_last_hour",
            name="new_connection_sensor",
            location="schema",
            status="skipped",
        )
        == 2
    )
    assert only(samples, "dagster_daemon_heartbeat_age_seconds", daemon="sensor") < 60


def test_pools_and_assets(samples: Samples) -> None:
    assert only(samples, "dagster_pool_slots", pool="ollama") == 3
    assert only(samples, "dagster_pool_slots_used", pool="ollama") == 0
    assert only(samples, "dagster_pool_steps_waiting", pool="ollama") == 0
    assert only(samples, "dagster_asset_age_seconds", asset="schema/schema_embeddings") < 60


def test_an_asset_that_is_only_planned_has_no_age(samples: Samples) -> None:
    assert (("asset", "training/trained_model"),) not in samples["dagster_asset_age_seconds"]


def test_freshness_completeness_and_versions_of_a_database(samples: Samples) -> None:
    found = {
        name: only(samples, f"twd_{name}", database="shop")
        for name in (
            "freshness_status",
            "freshness_objective_met",
            "snapshot_version",
            "index_snapshot_version",
            "index_complete",
            "index_points_expected",
            "index_points_present",
            "knowledge_base_version",
            "knowledge_base_snapshot_version",
            "knowledge_base_held",
        )
    }
    assert list(found.values()) == [1, 1, 3, 3, 1, 12, 11, 2, 3, 0]
    assert samples["twd_freshness_status"].keys() == {(("database", "shop"), ("status", "fresh"))}
    assert 0 <= only(samples, "twd_freshness_age_seconds", database="shop") < 60
    assert only(samples, "twd_freshness_objective_seconds") == 900
    assert only(samples, "twd_connections", db_type="mysql", state="paused") == 1


def test_embedding_throughput(samples: Samples) -> None:
    asset = "schema/schema_embeddings"
    assert only(samples, "twd_embedded_texts_last_hour", asset=asset) == 6
    assert only(samples, "twd_embedding_seconds_last_hour", asset=asset) == 1.5
    assert only(samples, "twd_publications_last_hour", asset=asset) == 1
    assert only(samples, "twd_publications_last_hour", asset="training/trained_model") == 0


def test_alerts_and_measured_days(samples: Samples) -> None:
    assert only(samples, "twd_alerts_undelivered") == 2
    assert 100 <= only(samples, "twd_alerts_oldest_undelivered_seconds") < 160
    assert only(samples, "twd_alerts_refused") == 2
    assert only(samples, "twd_alerts_refused_last_day") == 1
    assert only(samples, "twd_open_failures") == 1
    assert only(samples, "twd_alert_webhook_configured") == 1
    assert only(samples, "twd_analytics_days_missing", measure="usage") == 1
    assert only(samples, "twd_analytics_days_missing", measure="accuracy") == 5
    assert only(samples, "twd_analytics_last_day_timestamp_seconds", measure="usage") % 86400 == 0


# --- when something is missing --------------------------------------------------------------


def test_a_database_that_is_away_is_told_without_its_secrets(capsys: Any) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        away = collector(
            f"postgresql://someone:canary-7f@127.0.0.1:{port}/metadata", keep_seconds=0
        )
        for _ in range(2):
            found = {family.name: family.samples for family in away.collect()}
            assert [sample.value for sample in found["twd_up"]] == [0.0]
            assert found["dagster_runs_queued"] == []
    said = capsys.readouterr()
    assert said.err == "the metadata database was not answered: OperationalError\n"


def test_a_database_that_falls_silent_is_given_up_and_asked_again(
    observed_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_ALL_SECONDS", 2.0)
    address = sa.make_url(observed_dsn)
    sleep = Query("q", "twd", "select pg_sleep(0.2)::text as n", {})
    with closing(Link("metadata", address.port or 5432)) as link:
        dsn = address.set(host="127.0.0.1", port=link.port).render_as_string(hide_password=False)
        reader = Reader(dsn, "UTC", 900)
        silence = threading.Timer(0.8, link.turn, ("silent",))
        silence.start()
        # Before the limit of a statement ends it, the answer is lost.
        assert not reader.read([sleep] * 9).is_up
        silence.join()
        link.turn("fair")
        monkeypatch.setattr(reading, "_ALL_SECONDS", 8.0)
        assert reader.read([sleep]).is_up


def test_before_dagster_made_its_tables_ours_are_told(metadata_dsn: str) -> None:
    found = scrape(metadata_dsn)
    assert only(found, "twd_up") == 1
    assert only(found, "twd_alerts_undelivered") == 0
    assert "dagster_runs_queued" not in found
    assert set(found["twd_query_up"].values()) == {1.0}


def test_an_empty_database_is_up_and_tells_nothing(services: Any) -> None:
    assert set(scrape(services.database())) == {"twd_up", "twd_alert_webhook_configured"}


def test_a_query_that_fails_spoils_no_other(observed_dsn: str, services: Any) -> None:
    name = sa.make_url(services.database()).database
    admin = sa.create_engine(services.postgres, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f'drop database "{name}"')
        source = sa.make_url(observed_dsn).database
        connection.exec_driver_sql(f'create database "{name}" template "{source}"')
    admin.dispose()
    dsn = sa.make_url(observed_dsn).set(database=name).render_as_string(hide_password=False)
    execute(dsn, "drop table daemon_heartbeats")
    found = scrape(dsn)
    assert only(found, "twd_query_up", query="daemons") == 0
    assert sum(found["twd_query_up"].values()) == len(found["twd_query_up"]) - 1


def test_it_only_reads(observed_dsn: str) -> None:
    from twd_shared.metrics.model import Metric, Query

    write = Query("w", "twd", "delete from twd.alerts returning 1 as n", {"n": Metric("n", "n")})
    [answer] = Reader(observed_dsn, "UTC", 900).read([write]).answers.values()
    # 25006 = read_only_sql_transaction
    assert (answer.rows, answer.failure) == (None, "25006")


def test_options_of_the_address_hold_but_for_ours(observed_dsn: str) -> None:
    options = quote("-c work_mem=7MB -c default_transaction_read_only=off")
    told = " || ' ' || ".join(
        f"current_setting('{name}')" for name in ("work_mem", "default_transaction_read_only")
    )
    asked = Reader(f"{observed_dsn}?options={options}", "UTC", 900).read(
        [Query("q", "twd", f"select {told} as told", {})]
    )
    assert asked.answers["q"].rows == [{"told": "7MB on"}]


def test_a_daemon_that_is_no_more_is_not_told_unless_all_are_silent(services: Any) -> None:
    dsn: str = services.database()
    old = "now() - interval '8 days'"
    execute(
        dsn,
        "create table runs (id bigint)",
        "create table daemon_heartbeats (daemon_type text, timestamp timestamp)",
        f"insert into daemon_heartbeats values ('BACKFILL', {old}), ('SENSOR', {old})",
    )
    [query] = [query for query in QUERIES if query.name == "daemons"]

    def told() -> list[str]:
        rows = Reader(dsn, "UTC", 900).read([query]).answers["daemons"].rows or ()
        return sorted(row["daemon"] for row in rows)

    assert told() == ["backfill", "sensor"]
    execute(dsn, "update daemon_heartbeats set timestamp = now() where daemon_type = 'SENSOR'")
    assert told() == ["sensor"]


def test_who_asks_again_within_seconds_gets_what_is_known(observed_dsn: str) -> None:
    now = [0.0]
    known = collector(observed_dsn, clock=lambda: now[0])

    def seconds() -> list[float]:
        families = {family.name: family for family in known.collect()}
        return [sample.value for sample in families["twd_query_seconds"].samples]

    first = seconds()
    now[0] = 4.9
    assert seconds() == first
    now[0] = 5.0
    assert seconds() != first


# --- the process ----------------------------------------------------------------------------


def test_the_process_serves_on_loopback_and_knows_no_dagster(observed_dsn: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = (
        "import runpy, sys, threading\n"
        f"sys.argv = ['metrics', '--port', '{port}']\n"
        "runpy.run_module('twd_shared.metrics', run_name='imported')\n"
        "heavy = {'dagster', 'sqlalchemy', 'qdrant_client', 'httpx'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "runpy.run_module('twd_shared.metrics', run_name='__main__')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "TWD_METADATA_DSN": observed_dsn, "TWD_FRESHNESS_SECONDS": "60"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == f"http://127.0.0.1:{port}/metrics\n"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.read() == b"ok\n"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
        assert only(parsed(text), "twd_freshness_objective_seconds") == 60
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/")
        resident = Path(f"/proc/{process.pid}/status").read_text()
        [kibibytes] = re.findall(r"^VmRSS:\s+(\d+)", resident, re.MULTILINE)
        assert int(kibibytes) < 64 * 1024
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "TWD_METADATA_DSN is not set"),
        ({"TWD_METADATA_DSN": "postgresql://x", "TWD_FRESHNESS_SECONDS": "0"}, "TWD_FRESHNESS"),
        ({"TWD_METADATA_DSN": "postgresql://x", "TWD_TIMEZONE": "Mars"}, "TWD_TIMEZONE"),
    ],
)
def test_a_wrong_setting_is_named(
    environment: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from twd_shared.metrics.__main__ import main

    for name in [name for name in os.environ if name.startswith("TWD_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main([]) == 2
    assert said in capsys.readouterr().err


def test_a_taken_port_is_named(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from twd_shared.metrics.__main__ import main

    monkeypatch.setenv("TWD_METADATA_DSN", "postgresql://x")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["--port", str(taken.getsockname()[1])]) == 2
    assert "Choose another port with --port" in capsys.readouterr().err


# --- who reads it ---------------------------------------------------------------------------


def names_in(expression: str) -> set[str]:
    """The metrics of an expression: names of ours that are no label."""
    return set(re.findall(r"\b(?:twd|dagster)_\w+", re.sub(r"\{[^}]*\}", "", expression)))


def expressions_of(node: Any) -> list[str]:
    """Every query in a dashboard: of panels and of variables."""
    if isinstance(node, dict):
        own = [node["expr"]] if "expr" in node else []
        if node.get("type") == "query":
            own.append(node["query"])
        return own + [found for value in node.values() for found in expressions_of(value)]
    if isinstance(node, list):
        return [found for value in node for found in expressions_of(value)]
    return []


def test_the_dashboard_shows_every_metric_and_no_other(samples: Samples) -> None:
    dashboard = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())
    shown = set().union(*map(names_in, expressions_of(dashboard)))
    assert shown == set(samples)
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    uids = {panel["datasource"]["uid"] for panel in panels if panel["type"] != "row"}
    assert uids == {"${datasource}"}
    assert dashboard["templating"]["list"][0]["type"] == "datasource"
    assert "id" not in dashboard


def test_while_nothing_can_be_asked_the_dashboard_shows_no_zero() -> None:
    dashboard = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())
    made_up = [text for text in expressions_of(dashboard) if "vector(0)" in text]
    assert made_up
    assert all("(vector(0) and on() twd_up == 1)" in text for text in made_up)


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_alert_rules_are_about_metrics_that_are_exported(samples: Samples) -> None:
    prometheus = ROOT / "deploy/prometheus"
    configuration = yaml.safe_load((prometheus / "prometheus.yml").read_text())
    [file] = configuration["rule_files"]
    [group] = yaml.safe_load((prometheus / file).read_text())["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert {
        *("FreshnessObjectiveMissed", "SensorDoesNotTick", "AlertOutboxStuck", "QueueStuck"),
        *("AlertsRefused", "ScheduleFails"),
    } <= set(names)
    assert len(set(names)) == len(names)
    for rule in group["rules"]:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[smh]", rule["for"])
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"]
        assert names_in(rule["expr"])
        assert names_in(rule["expr"]) <= set(samples)
        assert rule["expr"].count("(") == rule["expr"].count(")")
        # A label that a metric does not have is empty in the message, and matches nothing.
        known = {
            label
            for metric in METRICS
            if metric.name in names_in(rule["expr"])
            for label in metric.labels
        }
        told = json.dumps(rule["annotations"])
        assert set(re.findall(r"\$labels\.(\w+)", told)) <= known
        asked = " ".join(re.findall(r"\{([^}]*)\}", rule["expr"]))
        assert set(re.findall(r"(\w+)\s*=", asked)) <= known


def test_the_documentation_lists_every_metric_with_its_labels() -> None:
    text = (ROOT / "docs/observability.md").read_text()
    rows = re.findall(r"^\| `((?:twd|dagster)_\w+)` \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    assert sorted(rows) == sorted(
        (
            metric.name,
            ", ".join(f"`{label}`" for label in metric.labels),
            metric.documentation,
        )
        for metric in METRICS
    )
