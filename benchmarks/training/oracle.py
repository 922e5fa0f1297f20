"""What PostgreSQL itself says of a statement: whether it can be planned, and what exactly it reads.

A view made of the statement depends on just the columns and functions that the statement names,
by their numbers, whatever they are called. So two databases that are copies of each other tell
whether a name still means the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import psycopg2

from benchmarks.training.catalog_reading import Database
from benchmarks.training.pairs import without_stars

Named = tuple[Literal["column", "routine", "label"], int, int]
"""A relation's id with a column's number (0 = itself), a routine's id, or a label's."""

_NAMES = """
select 'column', c.oid::int8, coalesce(a.attnum, 0)::int,
       format('%I.%I', n.nspname, c.relname) || coalesce('.' || a.attname, '')
from pg_class c join pg_namespace n on n.oid = c.relnamespace
cross join lateral (
    select attnum, attname::text from pg_attribute where attrelid = c.oid and not attisdropped
    union all select null, null
) a
where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
  and c.relkind in ('r', 'p', 'v', 'm')
union all
select 'routine', p.oid::int8, 0, p.oid::regprocedure::text from pg_proc p
where p.pronamespace <> 'pg_catalog'::regnamespace
union all
select 'label', e.oid::int8, 0, e.enumtypid::regtype::text || ' ' || e.enumlabel from pg_enum e
"""
_DEPENDENCIES = """
select distinct case d.refclassid when 'pg_class'::regclass then 'column' else 'routine' end,
       d.refobjid::int8, d.refobjsubid::int
from pg_rewrite r
join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
where r.ev_class = 'pg_temp.asked'::regclass and d.refobjid <> r.ev_class
  and d.refclassid in ('pg_class'::regclass, 'pg_proc'::regclass)
"""


_TREE = "select ev_action::text from pg_rewrite where ev_class = 'pg_temp.asked'::regclass"
# What stands at which place: relations, and columns of them. Not functions: where a column has
# another type now, the server may merely choose another one for the same operator.
_PLACE = re.compile(r":(relid \d+|varno \d+ :varattno -?\d+)")
_ALL_OF_A_JOIN = " :joinaliasvars "


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement reads, and in which order; an error instead if it cannot be planned."""

    reads: frozenset[Named] = frozenset()
    places: tuple[str, ...] = ()
    error: str = ""


class Oracle:
    """Answers for one database as it is now."""

    def __init__(self, database: Database) -> None:
        """`database` is in autocommit, with the search path that users have."""
        self._database = database
        with database.cursor() as cursor:
            cursor.execute("reset search_path")
            cursor.execute(_NAMES)
            self.names: dict[Named, str] = {tuple(row[:3]): row[3] for row in cursor.fetchall()}
        self._labels = {
            name.partition(" ")[2]: key for key, name in self.names.items() if key[0] == "label"
        }

    def ask(self, sql: str) -> Answer:
        """Plan the statement, and find what it reads."""
        with self._database.cursor() as cursor:
            try:
                cursor.execute("begin read only")
                cursor.execute(f"explain {sql}")
                cursor.execute("rollback")
                cursor.execute("begin")
                cursor.execute(
                    f"create temp view asked as select 1 as one from ({without_stars(sql)}) as rows"
                )
                cursor.execute(_DEPENDENCIES)
                found: list[tuple[Any, ...]] = cursor.fetchall()
                cursor.execute(_TREE)
                [(tree,)] = cursor.fetchall()
            except psycopg2.Error as error:
                return Answer(error=str(error).splitlines()[0])
            finally:
                cursor.execute("rollback")
        texts = re.findall(r"'([^']*)'", sql)
        labels = {self._labels[text] for text in texts if text in self._labels}
        places = tuple(_PLACE.findall(_as_written(tree)))
        return Answer(frozenset({*(tuple(row) for row in found), *labels}), places)


class Comparison:
    """One database before and after a change: what is what.

    A thing that is gone and has a successor of its name counts as restored.
    """

    def __init__(self, before: Oracle, after: Oracle) -> None:
        """`after` may be of a copy: a copy has the same numbers."""
        self._after = after
        by_name = {name: key for key, name in before.names.items() if key not in after.names}
        self._restored = {
            key: by_name[name]
            for key, name in after.names.items()
            if key not in before.names and name in by_name
        }
        self._names = before.names | after.names

    def fault(self, sql: str, was: Answer) -> str:
        """Why `sql` is now no statement that reads what `was` read; '' if it is one."""
        now = self._after.ask(sql)
        if now.error:
            return now.error
        reads = {self._restored.get(key, key) for key in now.reads}
        if reads == was.reads:
            # What was made again has other numbers; else each name must mean what it meant.
            is_as_before = now.reads != was.reads or now.places == was.places
            return "" if is_as_before else "reads the same, but not at the same places"
        lost, found = was.reads - reads, reads - was.reads
        return f"reads besides: {self._told(found)}; no more: {self._told(lost)}"

    def _told(self, keys: frozenset[Named] | set[Named]) -> str:
        return ", ".join(sorted(self._names.get(key, str(key)) for key in keys)) or "nothing"


def _as_written(tree: str) -> str:
    """A parsed statement without the lists of all that its joins could give."""
    start = tree.find(_ALL_OF_A_JOIN)
    while start >= 0:
        end, depth = start + len(_ALL_OF_A_JOIN), 0
        while True:
            depth += {"(": 1, ")": -1}.get(tree[end], 0)
            end += 1
            if depth <= 0:
                break
        tree = tree[:start] + tree[end:]
        start = tree.find(_ALL_OF_A_JOIN)
    return tree
