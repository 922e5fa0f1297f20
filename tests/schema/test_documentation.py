"""Cards of tables: golden files of what people and models read, and the rules behind them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from twd_schema.documentation.cards import Cards, document_tables
from twd_schema.extraction.reading import SchemaReader
from twd_shared.clients.catalog import Connection
from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.models import (
    Column,
    DomainType,
    EnumType,
    ForeignKey,
    Key,
    PartitionOf,
    Snapshot,
    Table,
    TableStatistics,
)

GOLDEN = Path(__file__).parent / "golden"


def reference(columns: tuple[str, ...], table: str, *referenced: str) -> ForeignKey:
    return ForeignKey(
        name=None,
        columns=columns,
        referenced_schema="public",
        referenced_table=table,
        referenced_columns=referenced or ("id",),
    )


def table(name: str, *columns: Column | str, **facts: Any) -> Table:
    made = (Column(name=c, type="integer") if isinstance(c, str) else c for c in columns)
    return Table(schema="public", name=name, columns=tuple(made), **({"kind": "table"} | facts))


def snapshot(*tables: Table, **facts: Any) -> Snapshot:
    whole: dict[str, Any] = {"dialect": "postgresql", "database_name": "shop", **facts}
    return Snapshot(server_version="16.4", tables=tables, **whole)


def card_of(name: str, shop: Snapshot, told: dict[TableName, dict[str, str]] | None = None) -> str:
    return next(card.card for card in document_tables(shop, told or {}) if card.table == name)


SHOP = snapshot(
    table(
        "regions",
        Column(name="country", type="character(2)", nullable=False),
        Column(name="code", type="text", nullable=False),
        comment="Where we sell.\n\n  Two letters a country.",
        primary_key=Key(name="regions_pkey", columns=("country", "code")),
    ),
    table(
        "shopOrders",
        Column(name="id", type="integer", nullable=False, comment="Số đơn hàng"),
        Column(name="regionCountry", type="character(2)"),
        Column(name="regionCode", type="text", comment="long " * 200),
        Column(name="parent_id", type="integer"),
        Column(name="mood", type='"Sales".mood'),
        Column(name="custNm", type="text", comment="Name of the customer"),
        Column(name="channel", type="text"),
        kind="partitioned_table",
        partition_key="RANGE (id)",
        primary_key=Key(name=None, columns=("id",)),
        foreign_keys=(
            reference(("regionCountry", "regionCode"), "regions", "country", "code"),
            reference(("parent_id",), "shopOrders"),
        ),
    ),
    table("nothing"),
    table("order details", "order\nid", comment="Lines\n- of (an) order"),
    Table(
        schema="Sales",
        name="v_totals",
        kind="view",
        columns=(Column(name="total", type="bigint"),),
        definition="SELECT 1",
        depends_on=(
            ("table", "public", "shopOrders"),
            ("routine", "public", "f(integer)"),
            ("table", "public", "order details"),
        ),
    ),
    enums=(EnumType(schema="Sales", name="mood", labels=("sad", "so, so", "ok")),),
    statistics=(
        TableStatistics(
            schema="public", table="shopOrders", categories={"channel": ("phone", "web")}
        ),
    ),
)
TOLD = {
    ("public", "shopOrders"): {"": "What people bought.", "id": "Printed on the\nparcel."},
    ("public", "nothing"): {"gone": "Not told: there is no such column."},
}


def test_cards_read_as_the_golden_file_says() -> None:
    cards = document_tables(SHOP, TOLD)
    text = "\n\n".join(card.card for card in cards) + "\n"
    assert text == (GOLDEN / "shop_cards.txt").read_text(encoding="utf-8")


def test_cards_of_pagila_read_as_the_golden_file_says(
    services: Any, reader: SchemaReader, connection_to: Callable[..., Connection]
) -> None:
    cards = document_tables(reader.read(connection_to(services.source("pagila"))), {})
    text = "\n\n".join(card.card for card in cards) + "\n"
    assert text == (GOLDEN / "pagila_cards.txt").read_text(encoding="utf-8")


def test_the_same_snapshot_gives_the_same_cards() -> None:
    again = msgspec.json.decode(msgspec.json.encode(SHOP), type=Snapshot)
    assert document_tables(SHOP, TOLD) == document_tables(again, TOLD)


def shop_with(name: str, **facts: Any) -> Snapshot:
    """The shop with one of its tables changed."""
    tables = [
        msgspec.structs.replace(item, **facts) if item.name == name else item
        for item in SHOP.tables
    ]
    return msgspec.structs.replace(SHOP, tables=tuple(tables))


@pytest.mark.parametrize(
    ("after", "told", "made_of_something_else"),
    [
        (SHOP, TOLD, []),
        (shop_with("nothing", comment="Something"), TOLD, ["nothing"]),
        (shop_with("nothing", columns=(Column(name="id", type="integer"),)), TOLD, ["nothing"]),
        (
            shop_with("nothing", foreign_keys=(reference(("id",), "regions"),)),
            TOLD,
            ["regions", "nothing"],
        ),
        (shop_with("shopOrders", foreign_keys=()), TOLD, ["regions", "shopOrders"]),
        (shop_with("v_totals", depends_on=()), TOLD, ["v_totals"]),
        (
            msgspec.structs.replace(
                SHOP, enums=(EnumType(schema="Sales", name="mood", labels=("ok",)),)
            ),
            TOLD,
            ["shopOrders"],
        ),
        (msgspec.structs.replace(SHOP, statistics=()), TOLD, ["shopOrders"]),
        (SHOP, {("public", "nothing"): TOLD["public", "nothing"]}, ["shopOrders"]),
        (SHOP, TOLD | {("public", "regions"): {"code": "Of two letters."}}, ["regions"]),
        (
            msgspec.structs.replace(
                SHOP,
                partitions=(
                    table(
                        "shopOrders_1",
                        partition_of=PartitionOf(
                            schema="public", table="shopOrders", bound="DEFAULT"
                        ),
                        foreign_keys=(reference(("id",), "nothing"),),
                    ),
                ),
            ),
            TOLD,
            ["shopOrders", "nothing"],
        ),
    ],
)
def test_a_card_is_made_of_all_that_it_tells(
    after: Snapshot, told: dict[TableName, dict[str, str]], made_of_something_else: list[str]
) -> None:
    before, now = Cards(SHOP, TOLD), Cards(after, told)
    changed = [n for n, made_of in now.fingerprints.items() if before.fingerprints[n] != made_of]
    assert [name for _, name in changed] == made_of_something_else
    for name in now.fingerprints.keys() - set(changed):
        assert now.of(name) == before.of(name)


def test_a_new_label_changes_only_the_cards_that_name_it() -> None:
    enums = (EnumType(schema="Sales", name="mood", labels=("sad", "ok", "happy")),)
    before = document_tables(SHOP, {})
    after = document_tables(msgspec.structs.replace(SHOP, enums=enums), {})
    changed = [
        old.table
        for old, new in zip(before, after, strict=True)
        if old.content_hash != new.content_hash
    ]
    assert changed == ["shopOrders"]


@pytest.mark.parametrize(
    ("column_type", "told"),
    [
        ('"Sales".mood[]', "one of sad, ok"),
        ("public.feeling", "one of sad, ok"),
        ("public.strong_feeling", "one of sad, ok"),
        ("public.feelings", "one of sad, ok"),
        ("public.feelings[]", "one of sad, ok"),
        ("text", ""),
    ],
)
def test_labels_are_told_of_arrays_and_domains_over_an_enum(column_type: str, told: str) -> None:
    shop = snapshot(
        table("days", Column(name="mood", type=column_type)),
        enums=(EnumType(schema="Sales", name="mood", labels=("sad", "ok")),),
        domains=(
            DomainType(schema="public", name="strong_feeling", type="public.feeling"),
            DomainType(schema="public", name="feeling", type='"Sales".mood'),
            DomainType(schema="public", name="feelings", type="public.feeling[]"),
        ),
    )
    line = f"- mood ({column_type}): {told}" if told else f"- mood ({column_type})"
    assert line in card_of("days", shop).splitlines()


# --- relationships ---------------------------------------------------------------------------


def partition(name: str, of: str, *keys: ForeignKey) -> Table:
    place = PartitionOf(schema="public", table=of, bound="DEFAULT")
    return table(name, "id", "customer_id", foreign_keys=keys, partition_of=place)


CUSTOMER = reference(("customer_id",), "customers")


def test_a_key_that_only_partitions_declare_is_told_as_the_parents_and_once() -> None:
    shop = snapshot(
        table("customers", "id"),
        table("payments", "id", "customer_id", kind="partitioned_table"),
        partitions=(
            partition("payments_2025", "payments", CUSTOMER),
            partition("payments_2026", "payments"),
            partition("payments_2026_01", "payments_2026", CUSTOMER),
        ),
    )
    assert card_of("payments", shop).splitlines()[4:] == [
        "Each payments may refer to a customers: "
        "join them on public.payments.customer_id = public.customers.id."
    ]
    assert card_of("customers", shop).splitlines()[3:] == [
        "public.payments refers to it through customer_id."
    ]


def test_a_key_that_parent_and_partitions_declare_is_told_once() -> None:
    shop = snapshot(
        table("customers", "id"),
        table("payments", "customer_id", kind="partitioned_table", foreign_keys=(CUSTOMER,)),
        partitions=(partition("payments_2025", "payments", CUSTOMER),),
    )
    assert card_of("payments", shop).count("refer to a customers") == 1


def test_a_key_to_a_partition_and_a_view_on_one_lead_to_its_parent() -> None:
    shop = snapshot(
        table("notes", "id", foreign_keys=(reference(("id",), "payments_2025"),)),
        table("payments", "id", kind="partitioned_table"),
        table("v", "id", kind="view", depends_on=(("partition", "public", "payments_2025"),)),
        partitions=(partition("payments_2025", "payments"),),
    )
    assert "public.notes refers to it through id." in card_of("payments", shop)
    assert card_of("v", shop).endswith("It reads public.payments.")


def test_a_table_that_everybody_refers_to_tells_of_some_and_counts_the_rest() -> None:
    others = [
        table(f"t{number:03}", "customer_id", foreign_keys=(CUSTOMER,)) for number in range(150)
    ]
    lines = card_of("customers", snapshot(table("customers", "id"), *others)).splitlines()
    assert lines[-2:] == [
        "public.t019 refers to it through customer_id.",
        "130 more foreign keys refer to it.",
    ]


# --- names that a comment or the table tells ----------------------------------------------------


@pytest.mark.parametrize(
    ("name", "comment", "told"),
    [
        ("custaddr", "Address of the customer", "customer address"),
        ("cust_nm", "Customer name", "customer name"),
        ("ord_qty", "Quantity that was ordered", "ordered quantity"),
        ("dept_no", "Number of the department", "department no"),
        ("createdat", "When it was created", "createdat"),
        ("filmid", None, "film id"),
        ("actorname", None, "actor name"),
        ("grid", "A grid of cells", "grid"),
        ("update", "Date of the update", "update"),
    ],
)
def test_glued_and_abbreviated_names_are_told_in_words(
    name: str, comment: str | None, told: str
) -> None:
    column = Column(name=name, type="text", comment=comment)
    shop = snapshot(table("things", "actor", column, foreign_keys=(reference(("x",), "films"),)))
    [line] = [line for line in card_of("things", shop).splitlines() if f"- {name} (" in line]
    said = line.partition("): ")[2].partition(";")[0]
    assert (said if said and said != comment else name) == told


def test_a_glued_table_name_is_told_by_its_columns() -> None:
    assert card_of("filmactor", snapshot(table("filmactor", "film_id", "actor_id"))).startswith(
        "Table public.filmactor: film actor.\n"
    )


def test_names_that_can_be_taken_apart_in_very_many_ways_keep_nobody_busy() -> None:
    parts = [Column(name="a" * length, type="int") for length in range(3, 20)]
    glued = [Column(name="a" * 39 + end, type="int") for end in "bcdef"]
    begun = time.process_time()
    card_of("things", snapshot(table("things", *parts, *glued)))
    assert time.process_time() - begun < 1


# --- hostile schemas ---------------------------------------------------------------------------

HOSTILE = (
    "x (integer)\n- password (text): secret",
    "\x1b[31mred\r\n",
    "a\u2028b\u2029c",
    "\u202etxet",
    "```\n# heading",
    '"; drop table x; --',
)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_name_or_comment_adds_a_line_to_a_card(text: str) -> None:
    hostile = Table(
        schema=text,
        name=text,
        kind="table",
        comment=text,
        columns=(Column(name=text, type=f'"{text}"', comment=text),),
        foreign_keys=(
            ForeignKey(
                name=text,
                columns=(text,),
                referenced_schema=text,
                referenced_table=f"{text}2",
                referenced_columns=(text,),
            ),
        ),
    )
    told = {(text, text): {"": text, text: text}}
    [card] = document_tables(snapshot(hostile), told)
    kinds = [line.split(" ")[0] for line in card.card.splitlines()]
    assert [kinds[0], kinds[3], kinds[4], kinds[5]] == ["Table", "Columns:", "-", "Each"]
    assert len(kinds) == 6


def test_a_secret_in_a_comment_is_in_no_card() -> None:
    column = Column(name="id", type="integer", comment="Read with token=9f2c81aa as well")
    card = card_of("things", snapshot(table("things", column, comment="See ftp://u:9f2c@there")))
    assert "9f2c" not in card
    assert "Read with token=… as well" in card


def test_a_comment_of_megabytes_leaves_the_card_short() -> None:
    column = Column(name="id", type="integer", comment="a\nb " * 1_000_000)
    card = card_of("things", snapshot(table("things", column, comment="word " * 1_000_000)))
    assert len(card) < 1_200
    assert card.count(" …") == 2
