"""How fast a schema is read and saved: `python -m benchmarks.extraction [--server FOLDER]`.

On a server of its own, ours takes turns with pg_dump, and with psql that does nothing but ask the
same queries. `--server` names the installation of another release, as pg_dump is not the same in
all: before 18 it asks for each sequence by itself, which far away takes most of its time. The
targets are those of 10,000 tables, and of a tenth of them where two sizes are compared or the
server is far away; another number is for trying the benchmark itself.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import psycopg2

from benchmarks.distance import DistantServer
from benchmarks.extraction_report import Results, figures, report
from benchmarks.extraction_rounds import Contestants, Times, run_in_schema
from benchmarks.figures import say
from benchmarks.realistic_schema import realistic_schema
from benchmarks.servers import libpq_environment, make_database, own_server
from twd_local.postgres import RunningPostgres, ensure_database
from twd_shared.settings import METADATA_DSN

_ROUNDS = 5
_ROUND_TRIP_SECONDS = 0.005
_SMALLEST = 100


def main(arguments: Sequence[str]) -> int:
    """Prepare, measure, report; 1 if a figure is short of its target, else 0."""
    parser = argparse.ArgumentParser(prog="benchmarks.extraction")
    parser.add_argument(
        "--tables", type=int, default=10_000, help="at least 100; default: %(default)s"
    )
    parser.add_argument(
        "--server",
        type=Path,
        metavar="FOLDER",
        help="a PostgreSQL installation (/usr/lib/postgresql/15); default: the stack's own",
    )
    options = parser.parse_args(arguments)
    tables: int = options.tables
    if tables < _SMALLEST:
        parser.error(f"--tables {tables} is too few to measure anything; give {_SMALLEST} or more")
    if options.server and not (options.server / "bin/pg_dump").is_file():
        parser.error(f"--server {options.server} has no bin/pg_dump; name an installation's folder")
    # Told to end, it still stops its server and deletes its folder.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with own_server(options.server) as server:
        results = _measure(server, tables)
    print(report(results), end="\n\n")
    return say(figures(results))


def _measure(server: RunningPostgres, tables: int) -> Results:
    large, small = (_realistic_database(server, count) for count in (tables, tables // 10))
    contestants = Contestants(server.locations.bin_dir, server.locations.major)
    times = (Times(), Times(), Times())
    with DistantServer(server.port, _ROUND_TRIP_SECONDS) as proxy:
        round_trip_seconds = _round_trip_seconds(small, proxy.port)
        environments = [
            libpq_environment(large),
            libpq_environment(small),
            libpq_environment(small, proxy.port),
        ]
        for number in range(_ROUNDS):
            _tell(f"round {number + 1} of {_ROUNDS}")
            for environment, taken in zip(environments, times, strict=True):
                contestants.add_round(environment, taken)
    _tell("saving the snapshot")
    ensure_database(server.dsn(), "metadata")
    saving = run_in_schema(
        "benchmarks.snapshot_saving",
        str(_ROUNDS),
        environment=environments[0] | {METADATA_DSN.name: server.dsn("metadata")},
    )
    return Results(tables, *times, round_trip_seconds, _ROUNDS, json.loads(saving))


def _realistic_database(server: RunningPostgres, tables: int) -> str:
    started = time.perf_counter()
    dsn = make_database(server, f"realistic_{tables}", realistic_schema(tables))
    _tell(f"made a database of {tables} tables in {time.perf_counter() - started:.0f} s")
    return dsn


def _round_trip_seconds(dsn: str, port: int) -> float:
    """The median time of a statement that does nothing, through that port."""
    times = []
    with closing(psycopg2.connect(dsn, port=port)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for _ in range(20):
            started = time.perf_counter()
            cursor.execute("select 1")
            times.append(time.perf_counter() - started)
    return statistics.median(times)


def _tell(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
