"""One database of a thousand tables in one schema, made from many small ones.

Each small database becomes a module of the large one: its tables keep their columns and foreign
keys and carry its name in front, as tables of large applications do. What is missing to the
thousand is made up from the words and columns of the others, so that it competes with them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import msgspec

from benchmarks.retrieval.dataset import Question
from twd_shared.schema_model.models import ForeignKey, Table
from twd_shared.schema_model.wording import words

TABLES = 1000
SCHEMA = "public"


def large_database(databases: Mapping[str, tuple[Table, ...]]) -> list[Table]:
    """A thousand tables, or as many as there are if those are more; the same in each run."""
    tables = [
        _moved(table, database) for database, members in databases.items() for table in members
    ]
    chance = random.Random(1000)
    modules = list(databases)
    taken = {table.name for table in tables}
    while len(tables) < TABLES:
        module = chance.choice(modules)
        made = _made_up(module, databases[module], tables, chance)
        if made.name not in taken:
            taken.add(made.name)
            tables.append(made)
    return tables


def asked_of_large(question: Question) -> Question:
    """The question as it is asked of the large database."""
    return Question(
        text=question.text,
        synonyms=question.synonyms,
        database=SCHEMA,
        tables=frozenset(_name(question.database, name).lower() for name in question.tables),
        language=question.language,
    )


def _name(database: str, table: str) -> str:
    return f"{database}_{table}"


def _moved(table: Table, database: str) -> Table:
    return msgspec.structs.replace(
        table,
        schema=SCHEMA,
        name=_name(database, table.name),
        foreign_keys=tuple(
            msgspec.structs.replace(
                key,
                referenced_schema=SCHEMA,
                referenced_table=_name(database, key.referenced_table),
            )
            for key in table.foreign_keys
        ),
    )


def _made_up(
    module: str, members: tuple[Table, ...], tables: list[Table], chance: random.Random
) -> Table:
    """A table of `module` with the words of two other tables and columns of several."""
    first, second, third = chance.sample(tables, 3)
    parts = [chance.choice(words(table.name).split()) for table in (first, second)]
    columns = {
        column.name.lower(): column
        for table in (first, second, third)
        for column in chance.sample(table.columns, min(3, len(table.columns)))
    }
    target = chance.choice(members)
    keys: tuple[ForeignKey, ...] = ()
    if target.primary_key and len(target.primary_key.columns) == 1:
        column = next(c for c in target.columns if c.name == target.primary_key.columns[0])
        columns[column.name.lower()] = column
        keys = (
            ForeignKey(
                name=None,
                columns=(column.name,),
                referenced_schema=SCHEMA,
                referenced_table=_name(module, target.name),
                referenced_columns=(column.name,),
            ),
        )
    return Table(
        schema=SCHEMA,
        name=_name(module, "_".join(parts)),
        kind="table",
        columns=tuple(columns.values()),
        foreign_keys=keys,
    )
