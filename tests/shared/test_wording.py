"""Names and foreign keys in words, as cards, documents and questions say them."""

from __future__ import annotations

import pytest

from twd_shared.schema_model.models import Column, ForeignKey, Table
from twd_shared.schema_model.wording import relationship, words


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
