"""What is told of changed columns of a real MySQL or MariaDB server, and after an upgrade of it."""

from __future__ import annotations

from typing import Any

import pytest

from twd_schema.drift.column_types import added_labels
from twd_schema.drift.diff import diff_snapshots
from twd_shared.schema_model.models import Column, Snapshot, Table

Told = set[tuple[str, str]]

BEFORE = (
    "create table t (kind enum('a','it''s'), flags set('x','y'), name varchar(9),"
    " code varchar(9) collate utf8mb4_bin, number int(11), padded int(5) zerofill)"
    " collate utf8mb4_general_ci"
)


def told(before: Snapshot, after: Snapshot) -> Told:
    """(rule, column) of each change of a column."""
    changes = diff_snapshots(before, after, 1, 2).changes
    return {(change.rule, change.member) for change in changes if change.member}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("modify kind enum('a','b','it''s')", {("column_labels_added", "kind")}),
        ("modify flags set('x','y','z')", {("column_labels_added", "flags")}),
        ("modify kind enum('a','b')", {("column_type_changed", "kind")}),
        ("modify kind enum('it''s','a','b')", {("column_type_changed", "kind")}),
        ("modify kind set('a','it''s','b')", {("column_type_changed", "kind")}),
        ("modify number int(5)", {("column_type_respelled", "number")}),
        ("modify number bigint", {("column_type_promoted", "number")}),
        ("modify number bigint unsigned", {("column_type_changed", "number")}),
        ("modify name varchar(20)", {("column_type_widened", "name")}),
        ("modify name text", {("column_type_widened", "name")}),
        ("modify padded int(6) zerofill", {("column_type_changed", "padded")}),
        ("modify name varchar(9) collate utf8mb4_bin", {("column_type_changed", "name")}),
        # The columns keep the collations that they have; which was the database's is not told.
        (
            "collate utf8mb4_unicode_ci",
            {("column_collation_changed", name) for name in ("kind", "flags", "name")},
        ),
        (
            "collate utf8mb4_bin",
            {("column_collation_changed", name) for name in ("kind", "flags", "name")}
            | {("column_type_respelled", "code")},
        ),
        ("modify number int(11) invisible", {("column_visibility_changed", "number")}),
        # They get the one of the table, which for all others it was before.
        ("convert to character set utf8mb4", {("column_type_changed", "code")}),
    ],
)
def test_only_what_a_column_can_no_longer_be_compared_with_is_another_type(
    server: Any, read: Any, change: str, expected: Told
) -> None:
    database = server.database(BEFORE)
    before = read(database)
    server.execute(f"alter table t {change}", database=database)
    assert told(before, read(database)) == expected


def test_labels_that_are_added_are_named(server: Any, read: Any) -> None:
    database = server.database(BEFORE)
    before = read(database)
    server.execute("alter table t modify kind enum('a','b','it''s','c, d')", database=database)
    [change] = diff_snapshots(before, read(database), 1, 2).changes
    assert change.severity == "safe"
    assert change.sentence.endswith(".t.kind gained 'b', 'c, d' in its list of values.")


def test_another_case_of_letters_is_a_rename_of_a_table_and_none_of_a_column(
    server: Any, read: Any
) -> None:
    database = server.database(
        BEFORE, "create index i on t (name)", "create table u (a int, b int)"
    )
    before = read(database)
    server.execute("alter table t rename column name to Name", database=database)
    server.execute("rename table u to U", database=database)
    changes = diff_snapshots(before, read(database), 1, 2).changes
    assert {(change.rule, change.before.rpartition(".")[2]) for change in changes} == {
        ("column_respelled", "name"),
        # The server compares names of tables as they are written.
        ("table_renamed", "u"),
    }


def test_a_view_says_that_its_rights_changed_and_that_it_cannot_be_read(
    server: Any, read: Any
) -> None:
    database = server.database(
        "create table t (a int, b date); create sql security definer view v as select a, b from t"
    )
    before = read(database)
    server.execute("alter sql security invoker view v as select a, b from t", database=database)
    invokers = read(database)
    server.execute("alter table t drop b", database=database)
    first, second = (
        [change.sentence for change in diff_snapshots(one, other, 1, 2).changes]
        for one, other in ((before, invokers), (invokers, read(database)))
    )
    assert first == [f"View {database}.v reads with the rights of whoever asks it now."]
    assert second == [
        f"Column {database}.t.b was removed (it was date).",
        f"View {database}.v cannot be read any more:"
        " what it reads is gone, changed, or not granted.",
    ]


def table(collation: str = "", /, **types: str) -> Snapshot:
    columns = tuple(
        Column(
            name=name,
            type=spelling.partition(" collate ")[0],
            collation=spelling.partition(" collate ")[2] or None,
        )
        for name, spelling in types.items()
    )
    storage = (f"COLLATE={collation}",) if collation else ()
    made = Table(schema="shop", name="t", kind="table", columns=columns, storage=storage)
    return Snapshot(dialect="mysql", database_name="shop", server_version="", tables=(made,))


def test_a_label_more_is_safe_also_in_a_column_that_has_a_collation_of_its_own() -> None:
    before, after = (
        table(kind=f"enum({labels}) collate utf8mb4_bin") for labels in ("'a'", "'a','b'")
    )
    assert told(before, after) == {("column_labels_added", "kind")}


def test_many_labels_with_quotes_are_compared_at_once() -> None:
    labels = ",".join(f"'it''s {number}'" for number in range(1000))
    before = table(kind=f"enum({labels}) collate utf8mb4_bin")
    assert told(before, table(kind="text")) == {("column_type_changed", "kind")}
    assert added_labels(f"enum({labels}", f"enum({labels}") == ()


def test_where_a_collation_is_not_known_a_column_is_told_to_compare_otherwise_perhaps() -> None:
    before = table("latin1_swedish_ci", code="varchar(9) collate latin1_bin")
    assert told(before, table(code="varchar(9)")) == {("column_collation_changed", "code")}


def test_an_upgrade_of_the_server_breaks_nothing() -> None:
    before = table(a="int(11) unsigned", b="bigint(20)", c="text collate utf8_bin")
    after = table(a="int unsigned", b="bigint", c="text collate utf8mb3_bin")
    assert told(before, after) == {("column_type_respelled", name) for name in "abc"}
