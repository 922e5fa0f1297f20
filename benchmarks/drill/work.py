"""What the stack is doing when a fault strikes: an import, a sync or a training."""

from __future__ import annotations

from contextlib import closing
from random import Random

import psycopg2

from benchmarks.drill.rig import Rig
from benchmarks.drill.truth import Source

KINDS = ("import", "sync", "training")
_SAMPLES = ("chinook", "northwind")
_ADDED_PREFIX = "drilled_"
_ADDED = """
select table_name, column_name from information_schema.columns
where table_schema = 'public' and starts_with(column_name, 'drilled_') order by 1, 2
"""
_TABLES = """
select table_name from information_schema.tables
where table_schema = 'public' and table_type = 'BASE TABLE' order by 1
"""
_PAIR = """
insert into training_data (connection_id, kind, question, content)
values (%s, 'question_sql', %s, %s)
"""


def begin(kind: str, rig: Rig, sources: list[Source], number: int, random: Random) -> Source:
    """Give the stack something to do; returns the source that it is about."""
    if kind == "import":
        name = f"drill_{number}"
        source = Source(name, rig.connect(random.choice(_SAMPLES), name))
        sources.append(source)
        return source
    source = random.choice(sources)
    if kind == "sync":
        _change(rig, source, number, random)
    else:
        _teach(rig, source, number)
    return source


def _change(rig: Rig, source: Source, number: int, random: Random) -> None:
    """Add a column, or drop one that was added before, which breaks what may use it."""
    added = _rows(rig.database(source.name), _ADDED)
    if added and random.random() < 0.5:
        table, column = random.choice(added)
        change = f'alter table public."{table}" drop column "{column}"'
    else:
        [table] = random.choice(_rows(rig.database(source.name), _TABLES))
        change = f'alter table public."{table}" add column {_ADDED_PREFIX}{number} date'
    _execute(rig.database(source.name), change)
    source.schemas += 1


def _teach(rig: Rig, source: Source, number: int) -> None:
    """Write a question with its SQL, as a user of the application does."""
    question = f"How many rows of round {number} are there?"
    [table] = _rows(rig.database(source.name), _TABLES)[0]
    answer = f'select count(*), {number} from "{table}"'  # noqa: S608 - a table of ours
    _execute(rig.application, _PAIR, source.connection_id, question, answer)
    source.questions.append(question)


def _rows(dsn: str, query: str) -> list[tuple[str, ...]]:
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def _execute(dsn: str, statement: str, *values: str) -> None:
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        connection.commit()
