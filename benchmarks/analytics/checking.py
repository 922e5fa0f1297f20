"""Ten thousand statements parsed and held against a snapshot, against parsing in Python alone."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import psycopg2
import sqlglot

from benchmarks.analytics.sources import snapshot_of
from twd_analytics.generated_sql.book import SqlBook
from twd_shared.sql.grammar import PostgresGrammar

STATEMENTS = 10_000
ROUNDS = 3

_TYPES: dict[str, str] = dict.fromkeys(("1", "2", "3"), "postgresql")

# Reads texts as JSON, parses each, says how long that took and where sqlglot is from.
_PURE = """
import json, sys, time
import sqlglot
texts = json.load(sys.stdin)
started = time.perf_counter()
for text in texts:
    try:
        sqlglot.parse(text, dialect="postgres")
    except sqlglot.errors.SqlglotError:
        pass
print(json.dumps([time.perf_counter() - started, sqlglot.parser.__file__]))
"""


@dataclass(frozen=True, slots=True)
class Checking:
    """Seconds: ours, and of parsing alone by the library as it is written in Python."""

    ours: float
    pure: float
    shapes: int


def measure(dsn: str) -> Checking:
    """Check distinct statements of the application at `dsn`."""
    texts = _statements(dsn)
    kinds = pl.DataFrame(
        {"connection_id": [owner for owner, _ in texts], "sql": [sql for _, sql in texts]}
    ).with_columns(
        pl.col("connection_id", "sql").cast(pl.Categorical),
        schema_version=pl.lit(1, pl.Int32),
    )
    ours: list[float] = []
    shapes = 0
    with PostgresGrammar(dsn) as grammar:
        for _ in range(ROUNDS):
            book = SqlBook(snapshot_of, _TYPES, grammar.refused)
            started = time.perf_counter()
            book.enter(kinds)
            ours.append(time.perf_counter() - started)
            shapes = len(book.facts)
    return Checking(
        statistics.median(ours),
        statistics.median(_pure([sql for _, sql in texts]) for _ in range(ROUNDS)),
        shapes,
    )


def _statements(dsn: str) -> list[tuple[str, str]]:
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select connection_id::text, sql_query from messages"
            " where sql_query ~ '\\S' and connection_id is not null and sql_query !~ '```'"
            " group by 1, 2 order by md5(sql_query) limit %s",
            (STATEMENTS,),
        )
        return [(owner, sql) for owner, sql in cursor.fetchall()]


def _pure(texts: list[str]) -> float:
    """Seconds of parsing by a copy of the library without its compiled modules."""
    installed = Path(sqlglot.__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(
            installed,
            Path(folder) / "sqlglot",
            ignore=shutil.ignore_patterns("*.so", "__pycache__"),
        )
        done = subprocess.run(
            [sys.executable, "-c", _PURE],
            input=json.dumps(texts),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={"PYTHONPATH": folder},
        )
    seconds, where = json.loads(done.stdout)
    if not where.endswith(".py"):
        raise RuntimeError(f"the peer is compiled too: {where}")
    return seconds
