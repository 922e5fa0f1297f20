"""What counts as undone: a change is judged by a later snapshot alone."""

from __future__ import annotations

import msgspec
import pytest

from twd_schema.drift.changes import Change
from twd_schema.drift.recovery import Present, TableNames, is_undone
from twd_shared.schema_model.models import Column, CompositeType, EnumType

from .changed_schemas import FULL, LESS, change, removed, schema, table

MOOD = EnumType(schema="public", name="mood", labels=("sad", "ok"))


def pair(**attributes: str) -> CompositeType:
    """A type with these attributes."""
    made = tuple(Column(name=key, type=value) for key, value in attributes.items())
    return CompositeType(schema="public", name="pair", attributes=made)


def retyped(before: str, after: str) -> Change:
    """The id of the orders got another type."""
    values = {"before": before, "after": after}
    return change("column_type_changed", "table", "public", "orders", "id", **values)


UNDONE = {
    "table": (change("table_removed", "table", "public", "orders"), schema(FULL), schema()),
    "renamed table": (
        change("table_renamed", "table", "public", "sales", before="public.orders"),
        schema(FULL),
        schema(table("sales", id="integer")),
    ),
    "renamed table whose old name lacks columns": (
        change(
            "table_renamed",
            "table",
            "public",
            "sales",
            before="public.orders",
            columns=(("total", "numeric"),),
        ),
        schema(table("sales", id="integer"), table("orders", id="integer", total="numeric")),
        schema(table("sales", id="integer"), table("orders", id="integer")),
    ),
    "column": (removed("public", "orders", "total"), schema(FULL), schema(LESS)),
    "renamed column": (
        change("column_renamed", "table", "public", "orders", "sum", before="total", after="sum"),
        schema(FULL),
        schema(table("orders", sum="numeric")),
    ),
    "type": (
        retyped("integer", "text"),
        schema(FULL),
        schema(table("orders", id="text")),
    ),
    "type in a server's newer words": (
        retyped("bigint(20)", "int(11)"),
        schema(table("orders", id="bigint")),
        schema(table("orders", id="int")),
    ),
    "type that is wider than it was": (
        retyped("character varying(9)", "integer"),
        schema(table("orders", id="text")),
        schema(table("orders", id="character varying(8)")),
    ),
    "type with a label more": (
        retyped("enum('a','b')", "enum('a')"),
        schema(table("orders", id="enum('a','b','c')")),
        schema(table("orders", id="enum('a','c')")),
    ),
    "label": (
        change("enum_label_removed", "enum", "public", "mood", "ok"),
        schema(MOOD),
        schema(EnumType(schema="public", name="mood", labels=("sad",))),
    ),
    "renamed label": (
        change("enum_label_renamed", "enum", "public", "mood", "fine", before="ok", after="fine"),
        schema(MOOD),
        schema(EnumType(schema="public", name="mood", labels=("sad", "fine"))),
    ),
    "view": (
        change("view_unreadable", "table", "public", "orders"),
        schema(FULL),
        schema(table("orders")),
    ),
    "attribute": (
        change("composite_attribute_removed", "composite", "public", "pair", "b", before="text"),
        schema(pair(a="integer", b="text")),
        schema(pair(a="integer")),
    ),
    "type of an attribute": (
        change(
            "composite_attribute_type_changed",
            "composite",
            "public",
            "pair",
            "b",
            before="text",
            after="date",
        ),
        schema(pair(b="text")),
        schema(pair(b="date")),
    ),
    "enum": (change("enum_removed", "enum", "public", "mood"), schema(MOOD), schema(FULL)),
    "renamed enum": (
        change("enum_renamed", "enum", "public", "state", before="public.mood"),
        schema(MOOD),
        schema(EnumType(schema="public", name="state", labels=("sad", "ok"))),
    ),
}


@pytest.mark.parametrize("what", UNDONE)
def test_what_is_as_it_was_has_recovered_and_what_is_not_has_not(what: str) -> None:
    broken, back, still = UNDONE[what]
    assert is_undone(broken, Present(back))
    assert not is_undone(broken, Present(still))


@pytest.mark.parametrize(("dialect", "is_back"), [("sqlite", True), ("postgresql", False)])
def test_where_case_makes_no_other_name_what_is_back_in_another_case_is_back(
    dialect: str, is_back: bool
) -> None:
    back = msgspec.structs.replace(
        schema(table("ORDERS", Id="integer", Total="numeric")), dialect=dialect
    )
    removed_table = change(
        "table_removed", "table", "public", "orders", columns=(("id", "integer"),)
    )
    for broken in (removed("public", "Orders", "total"), retyped("integer", "text"), removed_table):
        assert is_undone(broken, Present(back)) is is_back


@pytest.mark.parametrize(("now", "is_back"), [("bigint", True), ("smallint", False)])
def test_a_table_that_is_back_with_wider_types_is_back(now: str, is_back: bool) -> None:
    broken = change("table_removed", "table", "public", "orders", columns=(("id", "integer"),))
    assert is_undone(broken, Present(schema(table("orders", id=now)))) is is_back


def test_an_enum_that_is_back_is_no_table_that_is_back() -> None:
    broken = change("table_removed", "table", "public", "mood")
    assert not is_undone(broken, Present(schema(MOOD)))


def test_a_table_is_known_by_all_names_of_a_chain_of_renames_in_any_order() -> None:
    chain = [("c", "d"), ("a", "b"), ("x", "y"), ("b", "c")]
    names = TableNames(
        change(
            "table_renamed", "table", "public", new, before=f"public.{old}", after=f"public.{new}"
        )
        for old, new in chain
    )
    assert set(names.of(removed("public", "b", "id"))) == {f"public.{name}" for name in "abcd"}
    assert set(names.of(removed("public", "x", "id"))) == {"public.x", "public.y"}
    assert set(names.of(removed("public", "z", "id"))) == {"public.z"}
