"""A name whose letters change their case, in SQLite: SQL that is written either way finds it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from twd_schema.drift.changes import SchemaDiff
from twd_schema.drift.diff import diff_snapshots
from twd_schema.extraction.reading import SchemaReader
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy

SHOP = """
create table Orders (Id integer primary key, total real check (total > 0));
create table lines (order_id integer references Orders (Id), nöte text);
create index orders_total on Orders (total);
create view sums as select Id, total from Orders;
"""


@pytest.fixture
def diff(tmp_path: Path, connection_to: Any) -> Any:
    """What is told of the shop after a script."""
    reader = SchemaReader(frozenset({"sqlite"}), ReadLimits(), reach_policy("", str(tmp_path)))
    file = tmp_path / "shop.db"

    def run(script: str) -> None:
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(script)

    def told(script: str) -> SchemaDiff:
        run(SHOP)
        before = reader.read(connection_to(f"sqlite:///{file}", "sqlite"))
        run(script)
        return diff_snapshots(
            before, reader.read(connection_to(f"sqlite:///{file}", "sqlite")), 1, 2
        )

    return told


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            "alter table Orders rename to passing; alter table passing rename to ORDERS",
            {("table_respelled", "main.ORDERS", "main.Orders", "main.ORDERS")},
        ),
        (
            "alter table Orders rename total to Total",
            {
                ("column_respelled", "main.Orders.Total", "total", "Total"),
                ("column_respelled", "main.sums.Total", "total", "Total"),
            },
        ),
        (
            "drop view sums; create view Sums as select Id, total from Orders",
            {("table_respelled", "main.Sums", "main.sums", "main.Sums")},
        ),
        # What else changed of it is told as well.
        (
            "alter table lines rename to passing; alter table passing rename to Lines;"
            "alter table Lines rename nöte to Nöte; alter table Lines drop order_id",
            {
                ("table_respelled", "main.Lines", "main.lines", "main.Lines"),
                ("column_respelled", "main.Lines.Nöte", "nöte", "Nöte"),
                ("column_removed", "main.Lines.order_id", "INTEGER", ""),
                ("foreign_key_removed", "main.Lines", "(order_id) references main.Orders (Id)", ""),
            },
        ),
    ],
)
def test_another_case_of_letters_is_no_rename(
    diff: Any, script: str, expected: set[tuple[str, str, str, str]]
) -> None:
    assert {(c.rule, c.subject, c.before, c.after) for c in diff(script).changes} == expected


def test_letters_beyond_ascii_are_the_same_in_no_other_case(diff: Any) -> None:
    [change] = diff("alter table lines rename nöte to nÖte").changes
    assert (change.rule, change.evidence) == ("column_renamed", "similarity")
