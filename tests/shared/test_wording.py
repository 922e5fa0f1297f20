"""Names and foreign keys in words, as cards, documents and questions say them."""

from __future__ import annotations

import pytest

from twd_shared.schema_model.models import Column, ForeignKey, Table
from twd_shared.schema_model.wording import (
    flat,
    relationship,
    said,
    shortened,
    shown,
    words,
)


def table(*columns: Column) -> Table:
    return Table(schema="s", name="invoice_line", kind="table", columns=columns)


def key(columns: tuple[str, ...], referenced: tuple[str, ...]) -> ForeignKey:
    return ForeignKey(
        name=None,
        columns=columns,
        referenced_schema="t",
        referenced_table="salesInvoice",
        referenced_columns=referenced,
    )


def test_a_relationship_says_how_to_join_and_whether_it_is_optional() -> None:
    optional = table(Column(name="a", type="int"))
    assert relationship(optional, key(("a",), ("x",))) == (
        "Each invoice line may refer to a sales invoice: "
        "join them on s.invoice_line.a = t.salesInvoice.x."
    )
    needed = table(*(Column(name=name, type="int", nullable=False) for name in "ab"))
    assert relationship(needed, key(("a", "b"), ("x", "y"))) == (
        "Each invoice line refers to a sales invoice: join them on "
        "s.invoice_line.a = t.salesInvoice.x and s.invoice_line.b = t.salesInvoice.y."
    )


def test_a_relationship_without_known_columns_names_both_tables() -> None:
    assert relationship(table(), key(("a",), ())) == (
        "Each invoice line refers to a sales invoice: s.invoice_line to t.salesInvoice."
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("film_actor_id_2", "film actor id 2"),
        ("filmActorID2", "film actor id 2"),
        ("HTTPServerLog", "http server log"),
        ("ĐơnHàng", "đơn hàng"),
        ("bảng khách hàng", "bảng khách hàng"),
        ("TÊN_SẢN_PHẨM", "tên sản phẩm"),
        ("ngàyÁpDụng", "ngày áp dụng"),
        ("InvoiceLine", "invoice line"),
        ("HTTPRequest2", "http request 2"),
        ("đơn_hàng", "đơn hàng"),
        ("???", "???"),
        ("___", "___"),
        ("💥", "💥"),
    ],
)
def test_identifiers_are_told_in_words(name: str, said: str) -> None:
    assert words(name) == said


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("film", "film"),
        ("salesInvoice", "salesInvoice"),
        ("khách_hàng", "khách_hàng"),
        ("order details", '"order details"'),
        ('say "x"', '"say ""x"""'),
        ("a\n- b (integer)", '"a\\n- b (integer)"'),
        ("a\u202eb", '"a\\u202eb"'),
        ("", '""'),
        ("x" * 201, f'"{"x" * 200} …"'),
    ],
)
def test_a_name_stands_on_one_line_and_its_end_is_seen(name: str, told: str) -> None:
    assert shown(name) == told


def test_a_text_is_flattened_to_one_line() -> None:
    assert flat(" a\n\n b\x00\x1b[31m\u2028c\u202e d ") == "a b [31m c d"


def test_a_text_is_cut_between_words_and_says_so() -> None:
    assert shortened("one two three", 10) == "one two …"
    assert shortened("one two three", 13) == "one two three"
    assert shortened("onetwothree", 10) == "onetwothre …"


@pytest.mark.parametrize("name", ["\n", "", "💥", "  "])
def test_a_name_without_letters_is_still_said(name: str) -> None:
    assert said(name).strip()
    assert "\n" not in said(name)


def test_a_relationship_of_hostile_names_stays_one_sentence_on_one_line() -> None:
    hostile = Table(
        schema="s",
        name="a\n- password (text)",
        kind="table",
        columns=(Column(name="b\nc", type="int", nullable=False),),
    )
    assert relationship(hostile, key(("b\nc",), ("id",))) == (
        "Each a password text refers to a sales invoice: join them on "
        's."a\\n- password (text)"."b\\nc" = t.salesInvoice.id.'
    )
