"""Whom a change hits: the documents, training items and recent queries that name what changed.

Pure functions over a diff, the schema before it, and what is known of the source (`affected.py`).
Each distinct text is parsed once; a change then finds its statements by table, column and label.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from twd_schema.drift.affected import (
    RECENT_DAYS,
    Surroundings,
    SurroundingsReader,
    TrainingItem,
    UserQuery,
)
from twd_schema.drift.changes import Change, SchemaDiff
from twd_schema.drift.targets import Target, Targets
from twd_shared.schema_model.models import Snapshot
from twd_shared.schema_model.wording import counted
from twd_shared.sql.names import SchemaNames
from twd_shared.sql.references import References, references_in

_MOST_NAMED = 5
_AT_LEAST = "at least "

IMPACT_COLUMNS = ("documents", "training items", "user queries (users)")
"""Headings of what `impact_columns` gives."""


@dataclass(frozen=True, slots=True)
class Affected:
    """What a change hits. `questions` name a few of the `question_count` training items.

    `queries` are runs of queries in the last 30 days, `users` the different people behind them;
    `is_least` says that there may be more of both, of older queries that were not looked at, and
    `questions_are_least` the same of the questions.
    """

    documents: int = 0
    questions: tuple[str, ...] = ()
    question_count: int = 0
    queries: int = 0
    users: int = 0
    is_least: bool = False
    questions_are_least: bool = False


@dataclass(frozen=True, slots=True)
class Impact:
    """What each breaking or risky change hits; `breaking` and `total` count nothing twice.

    `unknown` says what could not be read, and why; '' = all was.
    """

    changes: Mapping[Change, Affected] = field(default_factory=dict[Change, Affected])
    breaking: Affected = Affected()
    total: Affected = Affected()
    unknown: str = ""

    def of(self, change: Change) -> Affected:
        """What one change hits; nothing for a safe one."""
        return self.changes.get(change, Affected())

    @property
    def consequences(self) -> dict[Change, str]:
        """A sentence for each breaking change that hits training items or queries."""
        return {
            change: text
            for change, hit in self.changes.items()
            if change.severity == "breaking" and (text := told(hit))
        }


def told(affected: Affected) -> str:
    """For people: "breaks 2 training items and 14 queries of 3 users in the last 30 days".

    '' if it hits neither.
    """
    parts: list[str] = []
    if affected.question_count:
        least = _AT_LEAST if affected.questions_are_least else ""
        parts.append(f"{least}{counted(affected.question_count, 'training item')}")
    if affected.queries:
        queries = counted(affected.queries, "query", "queries")
        users = f" of {counted(affected.users, 'user')}" if affected.users else ""
        least = _AT_LEAST if affected.is_least else ""
        parts.append(f"{least}{queries}{users} in the last {RECENT_DAYS} days")
    return f"breaks {' and '.join(parts)}" if parts else ""


def impact_columns(change: Change, impact: Impact) -> tuple[str, str, str]:
    """Cells of a table for people: empty for a change that hits nothing of the kind."""
    hit = impact.of(change)
    named = ", ".join(f"“{title}”" for title in hit.questions)
    if hit.question_count > len(hit.questions):
        named += " …"
    return (
        str(hit.documents or ""),
        f"{hit.question_count}: {named}" if hit.question_count else "",
        f"{hit.queries} ({hit.users})" if hit.queries else "",
    )


def found_impact(
    diff: SchemaDiff, before: Snapshot | None, reader: SurroundingsReader, connection_id: str
) -> Impact:
    """What the diff hits, read only if it can hit anything; raises MetadataFailure alone."""
    if before is None or all(change.severity == "safe" for change in diff.changes):
        return Impact()
    return impact_of(diff, before, reader.read(connection_id))


def impact_of(diff: SchemaDiff, before: Snapshot, known: Surroundings) -> Impact:
    """What the diff's breaking and risky changes hit of what is known."""
    statements = _Statements(before, known)
    targets = Targets(diff, before)
    found = {
        change: statements.hit_by(targets.of(change))
        for change in diff.changes
        if change.severity != "safe"
    }
    breaking = [hit for change, hit in found.items() if change.severity == "breaking"]
    return Impact(
        changes={change: statements.counted([hit]) for change, hit in found.items()},
        breaking=statements.counted(breaking),
        total=statements.counted(found.values()),
        unknown=known.unknown,
    )


@dataclass(slots=True)
class _Hit:
    """What a change hits, by place in the lists of what is known."""

    tables: frozenset[tuple[str, str]] = frozenset()
    items: set[int] = field(default_factory=set[int])
    queries: set[int] = field(default_factory=set[int])


class _Statements:
    """What is known, found by what its SQL reads: a table, a column, a column with a label."""

    def __init__(self, before: Snapshot, known: Surroundings) -> None:
        self._known = known
        self._items: defaultdict[object, set[int]] = defaultdict(set)
        self._queries: defaultdict[object, set[int]] = defaultdict(set)
        self._documentation: defaultdict[str, set[int]] = defaultdict(set)
        names = SchemaNames(before.dialect, before.relations)
        parsed: dict[str, References] = {}
        for place, item in enumerate(known.items):
            if item.sql:
                _add(self._items, place, _references(parsed, item, names))
            else:
                for label in item.tables:
                    self._documentation[label].add(place)
        for place, query in enumerate(known.queries):
            found = _references(parsed, query, names)
            # What names a table that this schema does not have is another connection's.
            if not (known.queries_are_of_all and found.unknown):
                _add(self._queries, place, found)

    def hit_by(self, target: Target) -> _Hit:
        hit = _Hit(target.tables)
        for key in target.keys:
            hit.items |= self._items.get(key, set())
            hit.queries |= self._queries.get(key, set())
        for (schema, name), member in target.told:
            word = re.compile(rf"(?<!\w){re.escape(member)}(?!\w)", re.IGNORECASE)
            for place in self._documentation.get(f"{schema}.{name}", ()):
                if not member or word.search(self._known.items[place].text):
                    hit.items.add(place)
        return hit

    def counted(self, hits: Iterable[_Hit]) -> Affected:
        tables: set[tuple[str, str]] = set()
        items: set[int] = set()
        queries: set[int] = set()
        for hit in hits:
            tables |= hit.tables
            items |= hit.items
            queries |= hit.queries
        titles = [self._known.items[place].title for place in sorted(items)[:_MOST_NAMED]]
        asked = [self._known.queries[place] for place in queries]
        return Affected(
            documents=sum(self._known.documents[table] for table in tables),
            questions=tuple(titles),
            question_count=len(items),
            queries=sum(query.count for query in asked),
            users=len({user for query in asked for user in query.users}),
            is_least=self._known.queries_are_cut,
            questions_are_least=self._known.items_are_cut,
        )


def _references(
    parsed: dict[str, References], text: TrainingItem | UserQuery, names: SchemaNames
) -> References:
    if text.sql not in parsed:
        parsed[text.sql] = references_in(text.sql, names)
    return parsed[text.sql]


def _add(index: defaultdict[object, set[int]], place: int, found: References) -> None:
    for key in (*found.tables, *found.columns, *found.literals):
        index[key].add(place)
