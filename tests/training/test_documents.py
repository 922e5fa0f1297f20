"""What a knowledge base holds, how it is worded and under which ids and names."""

from __future__ import annotations

import uuid

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twd_shared.schema_model.ddl import table_ddl
from twd_shared.schema_model.models import Column, PartitionOf, Table
from twd_shared.store.documentation import TableCard
from twd_training.examples.models import Kind, TrainingItem
from twd_training.knowledge_base.documents import (
    Document,
    EmbeddedText,
    content_hash_of,
    documents_of,
)
from twd_training.knowledge_base.integrity import shortened_ddl
from twd_training.knowledge_base.material import Material
from twd_training.knowledge_base.names import PARTS, alias_of, collection_of, version_in

from .conftest import CUSTOMER, INVOICE, snapshot_of


def item(kind: Kind, content: str, question: str | None = None) -> TrainingItem:
    return TrainingItem(uuid.uuid4(), kind, question, content, "h", ("public.customer",), True)


def test_documents_come_from_tables_keys_cards_and_users() -> None:
    cards = [
        TableCard("public", "customer", "People who buy.", "h", "f"),
        TableCard("public", "dropped", "Gone.", "h", "f"),
    ]
    items = [item("documentation", "VIPs pay late."), item("question_sql", "select 1", "One?")]
    documents = documents_of(snapshot_of(CUSTOMER, INVOICE), cards, items)
    assert sorted((d.part, d.source) for d in documents) == [
        ("ddl", "schema"),
        ("ddl", "schema"),
        ("documentation", "card"),
        ("documentation", "relationship"),
        ("documentation", "user"),
        ("sql", "user"),
    ]
    assert not any("Gone" in d.text for d in documents)


def test_ddl_of_a_table_with_ordinary_comments_is_published_whole() -> None:
    commented = msgspec.structs.replace(CUSTOMER, comment="People who buy. " * 500)
    [document] = documents_of(snapshot_of(commented), [], [])
    assert document.text == table_ddl(commented, "postgresql")


def test_a_password_in_the_query_of_a_view_is_not_published() -> None:
    secret = "'host=there password=canary-77'"
    remote = Table(
        schema="public",
        name="remote",
        kind="view",
        columns=CUSTOMER.columns,
        definition=f"SELECT * FROM dblink({secret}, 'select 1'::text) t(id integer)",
    )
    [document] = documents_of(snapshot_of(remote), [], [])
    assert "canary-77" not in document.text
    assert "dblink('…', 'select 1'::text)" in document.text


def test_ddl_that_was_cut_need_not_name_each_column() -> None:
    columns = tuple(
        Column(name=f"c{number}", type="text", default=f"'{'word ' * 400}'")
        for number in range(900)
    )
    snapshot = snapshot_of(Table(schema="public", name="wide", kind="table", columns=columns))
    [document] = made = documents_of(snapshot, [], [])
    assert len(document.text) <= 1_000_002
    assert "c899" not in document.text
    assert shortened_ddl(Material(1, snapshot, (), (), made)) == []


def test_a_key_that_only_a_partition_declares_is_told_of_its_table_once() -> None:
    key = INVOICE.foreign_keys[0]
    event = Table(schema="public", name="event", kind="partitioned_table", columns=INVOICE.columns)
    partitions = tuple(
        msgspec.structs.replace(
            event,
            name=name,
            kind="table",
            foreign_keys=(key,),
            partition_of=PartitionOf(schema="public", table="event", bound="DEFAULT"),
        )
        for name in ("event_2025", "event_2026")
    )
    snapshot = msgspec.structs.replace(snapshot_of(CUSTOMER, event), partitions=partitions)
    [told] = [one for one in documents_of(snapshot, [], []) if one.source == "relationship"]
    assert told.tables == ("public.event", "public.customer")
    assert "public.event.customer_id = public.customer.customer_id" in told.text


