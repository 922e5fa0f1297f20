"""Facts of many texts: each kind of text is looked into once in a run, or seldom more often."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence

import polars as pl

from twd_analytics.generated_sql.facts import (
    NO_SQL,
    NOT_PARSED,
    TAKEN,
    UNREADABLE,
    SqlFacts,
    facts_of,
)
from twd_analytics.generated_sql.keys import keys_of
from twd_analytics.messages.moments import NO_VERSION
from twd_shared.garbage import frozen_heap
from twd_shared.schema_model.models import Snapshot
from twd_shared.sql.names import SchemaNames
from twd_shared.sql.sqlite_grammar import refused_by_sqlite

_OWN = ("connection_id", "schema_version", "key")
_Key = tuple[str, int, str | None]

# What is kept from day to day, some 100 and 200 MiB of it. A run measures a hundred days, of any
# number of connections, and each version of each schema is of its own.
_MOST_COLUMNS = 250_000
_MOST_FACTS = 100_000
# Of what the parser does not take only that is sent to a server which may be SQL: no prose.
_MAY_BE_SQL = re.compile(
    r"[\s(]*(?:select|with|values|table|insert|update|delete|merge)\b", re.IGNORECASE
)

Grammar = Callable[[Sequence[str], str], Collection[int]]
"""Gives the places of the texts that are no SQL of a PostgreSQL server's, by its version.

'' = the version is not known, as long as there is no snapshot.
"""


class SqlBook:
    """The facts of the SQL that was met; entries are numbered from 0, until the next are made."""

    def __init__(
        self,
        snapshot_of: Callable[[str, int], Snapshot],
        db_types: Mapping[str, str],
        grammar: Grammar,
    ) -> None:
        """`snapshot_of` gives a connection's snapshot by version; `db_types`: connection → type."""
        self.facts: list[SqlFacts] = []
        self._snapshot_of = snapshot_of
        self._db_types = db_types
        self._grammar = grammar
        self._entries: dict[_Key, int] = {}
        self._names: dict[tuple[str, int], SchemaNames] = {}
        self._server_versions: dict[tuple[str, int], str] = {}
        self._columns = 0

    def enter(self, kinds: pl.DataFrame) -> pl.DataFrame:
        """The rows with `entry`, the number of their facts; null where `sql` is.

        Rows have connection_id, schema_version (0 = not known) and sql. Entries of before may mean
        nothing any more.
        """
        if len(self.facts) > _MOST_FACTS:
            self.facts.clear()
            self._entries.clear()
        texts = (
            kinds.filter(pl.col("sql").is_not_null())
            .select("connection_id", "schema_version", "sql")
            .unique()
        )
        texts = texts.with_columns(key=keys_of(texts, self._db_types))
        keys = texts.select(_OWN).unique()
        rows = keys.rows()
        self._learn(rows)
        numbers = keys.with_columns(
            entry=pl.Series([self._entries[row] for row in rows], dtype=pl.UInt32)
        )
        known = texts.join(numbers, on=_OWN, nulls_equal=True).drop("key")
        return kinds.join(known, on=["connection_id", "schema_version", "sql"], how="left")

    def _learn(self, keys: Sequence[_Key]) -> None:
        # One version after the other: its names may be let go of when the next ones are needed.
        new = sorted((key for key in keys if key not in self._entries), key=lambda key: key[:2])
        with frozen_heap():
            found = [self._facts(*key) for key in new]
        asked: dict[str, list[int]] = {}
        of_sqlite: list[int] = []
        for place, (owner, version, key) in enumerate(new):
            db_type = self._db_types.get(owner)
            if db_type == "sqlite" and found[place].parses:
                of_sqlite.append(place)
            if key is None or db_type != "postgresql":
                continue
            if found[place].parses:
                server_version = self._server_versions.get((owner, version), "")
                asked.setdefault(server_version, []).append(place)
            elif found[place] is UNREADABLE and _MAY_BE_SQL.match(key):
                # What neither takes is no SQL, be the source of a newer release than that server.
                asked.setdefault("", []).append(place)
        for server_version, places in asked.items():
            texts = [new[place][2] or "" for place in places]
            refused = self._grammar(texts, server_version)
            for number, place in enumerate(places):
                if number in refused:
                    found[place] = NO_SQL
                elif found[place] is UNREADABLE:
                    found[place] = TAKEN
        refused = refused_by_sqlite([new[place][2] or "" for place in of_sqlite])
        for number in refused:
            found[of_sqlite[number]] = NO_SQL
        for key, facts in zip(new, found, strict=True):
            self._entries[key] = len(self.facts)
            self.facts.append(facts)

    def _facts(self, connection_id: str, version: int, key: str | None) -> SqlFacts:
        if key is None:
            return NOT_PARSED
        db_type = self._db_types.get(connection_id, "")
        return facts_of(key, db_type, self._names_of(connection_id, version))

    def _names_of(self, connection_id: str, version: int) -> SchemaNames | None:
        if version == NO_VERSION:
            return None
        key = (connection_id, version)
        if key not in self._names:
            snapshot = self._snapshot_of(*key)
            self._server_versions[key] = snapshot.server_version
            names = SchemaNames(snapshot.dialect, snapshot.relations)
            while self._names and self._columns + names.columns > _MOST_COLUMNS:
                self._columns -= self._names.pop(next(iter(self._names))).columns
            self._names[key] = names
            self._columns += names.columns
        return self._names[key]
