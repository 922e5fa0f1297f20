"""Which other type a column may get without SQL that reads it failing."""

from __future__ import annotations

import pytest

from twd_schema.drift.column_types import widened
from twd_schema.drift.diff import diff_snapshots

from .changed_schemas import schema, table


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("character varying(10)", "character varying(20)"),
        ("character varying(10)", "character varying"),
        ("character varying(10)", "text"),
        ("character varying", "text"),
        ("text", "character varying"),
        ("numeric(10,2)", "numeric(12,2)"),
        ("varchar(10)", "text"),
        ("text", "mediumtext"),
        ("decimal(10,2) unsigned", "decimal(12,2) unsigned"),
        ("NVARCHAR(160)", "NVARCHAR(200)"),
    ],
)
def test_a_longer_text_or_decimal_is_the_same_to_sql(one: str, other: str) -> None:
    assert widened(one, other) == "widened"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # A function of integers takes no bigint, nor can one be added to a date.
        ("integer", "bigint"),
        ("smallint", "integer"),
        ("int(11)", "bigint(20)"),
        ("int unsigned", "bigint unsigned"),
        ("INTEGER", "BIGINT"),
        # 0.1 was not found as 0.1 before.
        ("real", "double precision"),
        ("float", "double"),
        # They are told with other digits behind the point.
        ("numeric(10,2)", "numeric(12,4)"),
        ("numeric(10,2)", "numeric"),
    ],
)
def test_a_wider_kind_of_number_may_be_told_apart(one: str, other: str) -> None:
    assert widened(one, other) == "promoted"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("text", "character varying(10)"),
        ("character varying(20)", "character varying(10)"),
        # Blanks at its end count for a text, and not for it.
        ("character(10)", "text"),
        ("character(10)", "character(20)"),
        ("mediumtext", "text"),
        ("numeric", "numeric(10,2)"),
        ("numeric(10,2)", "numeric(10,3)"),
        ("numeric(10,2)", "numeric(12,1)"),
        ("decimal(10,2)", "decimal(12,2) unsigned"),
        ("bigint", "integer"),
        ("int unsigned", "bigint"),
        ("int(5) zerofill", "int(6) zerofill"),
        ("integer", "numeric"),
        ("double precision", "real"),
        ("date", "timestamp without time zone"),
        ("character varying(10)[]", "text[]"),
    ],
)
def test_any_other_type_is_another(one: str, other: str) -> None:
    assert widened(one, other) == ""


def test_a_wider_type_is_told_with_what_it_was() -> None:
    before = schema(table("t", a="character varying(10)", b="integer"))
    after = schema(table("t", a="text", b="bigint"))
    assert [
        (change.severity, change.sentence) for change in diff_snapshots(before, after, 1, 2).changes
    ] == [
        ("safe", "Column public.t.a has the wider type text now: it was character varying(10)."),
        (
            "risky",
            "Column public.t.b has the wider type bigint now: it was integer, which a function or"
            " a cast may tell apart.",
        ),
    ]
