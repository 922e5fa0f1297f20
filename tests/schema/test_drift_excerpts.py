"""A text that changed is shown where that helps: short, without secrets, from where it differs."""

from __future__ import annotations

import msgspec
import pytest

from twd_schema.drift.diff import diff_snapshots
from twd_schema.drift.excerpts import from_to
from twd_schema.drift.report import markdown_report

from .changed_schemas import schema, table

COLUMNS = ", ".join(f"column_{number}" for number in range(200))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("Who buys", "Who bought", " from “Who buys” to “Who bought”"),
        ("", "Who buys", " from none to “Who buys”"),
        ("Who buys", "", " from “Who buys” to none"),
        ("a\n# b", "a\u202e", " from “a # b” to “a”"),
        # Only how it is laid out.
        ("SELECT a\n  FROM t", "SELECT a FROM t", ""),
        (
            f"SELECT {COLUMNS} FROM t WHERE (a > 1)",
            f"SELECT {COLUMNS} FROM t WHERE (a > 2) ORDER BY {COLUMNS}",
            " from “… column_199 FROM t WHERE (a > 1)”"
            " to “… column_199 FROM t WHERE (a > 2) ORDER BY column_0, column_1, column_2, …”",
        ),
    ],
)
def test_what_was_and_what_is_are_shown_from_where_they_differ(
    before: str, after: str, told: str
) -> None:
    assert from_to(before, after) == told


@pytest.mark.parametrize("place", [0, 3_990, 9_000])
def test_a_text_that_may_hold_a_secret_is_not_shown(place: int) -> None:
    filler = "a " * (place // 2)
    secret = f"SELECT {filler} FROM dblink('host=db password=hunter2', 'select 1')"
    assert from_to(secret, "SELECT 1") == from_to("SELECT 1", secret) == ""


def test_a_view_that_changed_says_how_and_stays_in_its_cell() -> None:
    made = msgspec.structs.replace(table("v", a="integer"), kind="view")
    before, after = (
        schema(msgspec.structs.replace(made, definition=f"SELECT a FROM t WHERE a {condition}"))
        for condition in ("> 1", "<> 2 | 3")
    )
    report = markdown_report(diff_snapshots(before, after, 1, 2))
    assert report.splitlines()[-1] == (
        "| risky | `view_definition_changed` | The definition of public.v changed from"
        " “SELECT a FROM t WHERE a \\> 1” to “SELECT a FROM t WHERE a \\<\\> 2 \\| 3”. |"
    )
