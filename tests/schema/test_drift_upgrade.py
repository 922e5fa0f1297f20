"""What an upgrade of the server alone writes otherwise is no risk, and what changed with it is."""

from __future__ import annotations

import msgspec
import pytest

from twd_schema.drift.diff import diff_snapshots
from twd_shared.schema_model.models import Snapshot

from .changed_schemas import schema, table

# As PostgreSQL 15 writes them, and as 16 and 18 do.
WRITTEN = {
    "columns and a condition": (
        " SELECT films.id,\n    films.title\n   FROM s.films\n  WHERE (films.mood = 'ok'::s.mood);",
        " SELECT id,\n    title\n   FROM s.films\n  WHERE (mood = 'ok'::s.mood);",
    ),
    "a column that is called as its table": (
        " SELECT films.films\n   FROM s.films;",
        " SELECT films\n   FROM s.films;",
    ),
    "a subquery, in which they are named still": (
        " SELECT films.title,\n    ( SELECT count(*) AS count\n           FROM s.casts c\n"
        "          WHERE (c.film_id = films.id)) AS n\n   FROM s.films;",
        " SELECT title,\n    ( SELECT count(*) AS count\n           FROM s.casts c\n"
        "          WHERE (c.film_id = films.id)) AS n\n   FROM s.films;",
    ),
    "a quoted name with a dot in it": (
        ' SELECT "My.films".id\n   FROM s."My.films";',
        ' SELECT id\n   FROM s."My.films";',
    ),
}


def read_from(release: str, definition: str, **columns: str) -> Snapshot:
    made = table("view", **(columns or {"id": "integer"}))
    view = msgspec.structs.replace(made, kind="view", definition=definition)
    return msgspec.structs.replace(schema(view), server_version=release)


def told(before: Snapshot, after: Snapshot) -> list[tuple[str, str]]:
    changes = diff_snapshots(before, after, 1, 2).changes
    return [(change.severity, change.rule) for change in changes]


@pytest.mark.parametrize("what", WRITTEN)
def test_a_view_that_another_release_writes_otherwise_is_no_risk(what: str) -> None:
    old, new = WRITTEN[what]
    before, after = read_from("15.20 (Debian 15.20-0+deb12u1)", old), read_from("16.14", new)
    assert told(before, after) == [("safe", "view_definition_respelled")]
    assert told(after, before) == [("safe", "view_definition_respelled")]


@pytest.mark.parametrize(
    "definition",
    [
        " SELECT title\n   FROM s.films;",
        " SELECT id\n   FROM s.casts;",
        " SELECT id\n   FROM s.films\n  WHERE (id > 1);",
        " SELECT casts.id\n   FROM s.films;",
    ],
)
def test_a_view_that_changed_with_the_upgrade_is_a_risk(definition: str) -> None:
    before = read_from("15.20", " SELECT films.id\n   FROM s.films;")
    assert told(before, read_from("16.14", definition)) == [("risky", "view_definition_changed")]


def test_a_view_with_another_column_is_a_risk_however_it_is_written() -> None:
    before = read_from("15.20", " SELECT films.id\n   FROM s.films;", id="integer")
    after = read_from("16.14", " SELECT id\n   FROM s.films;", id="date")
    assert ("risky", "view_definition_changed") in told(before, after)


def test_by_one_release_nothing_is_written_in_two_ways() -> None:
    before, after = (read_from("16.14", WRITTEN["columns and a condition"][at]) for at in (0, 1))
    assert told(before, after) == [("risky", "view_definition_changed")]
