"""Documents of the index: their payload, what their hashes are of, and whose words they tell."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from twd_schema.documentation.cards import document_tables
from twd_schema.indexing import documents as documents_module
from twd_schema.indexing.documents import Document, each_document
from twd_shared.clients.catalog import Connection
from twd_shared.clients.index_layout import point_id
from twd_shared.clients.token_budget import TokenBudget, TokenRates
from twd_shared.schema_model.models import (
    Column,
    EnumType,
    ForeignKey,
    Key,
    Snapshot,
    Table,
    TableStatistics,
)
from twd_shared.store.documentation import TableCard
from twd_shared.terms.sparse import question_terms

CANARY = "canary-9f2c"
SHOP = Connection("7", "shop", "postgresql", True, f"postgresql://u:{CANARY}@h/shop")
BUDGET = TokenBudget(2000, TokenRates(plain=0.5, accented=1.0, other=3.0))


def key(table: str, *columns: str) -> ForeignKey:
    return ForeignKey(
        name=None,
        columns=columns,
        referenced_schema="public",
        referenced_table=table,
        referenced_columns=("id",),
    )


ORDERS = Table(
    schema="public",
    name="orders",
    kind="table",
    comment="What a customer bought",
    columns=(
        Column(name="id", type="integer", nullable=False, default="nextval('s')"),
        Column(name="customer_id", type="integer", comment="Who bought"),
        Column(name="mood", type="public.mood"),
        Column(name="channel", type="text"),
    ),
    primary_key=Key(name="orders_pkey", columns=("id",)),
    foreign_keys=(key("customers", "customer_id"),),
)
LINES = Table(
    schema="public",
    name="lines",
    kind="table",
    columns=(Column(name="order_id", type="integer"),),
    foreign_keys=(key("orders", "order_id"),),
)
CUSTOMERS = Table(
    schema="public", name="customers", kind="table", columns=(Column(name="id", type="integer"),)
)


def snapshot(*tables: Table, channels: tuple[str, ...] = ("phone", "web")) -> Snapshot:
    return Snapshot(
        dialect="postgresql",
        database_name="shop",
        server_version="16",
        tables=tables,
        enums=(EnumType(schema="public", name="mood", labels=("sad", "ok")),),
        statistics=(
            TableStatistics(schema="public", table="orders", categories={"channel": channels}),
        ),
    )


WHOLE = snapshot(CUSTOMERS, LINES, ORDERS)


def document(
    whole: Snapshot = WHOLE,
    cards: Sequence[TableCard] = (),
    table: str = "orders",
    version: int = 1,
) -> Document:
    """The only document of the table."""
    made = each_document(SHOP, whole, version, cards, BUDGET)
    [found] = [item for item in made if item.payload["table_name"] == table]
    return found


def finds(question: str, found: Document) -> bool:
    """Whether the question shares a whole word with the document."""
    [word] = [i for i, w in zip(*_parts(question), strict=True) if w >= 1]
    return word in found.terms.indices


def _parts(question: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
    terms = question_terms(question)
    return terms.indices, terms.values


def test_a_text_is_the_card_and_the_ddl_under_the_databases_name() -> None:
    assert document().text == (
        "Database: shop\n"
        "Table public.orders: orders.\n"
        "What a customer bought\n"
        "Columns:\n"
        "- id (integer, primary key, required)\n"
        "- customer_id (integer): customer id; Who bought\n"
        "- mood (public.mood): one of sad, ok\n"
        "- channel (text): one of phone, web\n"
        "Each orders may refer to a customers: "
        "join them on public.orders.customer_id = public.customers.id.\n"
        "public.lines refers to it through order_id.\n"
        "\n"
        "CREATE TABLE public.orders (\n"
        "    id integer DEFAULT nextval('s') NOT NULL,\n"
        "    customer_id integer,\n"
        "    mood public.mood,\n"
        "    channel text,\n"
        "    CONSTRAINT orders_pkey PRIMARY KEY (id),\n"
        "    FOREIGN KEY (customer_id) REFERENCES public.customers(id)\n"
        ");"
    )


def test_the_payload_holds_what_readers_of_the_index_need() -> None:
    payload = dict(document().payload)
    ddl, card = payload.pop("ddl"), payload.pop("card")
    assert "COMMENT ON COLUMN public.orders.customer_id IS 'Who bought'" in ddl
    assert card == document_tables(WHOLE, {})[2].card
    assert msgspec.json.decode(msgspec.json.encode(payload)) == {
        "connection_id": "7",
        "database_name": "shop",
        "schema_name": "public",
        "table_name": "orders",
        "kind": "table",
        "chunk": 0,
        "chunk_count": 1,
        "column_count": 4,
        "columns": [
            {
                "name": "id",
                "type": "integer",
                "nullable": False,
                "primary_key": True,
                "default": "nextval('s')",
            },
            {
                "name": "customer_id",
                "type": "integer",
                "nullable": True,
                "primary_key": False,
                "comment": "Who bought",
            },
            {"name": "mood", "type": "public.mood", "nullable": True, "primary_key": False},
            {"name": "channel", "type": "text", "nullable": True, "primary_key": False},
        ],
        "foreign_keys": [
            {
                "columns": ["customer_id"],
                "referenced_schema": "public",
                "referenced_table": "customers",
                "referenced_columns": ["id"],
            }
        ],
        "referenced_by": [
            {
                "schema_name": "public",
                "table_name": "lines",
                "columns": ["order_id"],
                "referenced_columns": ["id"],
            }
        ],
        "words": [
            "bought",
            "channel",
            "custom",
            "id",
            "mood",
            "ok",
            "order",
            "phone",
            "sad",
            "web",
        ],
        "snapshot_version": 1,
    }


def test_the_point_is_the_tables_own() -> None:
    assert document().point_id == point_id("7", "public", "orders", 0)


def test_no_connection_string_reaches_a_document() -> None:
    for item in each_document(SHOP, WHOLE, 1, (), BUDGET):
        assert CANARY not in msgspec.json.encode([item.text, item.payload]).decode()


@pytest.mark.parametrize("comment", [None, f"Orders from there, as password={CANARY}"])
def test_no_secret_of_a_view_a_default_or_a_comment_reaches_a_document(comment: str | None) -> None:
    secret = f"'host=there password={CANARY}'"
    remote = Table(
        schema="public",
        name="remote",
        kind="view",
        columns=(Column(name="id", type="integer", default=f"f({secret})", comment=comment),),
        definition=f"SELECT t.id FROM dblink({secret}, 'select 1'::text) t(id integer)",
        comment=comment,
    )
    made = document(snapshot(remote), table="remote")
    assert CANARY not in str(made)
    assert "dblink('…', 'select 1'::text)" in made.text


def test_another_version_of_the_same_schema_changes_no_hash() -> None:
    old, new = document(version=1), document(version=2)
    assert (old.text_hash, old.content_hash) == (new.text_hash, new.content_hash)
    assert (old.payload["snapshot_version"], new.payload["snapshot_version"]) == (1, 2)


def test_a_comment_changes_both_hashes_of_its_table_alone() -> None:
    changed = msgspec.structs.replace(ORDERS, comment="What a customer sent back")
    before = list(each_document(SHOP, WHOLE, 1, (), BUDGET))
    after = list(each_document(SHOP, snapshot(CUSTOMERS, LINES, changed), 1, (), BUDGET))
    assert [
        (old.text_hash == new.text_hash, old.content_hash == new.content_hash)
        for old, new in zip(before, after, strict=True)
    ] == [(True, True), (True, True), (False, False)]


def test_a_referrer_that_the_text_only_counts_is_written_but_not_embedded_again() -> None:
    def hub(*names: str) -> Snapshot:
        referrers = (msgspec.structs.replace(LINES, name=name) for name in names)
        return snapshot(CUSTOMERS, *referrers, ORDERS)

    many = [f"t{number:02}" for number in range(25)]
    old, new = document(hub(*many, "x1")), document(hub(*many, "x2"))
    assert (old.text_hash == new.text_hash, old.content_hash == new.content_hash) == (True, False)
    assert [one["table_name"] for one in new.payload["referenced_by"]] == [*many, "x2"]


@pytest.mark.parametrize("revision", ["TERMS_REVISION", "_WORDS_REVISION"])
def test_other_rules_for_terms_write_every_point_but_embed_none(
    revision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = document()
    monkeypatch.setattr(documents_module, revision, -1)
    after = document()
    assert before.text_hash == after.text_hash
    assert before.content_hash != after.content_hash


# --- documentation ---------------------------------------------------------------------------


def test_the_documentation_reaches_text_card_and_terms() -> None:
    told = {("public", "orders"): {"": "Purchases.", "channel": "Salesperson or internet."}}
    found = document(cards=document_tables(WHOLE, told))
    for text in (found.text, found.payload["card"]):
        assert "Purchases." in text
        assert "- channel (text): one of phone, web; Salesperson or internet" in text
    assert finds("purchase", found)
    assert finds("salesperson", found)
    assert "salesperson" in found.payload["words"]


def test_values_of_columns_are_those_that_were_documented() -> None:
    cards = document_tables(snapshot(CUSTOMERS, LINES, ORDERS, channels=("fax",)), {})
    found = document(cards=cards)
    assert "- channel (text): one of fax\n" in found.text
    assert finds("fax", found)
    assert not finds("phone", found)


def test_documentation_of_an_older_version_tells_no_column_that_is_gone() -> None:
    told = {("public", "orders"): {"mood": "Feeling", "channel": "How it came in"}}
    cards = document_tables(WHOLE, told)
    without = msgspec.structs.replace(ORDERS, columns=ORDERS.columns[:2] + ORDERS.columns[3:])
    found = document(snapshot(CUSTOMERS, LINES, without), cards)
    assert "Feeling" not in found.text
    assert "How it came in" in found.text


def test_a_glued_name_is_found_by_its_words() -> None:
    glued = msgspec.structs.replace(CUSTOMERS, name="custinvoice", comment="Invoice of a customer")
    found = document(snapshot(glued), table="custinvoice")
    assert finds("custinvoice", found)
    assert finds("customer", found)


def test_a_view_whose_query_is_not_shown_has_no_ddl() -> None:
    hidden = msgspec.structs.replace(CUSTOMERS, kind="view")
    found = document(snapshot(hidden), table="customers")
    assert found.payload["ddl"] == ""
    assert (
        found.text == "Database: shop\nView public.customers: customers.\nColumns:\n- id (integer)"
    )
