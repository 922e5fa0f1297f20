"""Seven years of a real schema: the diff names what the catalogs say, and every rename once.

`expected_diff.json` was read from the catalogs of the two loaded databases, where a rename shows as
removed and added. The files may not be part of this repository, so they are read from beside it.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psycopg2
import pytest

from twd_schema.drift.changes import SchemaDiff
from twd_schema.drift.diff import diff_snapshots
from twd_shared.schema_model.models import Snapshot, Table

FOLDER = Path(__file__).parents[3] / "shared/fixtures/openstreetmap"
CONSTRAINTS = ("primary_key", "unique_constraint", "foreign_key", "constraint")


@dataclass
class Pair:
    """The schema in 2019 and in 2026, what differs, and what is expected to."""

    old: Snapshot
    new: Snapshot
    diff: SchemaDiff
    expected: dict[str, Any]

    def subjects(self, *rules: str) -> set[str]:
        return {change.subject for change in self.diff.changes if change.rule in rules}

    def renamed(self, *rules: str) -> tuple[set[str], set[str]]:
        """Old and new subjects of what was renamed within a table, or as a table."""
        found = [change for change in self.diff.changes if change.rule in rules]
        return (
            {c.subject.removesuffix(c.after) + c.before for c in found},
            {c.subject for c in found},
        )


def load(services: Any, reader: Any, connection_to: Any, version: str) -> tuple[Snapshot, str]:
    """The schema of that month as it is read, and where it stands."""
    if not FOLDER.exists():
        pytest.skip("OpenStreetMap's schema is not here: its licence does not let it be copied.")
    text = (FOLDER / f"structure_{version}.sql").read_text()
    # The server of the tests has no btree_gist, which one index needs.
    text = re.sub(r"^(CREATE|COMMENT ON) EXTENSION .*btree_gist.*$", "", text, flags=re.M)
    text = text.replace("changesets USING gist", "changesets USING brin")
    dsn = services.database()
    command = [services.postgres_bin / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn]
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return reader.read(connection_to(dsn)), dsn


@pytest.fixture(scope="module")
def pair(services: Any, reader: Any, connection_to: Any) -> Pair:
    old, _ = load(services, reader, connection_to, "2019-10")
    new, _ = load(services, reader, connection_to, "2026-03")
    expected = json.loads((FOLDER / "expected_diff.json").read_text())
    return Pair(old, new, diff_snapshots(old, new, 1, 2), expected)


def tables(snapshot: Snapshot, names: Iterable[str]) -> list[Table]:
    wanted = set(names)
    return [table for table in snapshot.tables if table.label in wanted]


def constraints_of(found: Iterable[Table]) -> set[str]:
    return {
        f"{table.label}.{item.name}"
        for table in found
        for item in (
            *((table.primary_key,) if table.primary_key else ()),
            *table.unique_constraints,
            *table.foreign_keys,
            *table.constraints,
        )
    }


def indexes_of(found: Iterable[Table]) -> set[str]:
    return {f"{table.label}.{index.name}" for table in found for index in table.indexes}


def test_tables_are_those_that_came_and_went(pair: Pair) -> None:
    old, new = pair.renamed("table_renamed")
    assert pair.subjects("table_added") | new == set(pair.expected["relations"]["added"])
    assert pair.subjects("table_removed") | old == set(pair.expected["relations"]["removed"])


def test_columns_are_those_that_came_and_went(pair: Pair) -> None:
    old, new = pair.renamed("column_renamed")
    expected = pair.expected["columns"]
    assert pair.subjects("column_added") | new == set(expected["added"])
    assert pair.subjects("column_removed") | old == set(expected["removed"])


def test_columns_that_changed_are_told_with_what_changed(pair: Pair) -> None:
    rules = {
        "type": "column_type_changed",
        "not_null": "column_nullability_changed",
        "default": "column_default_changed",
    }
    expected = {
        (rules[what], subject)
        for subject, before, _ in pair.expected["columns"]["changed"]
        for what in before
    }
    assert {
        (change.rule, change.subject)
        for change in pair.diff.changes
        if change.rule in rules.values()
    } == expected


def test_constraints_are_those_that_came_went_and_changed(pair: Pair) -> None:
    old, new = pair.renamed("constraint_renamed")
    expected = pair.expected["constraints"]
    come = constraints_of(tables(pair.new, pair.subjects("table_added")))
    gone = constraints_of(tables(pair.old, pair.subjects("table_removed")))
    added = pair.subjects(*(f"{kind}_added" for kind in CONSTRAINTS))
    removed = pair.subjects(*(f"{kind}_removed" for kind in CONSTRAINTS))
    changed = pair.subjects(*(f"{kind}_changed" for kind in CONSTRAINTS))
    assert added | come | new == set(expected["added"])
    assert removed | gone | old == set(expected["removed"])
    assert changed == {subject for subject, _, _ in expected["changed"]}


def test_indexes_are_those_that_came_went_and_changed(pair: Pair) -> None:
    old, new = pair.renamed("index_renamed")
    added = pair.subjects("index_added") | new
    removed = pair.subjects("index_removed", "unique_index_removed") | old
    added |= indexes_of(tables(pair.new, pair.subjects("table_added")))
    removed |= indexes_of(tables(pair.old, pair.subjects("table_removed")))
    expected = pair.expected["indexes"]
    # Those of keys are told as keys.
    keys = {
        verb: {
            entry.rpartition(".")[2]
            for entry in (
                item if isinstance(item, str) else item[0]
                for item in pair.expected["constraints"][verb]
            )
        }
        for verb in ("added", "removed", "changed")
    }
    assert names(added) == names(expected["added"]) - keys["added"]
    assert names(removed) == names(expected["removed"]) - keys["removed"]
    changed = {name for name, _, _ in expected["changed"]}
    assert names(pair.subjects("index_changed")) == names(changed) - keys["changed"]


def names(subjects: Iterable[str]) -> set[str]:
    return {subject.rpartition(".")[2] for subject in subjects}


def test_the_enum_gained_its_label(pair: Pair) -> None:
    told = {
        (change.rule, change.subject, change.member)
        for change in pair.diff.changes
        if change.object_kind == "enum"
    }
    assert told == {("enum_label_added", "public.user_role_enum", "importer")}


def test_sequences_came_and_went_with_the_columns_that_own_them(pair: Pair) -> None:
    told = pair.subjects("sequence_added", "sequence_removed")
    owned = {
        f"{sequence.schema}.{sequence.name}"
        for snapshot, rule in ((pair.new, "table_added"), (pair.old, "table_removed"))
        for sequence in snapshot.sequences
        if sequence.owner
        and f"{sequence.owner.schema}.{sequence.owner.table}" in pair.subjects(rule)
    }
    expected = pair.expected["sequences"]
    assert told | owned == {*expected["added"], *expected["removed"]}
    assert not told & owned


def test_a_sequence_that_became_larger_is_told(pair: Pair) -> None:
    # The expected file has only the names of sequences.
    types = {
        subject: {
            sequence.type
            for snapshot in (pair.old, pair.new)
            for sequence in snapshot.sequences
            if f"{sequence.schema}.{sequence.name}" == subject
        }
        for subject in pair.subjects("sequence_changed")
    }
    both = {"integer", "bigint"}
    assert types == {"public.note_comments_id_seq": both, "public.notes_id_seq": both}


def test_nothing_else_is_told(pair: Pair) -> None:
    told = {change.rule.partition("_")[0] for change in pair.diff.changes}
    assert told <= {
        "table",
        "column",
        "primary",
        "unique",
        "foreign",
        "constraint",
        "index",
        "enum",
        "sequence",
    }
    assert not {change for change in pair.diff.changes if change.rule == "table_definition_changed"}


def test_the_way_back_tells_the_same_of_tables_and_columns(pair: Pair) -> None:
    back = diff_snapshots(pair.new, pair.old, 2, 1)
    for one, other in (("added", "removed"), ("removed", "added")):
        for kind in ("table", "column"):
            subjects = {c.subject for c in back.changes if c.rule == f"{kind}_{one}"}
            assert subjects == pair.subjects(f"{kind}_{other}")


def test_a_renamed_table_that_twenty_others_refer_to_is_one_change(
    services: Any, reader: Any, connection_to: Any
) -> None:
    before, dsn = load(services, reader, connection_to, "2019-10")
    connection = psycopg2.connect(dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute("alter table public.users rename to accounts")
        cursor.execute("alter table public.changesets rename user_id to account_id")
        cursor.execute("alter type public.note_status_enum rename value 'hidden' to 'concealed'")
    connection.close()
    after = reader.read(connection_to(dsn))
    assert [change.sentence for change in diff_snapshots(before, after, 1, 2).changes] == [
        "Table public.users was renamed to public.accounts.",
        "Enum public.note_status_enum renamed label 'hidden' to 'concealed'.",
        "Column public.changesets.user_id was renamed to account_id.",
    ]
    [change] = diff_snapshots(
        msgspec.structs.replace(before, identities=None),
        after,
        1,
        2,
    ).tables("table_renamed")
    assert change == "public.accounts"
