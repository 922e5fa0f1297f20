"""Cards of tables: a golden file of what people and models read, and the rules behind it."""

from __future__ import annotations

from pathlib import Path

from twd_schema.documentation.cards import document_tables
from twd_shared.schema_model.models import Column, EnumType, ForeignKey, Key, Snapshot, Table

GOLDEN = Path(__file__).parent / "golden" / "shop_cards.txt"


def reference(name: str, columns: tuple[str, ...], table: str) -> ForeignKey:
    return ForeignKey(
        name=name,
        columns=columns,
        referenced_schema="public",
        referenced_table=table,
        referenced_columns=("country", "code") if len(columns) == 2 else ("id",),
    )


SHOP = Snapshot(
    dialect="postgresql",
    database_name="shop",
    server_version="16.4",
    enums=(EnumType(schema="Sales", name="mood", labels=("sad", "ok")),),
    tables=(
        Table(
            schema="public",
            name="regions",
            kind="table",
            comment="Where we sell.\n\n  Two letters a country.",
            columns=(
                Column(name="country", type="character(2)", nullable=False),
                Column(name="code", type="text", nullable=False),
            ),
            primary_key=Key(name="regions_pkey", columns=("country", "code")),
        ),
        Table(
            schema="public",
            name="shopOrders",
            kind="partitioned_table",
            columns=(
                Column(name="id", type="integer", nullable=False, comment="Số đơn hàng"),
                Column(name="regionCountry", type="character(2)"),
                Column(name="regionCode", type="text", comment="long " * 200),
                Column(name="parent_id", type="integer"),
                Column(name="mood", type='"Sales".mood'),
            ),
            primary_key=Key(name=None, columns=("id",)),
            foreign_keys=(
                reference("a", ("regionCountry", "regionCode"), "regions"),
                reference("b", ("parent_id",), "shopOrders"),
            ),
        ),
        Table(schema="public", name="nothing", kind="table"),
        Table(
            schema="Sales",
            name="v_totals",
            kind="view",
            columns=(Column(name="total", type="bigint"),),
        ),
    ),
)


def test_cards_read_as_the_golden_file_says() -> None:
    cards = document_tables(SHOP)
    assert "\n\n".join(card.card for card in cards) + "\n" == GOLDEN.read_text(encoding="utf-8")


def test_the_same_snapshot_gives_the_same_hashes() -> None:
    first, second = document_tables(SHOP), document_tables(SHOP)
    assert [card.content_hash for card in first] == [card.content_hash for card in second]


def test_a_new_label_changes_only_the_cards_that_name_it() -> None:
    enums = (EnumType(schema="Sales", name="mood", labels=("sad", "ok", "happy")),)
    before = document_tables(SHOP)
    after = document_tables(
        Snapshot(
            dialect=SHOP.dialect,
            database_name=SHOP.database_name,
            server_version=SHOP.server_version,
            tables=SHOP.tables,
            enums=enums,
        )
    )
    changed = [
        old.table
        for old, new in zip(before, after, strict=True)
        if old.content_hash != new.content_hash
    ]
    assert changed == ["shopOrders"]
