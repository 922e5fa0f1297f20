"""The gate before a knowledge base is served: each fault is held back, and nothing else is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from time import monotonic, sleep
from typing import Any

import pytest
from qdrant_client.models import PointStruct

from twd_shared.errors import EmbeddingUnavailable, IndexUnavailable, ModelUnavailable
from twd_shared.retrieval.questions import LabelledQuestion
from twd_shared.retrieval.scoring import Score
from twd_shared.schema_model.ddl import table_ddl
from twd_shared.schema_model.models import Column, Table
from twd_training.evaluation import gate, retrievers
from twd_training.evaluation.gate import Examination
from twd_training.evaluation.retrievers import KnowledgeBaseQuestions, contexts_of
from twd_training.examples.store import TrainingSet
from twd_training.knowledge_base import documents, embedding, material
from twd_training.knowledge_base.collections import Collections, Stored
from twd_training.knowledge_base.documents import Document
from twd_training.knowledge_base.material import read_material
from twd_training.knowledge_base.versions import ModelVersions
from twd_training.knowledge_base.withdrawal import wrong_documents

from .conftest import Location, snapshot_of
from .faulty_model import FaultyModelServer
from .trained_shop import TABLES, TrainedShop, in_schema, table

pytestmark = pytest.mark.integration

PREFIX = "Represent this sentence for searching relevant passages: "


@pytest.fixture
def model(ollama_url: str) -> Iterator[FaultyModelServer]:
    made = FaultyModelServer(ollama_url)
    yield made
    made.close()


@pytest.fixture
def shop(location: Location, model: FaultyModelServer) -> TrainedShop:
    """A shop with twelve tables and two pairs, trained and served as version 1."""
    made = TrainedShop(location, model.url)
    made.read()
    made.teach("Who are our customers?", "select full_name from customer")
    made.teach("What do we have in stock?", "select quantity from stock")
    made.train()
    assert made.live.version == 1
    return made


def without(source: str) -> Callable[..., list[Document]]:
    made = documents.documents_of

    def documents_of(*inputs: Any) -> list[Document]:
        return [document for document in made(*inputs) if document.source != source]

    return documents_of


# --- faults ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("schema", "The DDL of 12 of 12 tables is missing (public.campaign, "),
        ("relationship", "The sentence of 5 of 5 relationships is missing"),
        ("card", "The card of 12 of 12 tables is missing (public.campaign, "),
        ("user", "The document of 2 of 2 accepted items is missing"),
    ],
)
def test_a_dropped_kind_of_document_is_held_back(
    shop: TrainedShop, monkeypatch: pytest.MonkeyPatch, source: str, said: str
) -> None:
    before = shop.served_texts()
    monkeypatch.setattr(material, "documents_of", without(source))
    published = shop.train().published
    assert published.version is not None
    assert (published.version.version, shop.live.version) == (1, 1)
    assert "documents_missing" in shop.rules()
    assert shop.held is not None
    assert said in shop.held.held_reason
    assert shop.served_texts() == before


def test_a_first_version_that_lacks_a_kind_is_not_served(
    location: Location, model: FaultyModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = TrainedShop(location, model.url)
    shop.read()
    monkeypatch.setattr(material, "documents_of", without("card"))
    published = shop.train().published
    assert published.version is None
    assert shop.collections.served() is None
    assert shop.rules() == {"documents_missing"}
    monkeypatch.undo()
    assert shop.train().published.held is None
    assert shop.live.version == 2


def test_documentation_that_was_lost_is_held_back(shop: TrainedShop) -> None:
    shop.location.store.documentation.delete(shop.location.connection_id)
    shop.train()
    assert shop.rules() == {"documents_missing"}
    assert shop.held is not None
    assert "no card of any of 12 tables" in shop.held.held_reason


def test_a_shortened_table_is_held_back(shop: TrainedShop, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*arguments: Any) -> str:
        ddl = table_ddl(*arguments)
        return ddl[: ddl.index("budget")] if "campaign" in ddl else ddl

    monkeypatch.setattr(documents, "short_ddl", cut)
    shop.train()
    assert shop.rules() == {"text_shortened"}
    assert shop.held is not None
    assert shop.held.held_reason == ("The DDL of 1 of 12 tables lacks columns (public.campaign).")
    assert any("budget" in text for text in shop.served_texts())


def test_a_table_with_megabytes_of_comments_is_published_with_some_of_them(
    shop: TrainedShop,
) -> None:
    columns = tuple(
        Column(name=f"c{number}", type="text", comment="word " * 5000) for number in range(1600)
    )
    wide = Table(schema="public", name="wide", kind="table", columns=columns)
    snapshots = shop.location.store.snapshots
    snapshots.save(shop.location.connection_id, snapshot_of(*shop.tables, wide))
    assert shop.train().published.held is None
    [ddl] = [text for text in shop.served_texts() if "public.wide" in text]
    assert 500_000 < len(ddl) <= 1_000_002


def test_text_that_is_read_back_shorter_than_it_was_written_is_held_back(
    shop: TrainedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload_of = Document.langchain_payload

    def cut(self: Document, model: str) -> dict[str, Any]:
        payload = payload_of(self, model)
        return payload | {"page_content": payload["page_content"][:40]}

    write = Collections.write

    def write_cut(self: Collections, *arguments: Any) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Document, "langchain_payload", cut)
            write(self, *arguments)

    monkeypatch.setattr(Collections, "write", write_cut)
    shop.change("campaign", "agency")
    shop.train()
    assert shop.rules() == {"content_altered"}


def test_the_stand_in_model_does_not_ignore_the_wrong_prefix(
    shop: TrainedShop, model: FaultyModelServer
) -> None:
    [right] = shop.ollama.embed(["customers"], "document")
    model.prefix = PREFIX
    [wrong] = shop.ollama.embed(["customers"], "document")
    assert sum(a * b for a, b in zip(right, wrong, strict=True)) < 0.9


@pytest.mark.parametrize("fault", ["prefix", "swap"])
def test_vectors_that_are_not_of_the_model_as_it_is_now_are_held_back(
    shop: TrainedShop, model: FaultyModelServer, fault: str
) -> None:
    if fault == "prefix":
        model.prefix = PREFIX
    else:
        model.is_swapped = True
    shop.change("campaign", "agency")
    shop.train()
    assert "vectors_foreign" in shop.rules()
    assert shop.live.version == 1


@pytest.fixture
def foreign(location: Location, model: FaultyModelServer) -> TrainedShop:
    """A shop whose version 2 is held, as it has vectors of when the model was wrong."""
    shop = TrainedShop(location, model.url)
    shop.read()
    model.prefix = PREFIX
    shop.train()
    model.prefix = ""
    shop.change("campaign", "agency")
    shop.train()
    return shop


def test_vectors_of_a_model_that_was_wrong_before_are_held_back(foreign: TrainedShop) -> None:
    assert foreign.rules() == {"vectors_foreign"}


def test_a_person_may_say_that_the_model_is_right_as_it_is_now(foreign: TrainedShop) -> None:
    shop = foreign
    shop.decisions.promote()
    assert shop.live.version == 2
    shop.change("voucher", "owner")
    # All that is served is the model's own now: nothing is foreign any more.
    assert shop.train().published.held is None


def pulled_again(model: FaultyModelServer) -> Callable[[list[str]], None]:
    """While texts are embedded, the server gets another model of that name."""

    def instead(texts: list[str]) -> None:
        if texts != ["dimension"]:
            model.digest = "f" * 64

    return instead


def test_a_model_that_is_pulled_again_meanwhile_makes_no_version(
    shop: TrainedShop, model: FaultyModelServer
) -> None:
    shop.change("campaign", "agency")
    model.instead = pulled_again(model)
    with pytest.raises(EmbeddingUnavailable, match="was pulled again or removed"):
        shop.train()
    assert (shop.live.version, shop.held, shop.collections.present()) == (1, None, {1})
    assert shop.train().published.held is None
    assert shop.live.model_digest == model.digest


def test_a_version_is_not_promoted_whose_model_is_pulled_again_while_it_is_embedded(
    foreign: TrainedShop, model: FaultyModelServer
) -> None:
    shop = foreign
    model.instead = pulled_again(model)
    with pytest.raises(EmbeddingUnavailable, match="was pulled again or removed"):
        shop.decisions.promote()
    assert shop.live.version == 1
    assert shop.train().published.held is None
    assert shop.live.model_digest == model.digest


def test_a_model_that_works_again_needs_no_person(
    shop: TrainedShop, model: FaultyModelServer
) -> None:
    model.prefix = PREFIX
    shop.change("campaign", "agency")
    shop.train()
    shop.train()
    assert shop.alerts() == [("failure", True)]
    model.prefix = ""
    published = shop.train().published
    assert published.held is None
    assert any("agency" in text for text in shop.served_texts())
    assert shop.alerts() == [("failure", False), ("recovered", True)]


def test_a_swapped_model_that_agrees_with_itself_is_held_back_for_what_it_finds(
    shop: TrainedShop, model: FaultyModelServer
) -> None:
    model.digest, model.is_swapped = "f" * 64, True
    shop.train()
    assert shop.rules() == {"scores_fell"}
    assert shop.live.model_digest != "f" * 64


def test_the_live_version_is_remembered_by_its_scores_when_its_model_is_gone(
    shop: TrainedShop, model: FaultyModelServer
) -> None:
    model.digest, model.is_swapped = "f" * 64, True
    shop.train()
    assert shop.held is not None
    comparison = shop.held.comparison or {}
    assert comparison["live_is_recorded"] is True
    assert comparison["live"]["recall_at_5"] > 0.9 > comparison["candidate"]["recall_at_5"]
    assert "as when it was made with its own model" in shop.held.held_reason


def test_figures_over_other_questions_are_not_compared(
    shop: TrainedShop, model: FaultyModelServer
) -> None:
    model.digest = "f" * 64
    # Some of the questions are made from the columns.
    shop.change("campaign", "advertising_agency")
    assert shop.train().published.held is None
    comparison = shop.live.comparison or {}
    assert "live" not in comparison
    assert comparison["not_compared"].startswith("version 1, which is served, cannot be compared")


def test_what_cannot_be_compared_and_finds_too_little_is_held_back(
    shop: TrainedShop, model: FaultyModelServer
) -> None:
    model.digest, model.is_swapped = "f" * 64, True
    shop.change("campaign", "advertising_agency")
    shop.train()
    assert shop.rules() == {"scores_low"}
    assert shop.held is not None
    assert "of TWD_RECALL_BOUND, and version 1, which is served," in shop.held.held_reason
    assert not shop.train(tolerance=1).published.is_new
    # By another bound it is judged again.
    assert shop.train(least_recall=0).published.held is None


def test_a_better_model_is_served(shop: TrainedShop, model: FaultyModelServer) -> None:
    model.digest = "f" * 64
    assert shop.train().published.held is None
    assert shop.live.model_digest == "f" * 64


# --- what is good ---------------------------------------------------------------------------


def test_changes_that_people_make_are_served(shop: TrainedShop) -> None:
    changes: list[Callable[[], object]] = [
        lambda: shop.change("campaign", "agency"),
        lambda: shop.tables.pop(),
        lambda: shop.tables.append(table("parcel", "tracking_code", refers_to="delivery")),
        lambda: shop.teach("Which campaigns are there?", "select slogan from campaign"),
        lambda: shop.location.execute("delete from training_data where content like '%%stock%%'"),
        lambda: shop.location.execute("update training_data set content = content || ' limit 5'"),
    ]
    for number, change in enumerate(changes, start=2):
        change()
        shop.read()
        published = shop.train().published
        assert published.held is None, published.held
        assert shop.live.version == number
    assert shop.alerts() == []


def test_a_change_of_many_equal_schemas_is_served(
    location: Location, model: FaultyModelServer
) -> None:
    shop = TrainedShop(location, model.url)
    shop.tables = [
        table for number in range(20) for table in in_schema(f"tenant_{number:02}", *TABLES)
    ]
    shop.read()
    assert shop.train().published.held is None
    changes = {"campaign": "agency", "voucher": "owner", "customer": "nickname"}
    for number, (name, column) in enumerate(changes.items(), start=2):
        shop.change(name, column)
        published = shop.train().published
        assert published.held is None, published.held
        assert shop.live.version == number


def test_runs_without_a_change_ask_nothing_and_hold_nothing(
    shop: TrainedShop, model: FaultyModelServer
) -> None:
    shop.ollama.embedding_model()
    model.embedded = 0
    for _ in range(20):
        published = shop.train().published
        assert (published.held, published.is_new, published.embedded) == (None, False, 0)
    assert model.embedded == 0
    assert len(shop.rows()) == 1


def test_a_fall_within_the_tolerance_is_served(shop: TrainedShop, model: FaultyModelServer) -> None:
    model.digest, model.is_swapped = "f" * 64, True
    assert shop.train(tolerance=1).published.held is None


def test_what_is_held_for_its_recall_is_judged_again_by_another_tolerance(
    shop: TrainedShop, model: FaultyModelServer
) -> None:
    model.digest, model.is_swapped = "f" * 64, True
    assert shop.train().published.held is not None
    model.embedded = 0
    published = shop.train(tolerance=1).published
    assert (published.held, published.embedded, shop.held) == (None, 0, None)
    assert shop.live.model_digest == "f" * 64
    assert shop.alerts() == [("failure", False), ("recovered", True)]


def test_what_a_person_left_is_not_served_for_another_tolerance(
    shop: TrainedShop, model: FaultyModelServer
) -> None:
    model.digest, model.is_swapped = "f" * 64, True
    shop.train()
    shop.decisions.promote()
    shop.decisions.go_back()
    assert shop.train(tolerance=1).published.held is not None
    assert shop.live.version == 1


def test_a_question_beyond_the_models_context_stops_no_training(shop: TrainedShop) -> None:
    question = "Which customers are these? " + "a1" * 40_000
    shop.teach(question, "select full_name from customer")
    shop.train()
    assert any(question in text for text in shop.served_texts())
    items = TrainingSet(shop.location.database).accepted(shop.location.connection_id)
    [pair] = [item for item in items if item.question == question]
    [context] = contexts_of([pair], shop.live, shop.collections, shop.ollama)
    assert len(context.documentation) == 10


def test_two_pairs_that_are_one_text_hold_nothing_back(shop: TrainedShop) -> None:
    shop.teach("Who?", "select 'a\n\nSQL: select full_name from customer --'")
    shop.teach("Who?\n\nSQL: select 'a", "select full_name from customer --'")
    shop.train()
    assert (shop.held, shop.live.question_sql_count) == (None, 3)


def test_a_lost_pair_is_held_back_whose_sql_another_pair_has(
    shop: TrainedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.teach("Who buys?", "select full_name from customer")
    shop.change("campaign", "agency")

    def without_one(*inputs: Any) -> list[Document]:
        return [one for one in documents.documents_of(*inputs) if one.question != "Who buys?"]

    monkeypatch.setattr(material, "documents_of", without_one)
    shop.train()
    assert shop.rules() == {"documents_missing"}


def test_a_pair_is_not_found_by_another_sql_of_its_question(shop: TrainedShop) -> None:
    shop.location.execute(
        "update training_data set content = 'select customer_id from customer'"
        " where question = 'Who are our customers?'"
    )
    shop.train()
    comparison = shop.live.comparison or {}
    assert comparison["candidate"] == comparison["live"]


# --- held -----------------------------------------------------------------------------------


@pytest.fixture
def holding(shop: TrainedShop, monkeypatch: pytest.MonkeyPatch) -> TrainedShop:
    """The shop with version 2 held: a column is new, and the cards are lost by a fault."""
    shop.change("campaign", "agency")
    monkeypatch.setattr(material, "documents_of", without("card"))
    shop.train()
    assert shop.held is not None
    return shop


def test_a_held_version_is_recorded_and_told_once(holding: TrainedShop) -> None:
    held = holding.held
    assert held is not None
    assert (held.version, held.is_live) == (2, False)
    comparison = held.comparison or {}
    assert comparison["live_version"] == 1
    assert {"candidate", "live", "findings", "question_set_hash", "tolerance"} <= comparison.keys()
    assert holding.collections.counts(2) is not None
    holding.train()
    assert holding.alerts() == [("failure", True)]


def test_the_same_content_stays_held_and_asks_nothing(
    holding: TrainedShop, model: FaultyModelServer
) -> None:
    holding.ollama.embedding_model()
    model.embedded = 0
    published = holding.train().published
    assert published.held is not None
    assert (published.held.version, published.is_new) == (2, False)
    assert model.embedded == 0


def test_new_content_takes_the_place_of_what_is_held(holding: TrainedShop) -> None:
    holding.change("voucher", "owner")
    holding.train()
    assert holding.held is not None
    assert holding.held.version == 3
    assert holding.collections.present() == {1, 3}


def test_a_good_version_ends_the_alert(
    holding: TrainedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    holding.train()
    assert (holding.live.version, holding.held) == (3, None)
    assert holding.alerts() == [("failure", False), ("recovered", True)]


def test_what_is_held_again_after_it_was_over_is_told_again(
    holding: TrainedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    holding.train()
    monkeypatch.setattr(material, "documents_of", without("card"))
    holding.train()
    assert holding.alerts() == [("failure", False), ("recovered", True), ("failure", True)]


def test_the_content_that_is_served_ends_what_is_held(
    shop: TrainedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(material, "documents_of", without("card"))
    shop.train()
    monkeypatch.undo()
    published = shop.train().published
    assert (published.is_new, shop.live.version, shop.held) == (False, 1, None)
    assert shop.collections.present() == {1}
    assert shop.alerts() == [("failure", False), ("recovered", True)]


# --- withdrawal -----------------------------------------------------------------------------


def hold_with(shop: TrainedShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(material, "documents_of", without("card"))
    shop.train()
    assert shop.held is not None


def test_what_the_schema_has_made_wrong_is_not_served_although_a_version_is_held(
    shop: TrainedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.tables = [item for item in shop.tables if item.name != "review"]
    shop.change("campaign", "agency")
    hold_with(shop, monkeypatch)
    texts = shop.served_texts()
    assert not [text for text in texts if "review" in text]
    # The old DDL of the changed table is wrong too; the card of it has not changed by it.
    assert not [text for text in texts if "CREATE TABLE public.campaign" in text]
    assert [text for text in texts if "CREATE TABLE public.voucher" in text]
    assert [text for text in texts if text.startswith("Table public.voucher")]


def test_what_a_user_took_back_is_not_served_although_a_version_is_held(
    shop: TrainedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.location.execute("delete from training_data where content like '%%stock%%'")
    hold_with(shop, monkeypatch)
    pairs = [text for text in shop.served_texts() if text.startswith("Question")]
    assert pairs == ["Question: Who are our customers?\n\nSQL: select full_name from customer"]
    for part in ("sql", "langchain", "memory"):
        points = shop.collections.payloads(1, part).values()  # pyright: ignore[reportArgumentType]
        assert not [point for point in points if "in stock" in str(point)]


def test_what_only_the_code_has_changed_stays_served(
    shop: TrainedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shop.served_texts()
    monkeypatch.setattr(documents, "relationship", lambda *_: "In other words.")
    hold_with(shop, monkeypatch)
    assert shop.served_texts() == before


def test_the_row_of_the_live_version_says_what_is_left(
    shop: TrainedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shop.live
    shop.tables = [item for item in shop.tables if item.name != "review"]
    shop.read()
    hold_with(shop, monkeypatch)
    after = shop.live
    assert after.ddl_count == before.ddl_count - 1 == 11
    assert after.content_hash != before.content_hash
    monkeypatch.undo()
    shop.tables = list(shop.tables)
    shop.train()
    assert shop.live.version == 3


def test_a_model_server_that_is_down_keeps_nothing_wrong_served(shop: TrainedShop) -> None:
    shop.tables = [item for item in shop.tables if item.name != "review"]
    shop.read()
    shop.ollama = type(shop.ollama)("http://127.0.0.1:9", shop.ollama.embed_model)
    with pytest.raises(EmbeddingUnavailable):
        shop.train()
    assert not [text for text in shop.served_texts() if "review" in text]


# --- while it is built ----------------------------------------------------------------------


def test_a_candidate_is_asked_nothing_before_it_is_whole(
    shop: TrainedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its questions are embedded long before, as its last documents are slow to be written."""
    write, search = Collections.write, Collections.search
    held_when_asked: list[int] = []

    def slow_write(*args: Any) -> None:
        sleep(0.5)
        write(*args)

    def watched_search(self: Collections, version: int, *args: Any, **options: Any) -> Any:
        counts = self.counts(version)
        held_when_asked.append(counts["langchain"] if counts else 0)
        return search(self, version, *args, **options)

    monkeypatch.setattr(Collections, "write", slow_write)
    monkeypatch.setattr(Collections, "search", watched_search)
    shop.change("campaign", "agency")
    shop.train()
    assert held_when_asked[0] == len(shop.served_texts())


