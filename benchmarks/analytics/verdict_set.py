"""Statements as models write them, right and wrong, each labelled by PostgreSQL's own EXPLAIN.

The right ones are the gold SQL of a question set: as written, which is SQLite's, and in
PostgreSQL's quotes. Of the latter every kind of mistake is made once or more.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor

from benchmarks.analytics.verdict_mutations import MUTATIONS
from benchmarks.analytics.verdict_words import Columns, Source, Words, text_of, words_of
from twd_shared.schema_model.models import Column, Table

_SEED = 20
_FILES = ("postgres_ddl.sql", "questions.jsonl")
_LABELS = {
    "42P01": "unknown_table",
    "3F000": "unknown_table",
    "42703": "unknown_column",
    "42702": "ambiguous_column",
    "42601": "syntax",
}
_RESERVED = frozenset(
    "select from where group order by having join on as and or limit in not union intersect except"
    " between like asc desc distinct exists is null left right inner outer case when then else end"
    " count sum avg min max".split()
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A text, the schema that it is asked of, and what was done to it."""

    text: str
    schema: str
    made_by: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """A statement with what PostgreSQL says of it: a verdict, or a SQLSTATE that is none."""

    statement: Statement
    label: str


def is_there(folder: Path) -> bool:
    """Whether the folder holds the question set."""
    return all((folder / name).exists() for name in _FILES)


def ddl_of(folder: Path) -> str:
    """The statements that make the schemas of the set."""
    return (folder / "postgres_ddl.sql").read_text()


def read_schemas(dsn: str) -> dict[str, list[Table]]:
    """The tables of each schema of the loaded database, with their columns."""
    found: defaultdict[str, list[Table]] = defaultdict(list)
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as asking:
        asking.execute(
            "select n.nspname::text, c.relname::text,"
            " array_agg(a.attname::text order by a.attnum),"
            " array_agg(format_type(a.atttypid, a.atttypmod) order by a.attnum)"
            " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
            " where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema')"
            " group by 1, 2 order by 1, 2"
        )
        for schema, name, columns, types in asking.fetchall():
            made = (Column(name=n, type=t) for n, t in zip(columns, types, strict=True))
            found[schema].append(Table(schema=schema, name=name, kind="table", columns=tuple(made)))
    return dict(found)


def statements_of(folder: Path, schemas: Mapping[str, Sequence[Table]]) -> list[Statement]:
    """The gold SQL of the set and what goes wrong with it; none twice."""
    lines = (folder / "questions.jsonl").read_text().splitlines()
    random = Random(_SEED)
    made: dict[tuple[str, str], Statement] = {}
    for item in map(json.loads, lines):
        for statement in _variants(item["gold_sql"], item["db_id"], schemas, random):
            made.setdefault((statement.schema, statement.text), statement)
    return list(made.values())


def labelled(dsn: str, statements: Sequence[Statement]) -> list[Labelled]:
    """Each statement with PostgreSQL's answer to EXPLAIN of it."""
    found: list[Labelled] = []
    with closing(psycopg2.connect(dsn)) as connection:
        connection.set_session(readonly=True, autocommit=True)
        with connection.cursor() as asking:
            for statement in statements:
                path = sql.SQL("set search_path to {}").format(sql.Identifier(statement.schema))
                asking.execute(path)
                found.append(Labelled(statement, _answer(asking, statement.text)))
    return found


def _answer(asking: cursor, text: str) -> str:
    try:
        asking.execute(f"EXPLAIN {text}")
    except psycopg2.Error as error:
        return _LABELS.get(error.pgcode or "", error.pgcode or type(error).__name__)
    return "valid"


def _variants(
    gold: str, schema: str, schemas: Mapping[str, Sequence[Table]], random: Random
) -> Iterator[Statement]:
    yield Statement(gold, schema, "gold as written")
    columns = {table.name: [one.name for one in table.columns] for table in schemas[schema]}
    words = _in_quotes(words_of(gold), columns)
    yield Statement(text_of(words), schema, "gold")
    other = random.choice([name for name in sorted(schemas) if name != schema])
    for mutation in MUTATIONS:
        text = mutation(Source(words, columns, schema, other, random))
        if text:
            yield Statement(text, schema, mutation.__name__)


def _in_quotes(words: Words, columns: Columns) -> Words:
    """The words as PostgreSQL needs them: names in the case of the schema, strings as strings."""
    tables = {name.lower(): name for name in columns}
    aliases = _aliases(words, tables)
    used = [tables[name] for name in aliases.values()]
    made: Words = []
    for place, word in enumerate(words):
        before = words[place - 1].lower() if place else ""
        after = words[place + 1] if place + 1 < len(words) else ""
        low = word.lower()
        if word.startswith('"'):
            made.append("'" + word[1:-1].replace("'", "''") + "'")
        elif low in _RESERVED or not word[0].isalpha() or after == "(" or before == "as":
            made.append(word)
        elif before in ("from", "join") and low in tables:
            made.append(f'"{tables[low]}"')
        elif before == ".":
            owner = aliases.get(words[place - 2].lower())
            made.append(_column(low, [tables[owner]] if owner else used, columns) or word)
        elif after == "." and low in tables and low in aliases.values():
            made.append(f'"{tables[low]}"')
        else:
            made.append(_column(low, used, columns) or word)
    return made


def _aliases(words: Words, tables: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for place, word in enumerate(words[:-1]):
        table = words[place + 1].lower()
        if word.lower() in ("from", "join") and table in tables:
            found[table] = table
            if place + 3 < len(words) and words[place + 2].lower() == "as":
                found[words[place + 3].lower()] = table
    return found


def _column(name: str, tables: Sequence[str], columns: Columns) -> str | None:
    for table in tables:
        for column in columns[table]:
            if column.lower() == name:
                return f'"{column}"'
    return None
