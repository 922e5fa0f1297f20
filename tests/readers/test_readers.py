"""Vanna 0.7, Vanna 2 and LangChain, used as docs/training.md says, read what was published."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from twd_shared.clients.embedding_models import prefix_of
from twd_training.knowledge_base.collections import Collections
from twd_training.knowledge_base.names import PARTS, alias_of

from ..shared.ollama_relay import OllamaRelay
from ..training.conftest import CUSTOMER, INVOICE, WAREHOUSE, Location
from .conftest import CHAPTERS, Reader, ReaderError, Readers, Training, chapters

pytestmark = pytest.mark.integration

NAMES = ("Who are our customers?", "select full_name from customer")
TOTAL = ("What is the total of all invoices?", "select sum(total_amount) from invoice")
NOTE = "Customers who pay late are called debtors."
DOCUMENTATION = "training_data_type == 'documentation'"
WITHOUT_TOTAL = msgspec.structs.replace(INVOICE, columns=INVOICE.columns[:2])

# Everything that Vanna 2 remembers, however little it is like a question.
ALL_OF_VANNA_2 = """
LOWEST = -1.0

context = ToolContext(
    user=User(id="server"), conversation_id="1", request_id="1", agent_memory=memory
)

async def texts():
    found = await memory.search_text_memories("tables", context, limit=50)
    return [one.memory.content for one in found]

async def recent_pairs():
    return [one.question for one in await memory.get_recent_memories(context, limit=1)]
"""


PROMPTS_KEPT = """
prompts = []

def submit_prompt(self, prompt, **kwargs):
    prompts.append(prompt)
    return "select 1"