def test_a_key_to_a_partition_tells_of_the_table_that_is_asked() -> None:
    key = msgspec.structs.replace(INVOICE.foreign_keys[0], referenced_table="customer_eu")
    partition = msgspec.structs.replace(
        CUSTOMER,
        name="customer_eu",
        partition_of=PartitionOf(schema="public", table="customer", bound="DEFAULT"),
    )
    snapshot = msgspec.structs.replace(
        snapshot_of(CUSTOMER, msgspec.structs.replace(INVOICE, foreign_keys=(key,))),
        partitions=(partition,),
    )
    [told] = [one for one in documents_of(snapshot, [], []) if one.source == "relationship"]
    assert told.tables == ("public.invoice", "public.customer")
    assert "customer_eu" not in told.text


def test_the_same_content_is_held_once_and_order_does_not_matter() -> None:
    one, two = item("documentation", "a"), item("documentation", "b")
    first = documents_of(snapshot_of(CUSTOMER, INVOICE), [], [one, two, one])
    second = documents_of(snapshot_of(INVOICE, CUSTOMER), [], [two, one])
    assert first == second
    assert content_hash_of(first) == content_hash_of(reversed(second))
    assert content_hash_of(first) != content_hash_of(first[1:])


def test_ids_and_payloads_are_those_that_vanna_gives_the_same_content() -> None:
    # Made with vanna 0.7.9: vanna.utils.deterministic_uuid of the text that Vanna embeds.
    pair = Document("sql", "user", "select 1", (), "One?")
    assert pair.searchable == "Question: One?\n\nSQL: select 1"
    assert pair.point_id == "43a1e7a0-1cd0-5e94-9320-ce787e2eb78c"
    assert {"question", "sql"} <= pair.payload("m").keys()
    ddl = Document("ddl", "schema", "CREATE TABLE t (a int);", ())
    assert ddl.point_id == "d20d9e5d-a06f-58b4-b1d4-f6981d0b87e5"
    assert ddl.payload("m")["ddl"] == ddl.text
    assert ddl.langchain_payload("m")["page_content"] == ddl.text


def test_pairs_and_texts_are_remembered_as_vanna_2_saves_them_and_ddl_is_not() -> None:
    pair = Document("sql", "user", "select 1", ("public.t",), "One?")
    # The keys that vanna 2.0.2's save_tool_usage and save_text_memory write.
    saved = pair.memory_payload("m")
    assert saved.keys() == {"question", "tool_name", "args", "timestamp", "success", "metadata"}
    assert (saved["tool_name"], saved["args"], saved["success"]) == (
        "run_sql",
        {"sql": "select 1"},
        True,
    )
    assert pair.remembered == EmbeddedText("One?", "query")
    note = Document("documentation", "card", "Things.", ("public.t",))
    text = note.memory_payload("m")
    assert text.keys() - {"metadata"} == {"content", "timestamp", "is_text_memory"}
    assert note.remembered == note.content
    # Of its newest memories Vanna 2 shows the pairs.
    assert saved["timestamp"] > text["timestamp"]
    assert Document("ddl", "schema", "CREATE TABLE t ();", ()).remembered is None


KEYS = st.from_regex(r"[A-Za-z0-9_.-]{1,12}", fullmatch=True) | st.sampled_from(
    ["a", "a_ddl", "a_ddl_v1", "kb_a", "a_sql_v2_sql", "a_v1"]
)


@given(KEYS, KEYS, st.sampled_from(PARTS), st.sampled_from(PARTS), st.integers(1, 30))
def test_names_of_two_connections_never_meet(
    one: str, other: str, part: str, other_part: str, version: int
) -> None:
    collection = collection_of(one, part, version)  # pyright: ignore[reportArgumentType]
    assert version_in(one, collection) == version
    assert alias_of(one, part) != collection  # pyright: ignore[reportArgumentType]
    if one != other:
        assert version_in(other, collection) is None
        assert collection != collection_of(other, other_part, version)  # pyright: ignore[reportArgumentType]
        assert alias_of(one, part) != alias_of(other, other_part)  # pyright: ignore[reportArgumentType]


def test_a_name_that_is_no_partition_key_is_refused() -> None:
    with pytest.raises(ValueError, match="no partition key"):
        alias_of('x"/../y', "ddl")
