"""A text that changed is shown where that helps: short, without secrets, from where it differs."""

from __future__ import annotations

import msgspec
import pytest

from twd_schema.drift.diff import diff_snapshots
from twd_schema.drift.excerpts import from_to
from twd_schema.drift.report import markdown_report
from twd_shared.schema_model.models import (
    Column,
    Constraint,
    DomainType,
    Index,
    Routine,
    SchemaObject,
    Table,
)

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


T = Table(schema="s", name="t", kind="table", columns=(Column(name="a", type="text"),))
KEY = Column(name="api_key", type="text")
WORD = DomainType(schema="s", name="word", type="text")
RATE = Routine(schema="s", name="rate", kind="function", arguments="", definition="RETURN 1")
CHECK = Constraint(name="c", definition="CHECK (a <> '')")
INDEX = Index(name="i", columns=("a",), predicate="a <> ''")
ADDRESS = "postgres://u:canary-77@there/shop"
_with = msgspec.structs.replace


def column(**fields: str) -> Table:
    return _with(T, columns=(_with(KEY, **fields),))


def query(text: str) -> Table:
    return _with(T, kind="view", definition=text)


HIDDEN: list[tuple[SchemaObject, SchemaObject, str]] = [
    (
        query("SELECT a FROM t"),
        query("SELECT a FROM t WHERE ((api_key)::text = 'canary-77'::text)"),
        "“SELECT a FROM t WHERE ((api_key)::text = '…'::text)”",
    ),
    (
        query("SELECT a"),
        query("SELECT 'canary-77'::text AS api_key"),
        "“SELECT '…'::text AS api_key”",
    ),
    (column(), column(default="'canary-77'::text"), "from none to “'…'::text”"),
    (
        column(generated="a || 'canary-77'"),
        column(generated="'x' || 'canary-77'"),
        "from “as (a || '…') stored” to “as ('…' || '…') stored”",
    ),
    (T, _with(T, comment="-u bob:canary-77"), "from none to “-u …”"),
    (
        _with(T, constraints=(CHECK,)),
        _with(T, constraints=(_with(CHECK, definition=f"CHECK (a <> '{ADDRESS}')"),)),
        "from “CHECK (a <> '')” to “CHECK (a <> '…')”",
    ),
    (
        T,
        _with(T, constraints=(_with(CHECK, definition=f"CHECK (a <> '{ADDRESS}')"),)),
        "was added: CHECK (a <> '…')",
    ),
    (
        _with(T, indexes=(INDEX,)),
        _with(T, indexes=(_with(INDEX, predicate=f"a <> '{ADDRESS}'"),)),
        "from “(a) where a <> ''” to “(a) where a <> '…'”",
    ),
    (
        WORD,
        _with(WORD, constraints=(_with(CHECK, definition=f"CHECK (VALUE <> '{ADDRESS}')"),)),
        "gained a constraint c: CHECK (VALUE <> '…')",
    ),
    (
        _with(WORD, constraints=(CHECK,)),
        _with(WORD, constraints=(_with(CHECK, definition=f"CHECK (VALUE <> '{ADDRESS}')"),)),
        "from “CHECK (a <> '')” to “CHECK (VALUE <> '…')”",
    ),
    (
        RATE,
        _with(RATE, definition="SELECT 1 WHERE token <> 'canary-77'"),
        "to “SELECT 1 WHERE token <> '…'”",
    ),
    (RATE, _with(RATE, definition='password = "canary-77" # Python'), "to “password = … # Python”"),
]


@pytest.mark.parametrize(("before", "after", "told"), HIDDEN)
def test_a_secret_is_neither_told_nor_kept_with_a_change(
    before: SchemaObject, after: SchemaObject, told: str
) -> None:
    [change] = diff_snapshots(schema(before), schema(after), 1, 2).changes
    assert told in change.sentence
    assert "canary" not in str(change)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            column(default="'canary-1'::text"),
            column(default="'canary-2'::text"),
            "Column s.t.api_key changed its default.",
        ),
        (
            query("SELECT 1 WHERE token = 'canary-1'"),
            query("SELECT 1 WHERE token = 'canary-2'"),
            "The definition of s.t changed.",
        ),
        (
            _with(T, constraints=(_with(CHECK, definition="CHECK (token <> 'canary-1')"),)),
            _with(T, constraints=(_with(CHECK, definition="CHECK (token <> 'canary-2')"),)),
            "The constraint c on s.t changed.",
        ),
    ],
)
def test_a_change_of_a_secret_alone_is_told_without_texts(
    before: SchemaObject, after: SchemaObject, told: str
) -> None:
    [change] = diff_snapshots(schema(before), schema(after), 1, 2).changes
    assert change.sentence == told


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