Engine.submit_prompt = submit_prompt
"""


class Everyone:
    """A reader of each kind, all started before what they are asked is published or changed."""

    def __init__(self, readers: Readers, key: str) -> None:
        self.vanna: Reader = readers.vanna(key)
        self.vanna2: Reader = readers.vanna2(key)
        self.vanna2.run(ALL_OF_VANNA_2)
        self.langchain: Reader = readers.langchain(key)

    def ddl(self) -> list[str]:
        """All DDL, when the readers agree on it; Vanna 2 has no place for it."""
        return agreed(
            self.vanna("vn.get_related_ddl('tables')"),
            self.langchain(
                "[one.page_content for one in"
                " store.similarity_search('tables', k=50, filter=only('ddl'))]"
            ),
        )

    def pairs(self) -> list[tuple[str, str]]:
        """All questions with their SQL, when the readers agree on them."""
        return agreed(
            self.vanna(
                "[(one['question'], one['sql']) for one in vn.get_similar_question_sql('tables')]"
            ),
            self.vanna2("similar_pairs('tables')"),
            self.langchain("similar_pairs('tables')"),
        )

    def texts(self) -> list[str]:
        """All documentation, when the readers agree on it."""
        return agreed(
            self.vanna("[*vn.get_training_data().query(kind)['content']]", kind=DOCUMENTATION),
            self.vanna2("texts()"),
            self.langchain(
                "[one.page_content for one in"
                " store.similarity_search('tables', k=50, filter=only('documentation'))]"
            ),
        )


def agreed(*answers: list[object]) -> list:
    """What all of them answered, in a fixed order."""
    first, *others = [sorted(map(_hashable, answer)) for answer in answers]
    assert all(other == first for other in others)
    return first


def _hashable(item: object) -> object:
    return tuple(item) if isinstance(item, list) else item


def teach(location: Location, *pairs: tuple[str, str]) -> None:
    for question, sql in pairs:
        location.teach(sql, question)


def test_every_reader_finds_what_the_first_training_published(
    location: Location, training: Training, readers: Readers
) -> None:
    teach(location, NAMES, TOTAL)
    location.teach(NOTE)
    training.run(location)
    everyone = Everyone(readers, location.key)
    assert [text.split(" (")[0] for text in everyone.ddl()] == [
        "CREATE TABLE public.customer",
        "CREATE TABLE public.invoice",
        "CREATE TABLE stock.warehouse",
    ]
    assert everyone.pairs() == sorted([NAMES, TOTAL])
    # A user's, three cards and the key of the invoice.
    texts = everyone.texts()
    assert len(texts) == 5
    assert NOTE in texts
    assert "Table public.customer of the shop." in texts


def test_every_reader_finds_the_same_where_qdrant_takes_filters_by_indexed_keys_alone(
    location: Location, training: Training, readers: Readers, client: QdrantClient
) -> None:
    teach(location, NAMES, TOTAL)
    training.run(location)
    for part in PARTS:
        # As Qdrant Cloud sets it for every new collection.
        strict = models.StrictModeConfig(enabled=True, unindexed_filtering_retrieve=False)
        client.update_collection(alias_of(location.key, part), strict_mode_config=strict)
    by_text = models.FieldCondition(key="content", match=models.MatchValue(value="any"))
    with pytest.raises(UnexpectedResponse, match="Index required"):
        client.count(alias_of(location.key, "memory"), models.Filter(must=[by_text]))
    everyone = Everyone(readers, location.key)
    assert len(everyone.ddl()) == 3
    assert everyone.pairs() == sorted([NAMES, TOTAL])
    assert len(everyone.texts()) == 4
    assert len(everyone.vanna2("recent_pairs()")) == 1


def test_the_same_question_finds_its_pair_first_in_every_reader(
    location: Location, training: Training, readers: Readers
) -> None:
    teach(location, NAMES, TOTAL)
    training.run(location)
    everyone = Everyone(readers, location.key)
    for question, sql in (NAMES, TOTAL):
        found = everyone.vanna("vn.get_similar_question_sql(question)[0]['sql']", question=question)
        assert found == sql
        assert everyone.vanna2("similar_pairs(question)", question=question)[0][1] == sql
        assert everyone.langchain("similar_pairs(question)", question=question)[0][1] == sql


def test_vannas_prompt_holds_the_ddl_the_notes_and_the_pairs(
    location: Location, training: Training, readers: Readers
) -> None:
    teach(location, NAMES)
    location.teach(NOTE)
    training.run(location)
    vanna = readers.vanna(location.key)
    # There is no language model here: what it would be sent is what counts.
    vanna.run(PROMPTS_KEPT)
    assert vanna("vn.generate_sql('How many customers are debtors?')") == "select 1"
    prompt = " ".join(message["content"] for message in vanna("prompts[-1]"))
    assert "PostgreSQL" in prompt
    assert "CREATE TABLE public.customer (" in prompt
    assert NOTE in prompt
    assert NAMES[1] in prompt


def test_a_dropped_column_is_named_to_no_reader(
    location: Location, training: Training, readers: Readers
) -> None:
    teach(location, NAMES, TOTAL)
    training.run(location)
    everyone = Everyone(readers, location.key)
    assert any("total_amount" in text for text in everyone.ddl())
    location.read_schema(CUSTOMER, WITHOUT_TOTAL, WAREHOUSE)
    training.run(location)
    assert everyone.pairs() == [NAMES]
    assert len(everyone.ddl()) == 3
    assert not any("total_amount" in text for text in [*everyone.ddl(), *everyone.texts()])


def test_two_databases_with_the_same_tables_are_never_mixed_up(
    location: Location, other: Location, training: Training, readers: Readers
) -> None:
    teach(location, NAMES)
    teach(other, TOTAL)
    for one in (location, other):
        one.read_schema(CUSTOMER, INVOICE)
        training.run(one)
    assert Everyone(readers, location.key).pairs() == [NAMES]
    assert Everyone(readers, other.key).pairs() == [TOTAL]


def test_a_removed_database_is_found_by_nobody_and_the_others_stay(
    location: Location, other: Location, training: Training, readers: Readers
) -> None:
    for one in (location, other):
        one.read_schema(CUSTOMER, INVOICE)
        teach(one, NAMES)
        training.run(one)
    everyone = Everyone(readers, location.key)
    training.remove(location)
    for reader, question in (
        (everyone.vanna, "vn.get_similar_question_sql('customers')"),
        (everyone.vanna, "vn.get_related_ddl('customers')"),
        (everyone.vanna2, "similar_pairs('customers')"),
        (everyone.langchain, "similar_pairs('customers')"),
    ):
        with pytest.raises(ReaderError, match="404"):
            reader(question)
    assert Everyone(readers, other.key).pairs() == [NAMES]


def test_a_reader_that_goes_on_running_follows_to_the_next_version_and_back(
    location: Location, training: Training, readers: Readers, client: QdrantClient
) -> None:
    teach(location, NAMES)
    training.run(location)
    everyone = Everyone(readers, location.key)
    assert everyone.pairs() == [NAMES]
    teach(location, TOTAL)
    training.run(location)
    assert everyone.pairs() == sorted([NAMES, TOTAL])
    collections = Collections(client, location.key)
    assert collections.served() == 2
    collections.serve(1)
    assert everyone.pairs() == [NAMES]


def test_vanna_gives_our_content_the_ids_that_we_gave_it(
    location: Location, training: Training, readers: Readers, client: QdrantClient
) -> None:
    teach(location, NAMES)
    location.teach(NOTE)
    training.run(location)
    vanna = readers.vanna(location.key)
    before = vanna("sorted(vn.get_training_data()['id'])")
    [ddl, *_] = vanna("vn.get_related_ddl('customers')")
    added = [
        vanna("vn.train(question=question, sql=sql)", question=NAMES[0], sql=NAMES[1]),
        vanna("vn.train(documentation=text)", text=NOTE),
        vanna("vn.train(ddl=text)", text=ddl),
    ]
    assert set(added) <= set(before)
    assert vanna("sorted(vn.get_training_data()['id'])") == before
    assert vanna("vn.remove_training_data(id=id)", id=added[0]) is True
    assert client.count(alias_of(location.key, "sql")).count == 0


def test_a_vanna_that_was_started_too_early_reads_what_comes_later(
    location: Location, training: Training, readers: Readers
) -> None:
    vanna = readers.vanna(location.key)
    assert vanna("vn.get_related_ddl('customers')") == []
    with pytest.raises(ReaderError, match="404"):
        readers.langchain(location.key)
    teach(location, NAMES)
    training.run(location)
    assert len(vanna("vn.get_related_ddl('customers')")) == 3
    assert Everyone(readers, location.key).pairs() == [NAMES]


def test_questions_carry_the_prefix_that_the_model_was_trained_with(
    services: Any, location: Location, training: Training, readers: Readers
) -> None:
    training.run(location)
    relay = OllamaRelay(services.ollama)
    everyone = Everyone(readers.with_prefixes(relay.url), location.key)
    prefixed = [prefix_of("nomic-embed-text", "query") + "Who pays?"]
    for ask in (
        lambda: everyone.vanna("vn.get_related_ddl('Who pays?')"),
        lambda: everyone.vanna2("similar_pairs('Who pays?')"),
        lambda: everyone.langchain("similar_pairs('Who pays?')"),
    ):
        relay.embedded.clear()
        ask()
        assert relay.embedded == [prefixed]
    relay.close()


def test_all_code_of_the_document_is_run() -> None:
    assert chapters().keys() == CHAPTERS.keys()


def test_vanna_2_shows_pairs_as_its_recent_memories(
    location: Location, training: Training, readers: Readers
) -> None:
    teach(location, NAMES)
    training.run(location)
    vanna2 = readers.vanna2(location.key)
    vanna2.run(ALL_OF_VANNA_2)
    assert vanna2("recent_pairs()") == [NAMES[0]]


def test_langchain_finds_tables_in_documents_of_different_content(
    location: Location, training: Training, readers: Readers
) -> None:
    training.run(location)
    langchain = readers.langchain(location.key)
    tables = langchain("sorted(tables_of('Which customers have no invoice?'))")
    assert {"public.customer", "public.invoice"} <= set(tables)