def test_a_question_is_not_embedded_again_that_the_model_has_just_embedded_for_its_pair(
    shop: TrainedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed_each, asked = retrievers.embed_each, list[str]()

    def watched(ollama: Any, texts: list[str], *options: Any) -> Any:
        asked.extend(texts)
        return embed_each(ollama, texts, *options)

    monkeypatch.setattr(retrievers, "embed_each", watched)
    new = ["How many do we keep of each?", "How full is the store?", "What is left?"]
    for question in new:
        shop.teach(question, "select quantity from stock")
    shop.train()
    assert not {*new} & {*asked}
    # The vector of this pair was taken over from before: the model is asked what it gives now.
    assert "Who are our customers?" in asked
    assert len(asked) + len(new) == (shop.live.comparison or {})["question_count"]


@pytest.mark.parametrize(("soon_seconds", "are_begun_early"), [(30, True), (0, False)])
def test_the_last_documents_of_a_slow_server_do_not_wait_behind_the_questions(
    shop: TrainedShop, monkeypatch: pytest.MonkeyPatch, soon_seconds: int, are_begun_early: bool
) -> None:
    begun_early: list[bool] = []
    monkeypatch.setattr(Examination, "prepare", lambda _: begun_early.append(True))
    monkeypatch.setattr(embedding, "_SOON_SECONDS", soon_seconds)
    shop.change("campaign", "agency")
    shop.train()
    assert bool(begun_early) is are_begun_early
    assert (shop.live.comparison or {})["question_count"]


def test_a_version_that_cannot_be_built_leaves_nothing_going_on(
    shop: TrainedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Collections, "write", _refused)
    shop.change("campaign", "agency")
    with pytest.raises(IndexUnavailable):
        shop.train()
    assert not _going_on()


def test_of_a_version_whose_collections_cannot_be_made_no_document_is_embedded(
    shop: TrainedShop, model: FaultyModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = threading.Event()
    asked: list[str] = []

    def refuse(*_: object) -> None:
        refused.set()
        _refused()

    def watch(texts: list[str]) -> None:
        asked.extend(texts)
        assert refused.wait(20)

    monkeypatch.setattr(Collections, "create", refuse)
    shop.teach("Which campaigns are there?", "select slogan from campaign")
    shop.change("campaign", "agency")
    model.instead = watch
    with pytest.raises(IndexUnavailable):
        shop.train()
    # The question of the pair is.
    assert "Which campaigns are there?" in asked
    assert not [text for text in asked if text.startswith("CREATE TABLE")]


def test_a_version_that_cannot_be_built_waits_for_no_answer_to_its_questions(
    shop: TrainedShop, model: FaultyModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, is_over = threading.Event(), threading.Event()
    answered: list[bool] = []

    def hang(texts: list[str]) -> None:
        if _are_of_the_gate(texts):
            asked.set()
            answered.append(not is_over.wait(20))

    def refused_when_asked(*_: object) -> None:
        assert asked.wait(20)
        _refused()

    monkeypatch.setattr(Collections, "write", refused_when_asked)
    shop.change("campaign", "agency")
    model.instead = hang
    with pytest.raises(IndexUnavailable):
        shop.train()
    assert not answered
    assert not _going_on()
    is_over.set()


def test_a_version_that_cannot_be_read_back_waits_for_no_answer_to_its_sample(
    shop: TrainedShop, model: FaultyModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, asked, is_over = threading.Event(), threading.Event(), threading.Event()
    embedded, payloads = gate.embedded, Collections.payloads

    def begin(*arguments: Any) -> Any:
        begun.set()
        return embedded(*arguments)

    def hang(_: list[str]) -> None:
        if begun.is_set():
            asked.set()
            is_over.wait(20)

    def refused_when_asked(self: Collections, version: int, part: Any) -> Any:
        if version == 1:
            return payloads(self, version, part)
        assert asked.wait(20)
        return _refused()

    monkeypatch.setattr(gate, "embedded", begin)
    monkeypatch.setattr(Collections, "payloads", refused_when_asked)
    shop.change("campaign", "agency")
    model.instead = hang
    started = monotonic()
    with pytest.raises(IndexUnavailable):
        shop.train()
    assert monotonic() - started < 15
    assert not _going_on()
    is_over.set()


def test_a_model_that_is_gone_while_its_questions_are_embedded_is_no_judgement(
    shop: TrainedShop, model: FaultyModelServer
) -> None:
    """Else both versions would find nothing, and the new one be as good as the live one."""
    shop.change("campaign", "agency")
    model.instead = lambda texts: (
        (404, {"error": "model not found"}) if _are_of_the_gate(texts) else None
    )
    with pytest.raises(ModelUnavailable):
        shop.train()
    assert (shop.live.version, shop.held) == (1, None)
    model.instead = lambda _: None
    shop.train()
    assert (shop.live.comparison or {})["candidate"]["recall_at_5"] > 0.9


def _are_of_the_gate(texts: list[str]) -> bool:
    """No document says this."""
    return any("records are there" in text for text in texts)


def _going_on() -> set[str]:
    names = {one.name for one in threading.enumerate()}
    return {name for name in names if name.startswith(("twd-gate", "twd-background"))}


def _refused(*_: object) -> None:
    raise IndexUnavailable("Qdrant is full.")


# --- killed ---------------------------------------------------------------------------------


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("owner", "step"),
    [
        (Collections, "write"),
        (Examination, "verdict"),
        (ModelVersions, "record"),
        (Collections, "serve"),
        (ModelVersions, "make_live"),
        (ModelVersions, "forget_collections"),
    ],
)
def test_a_run_that_is_killed_before_any_step_is_made_good_by_the_next(
    shop: TrainedShop, monkeypatch: pytest.MonkeyPatch, owner: type, step: str
) -> None:
    shop.change("campaign", "agency")
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, _killed)
        with pytest.raises(KeyboardInterrupt):
            shop.train()
    assert shop.collections.served() in (1, 2)
    shop.train()
    live = shop.live
    assert any("agency" in text for text in shop.served_texts())
    assert (live.comparison or {})["live_version"] == 1
    assert shop.held is None
    assert shop.collections.present() == {1, live.version}


@pytest.mark.parametrize(
    ("owner", "step"),
    [
        (ModelVersions, "record"),
        (ModelVersions, "change_content"),
        (Collections, "delete"),
        (ModelVersions, "count"),
        (ModelVersions, "forget_collections"),
    ],
)
def test_a_run_that_is_killed_while_it_holds_back_is_made_good_by_the_next(
    shop: TrainedShop, monkeypatch: pytest.MonkeyPatch, owner: type, step: str
) -> None:
    shop.tables = [item for item in shop.tables if item.name != "review"]
    shop.read()
    monkeypatch.setattr(material, "documents_of", without("card"))
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, _killed)
        with pytest.raises(KeyboardInterrupt):
            shop.train()
    shop.train()
    assert shop.held is not None
    assert (shop.live.version, shop.live.ddl_count) == (1, 11)
    assert not [text for text in shop.served_texts() if "review" in text]
    assert shop.alerts() == [("failure", True)]


def test_a_run_that_is_killed_before_it_serves_is_asked_for_again(
    shop: TrainedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shop.versions.trained_snapshots()
    shop.change("campaign", "agency")
    with monkeypatch.context() as patch:
        patch.setattr(Collections, "serve", _killed)
        with pytest.raises(KeyboardInterrupt):
            shop.train()
    assert shop.versions.trained_snapshots() == before


def test_a_point_that_a_reader_wrote_does_not_stop_training(shop: TrainedShop) -> None:
    for part in ("langchain", "memory", "ddl"):
        shop.client.upsert(
            f"kb_{shop.location.key}_{part}",
            [
                PointStruct(
                    id=7,
                    vector=[1.0] * shop.live.dimension,
                    payload={"page_content": "x", "question": "x", "metadata": None},
                )
            ],
        )
    shop.change("campaign", "agency")
    shop.train()
    assert any("agency" in text for text in shop.served_texts())


def test_a_card_that_names_what_is_gone_is_wrong(shop: TrainedShop) -> None:
    texts = {"a": "shop.refund refers to it.", "b": "It stands alone."}
    stored = {
        key: Stored("documentation", "card", ("shop.customer",), text, None, None)
        for key, text in texts.items()
    }
    material_now = read_material(shop.location.connection_id, shop.location.database)
    assert wrong_documents(stored, material_now, {"shop.refund"}) == {"a"}


def test_a_pair_is_no_help_to_another_of_the_same_sql_however_that_is_written(
    shop: TrainedShop,
) -> None:
    sql = "select discount_rate from voucher"
    asked = LabelledQuestion("Zzqq xxww", frozenset({"public.voucher"}), "user", "en", sql)
    shop.teach("Zzqq xxww?", sql)
    scores: list[list[Score]] = []
    for written in (sql, "SELECT discount_rate\n  FROM voucher;"):
        shop.location.execute(
            "update training_data set content = %s where question = 'Zzqq xxww?'", written
        )
        shop.train()
        live = shop.live
        questions = KnowledgeBaseQuestions([asked], shop.collections, shop.ollama)
        scores.append(questions.scores(live.version, live.model, live.dimension))
    assert scores[0] == scores[1]
    assert [score.mrr for score in scores[0]] != [1.0]
