"""Many texts at once: in batches, some too long, on a server that refuses or cuts them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twd_shared.clients.embedding import LONGEST_TEXT, cut_text, embed_within, estimated_length
from twd_shared.clients.ollama import Ollama, TextsTooLong
from twd_shared.errors import EmbeddingRejected, EmbeddingUnavailable, TextTooLong

from .ollama_relay import OllamaRelay

# Each sign is a token of its own: far more tokens than the estimate says.
DENSE = "a1" * 2900
TABLES = [f"table number {number} holds orders" for number in range(300)]


@pytest.fixture
def relay(services: Any) -> Iterator[OllamaRelay]:
    """The real server, remembering what it is asked."""
    made = OllamaRelay(services.ollama)
    yield made
    made.close()


@pytest.fixture
def cutting_relay(services: Any) -> Iterator[OllamaRelay]:
    """The real server, too old to know `truncate`: it cuts at 2,048 tokens and says nothing."""
    made = OllamaRelay(services.ollama, knows_truncate=False)
    yield made
    made.close()


def client_of(relay: OllamaRelay) -> Ollama:
    return Ollama(relay.url, "twd-lexical")


def collected(ollama: Ollama, texts: list[str]) -> tuple[dict[int, list[float]], tuple[int, ...]]:
    """The vectors by place, and the places that were refused."""
    vectors: dict[int, list[float]] = {}
    try:
        for start, part in ollama.embed_batches(texts, "document"):
            vectors.update(enumerate(part, start))
    except TextsTooLong as error:
        return vectors, error.positions
    return vectors, ()


@pytest.mark.integration
def test_batches_of_64_texts_are_asked_for_and_each_vector_has_its_place(
    relay: OllamaRelay,
) -> None:
    ollama = client_of(relay)
    vectors, refused = collected(ollama, TABLES)
    assert sorted(map(len, relay.embedded)) == [44, 64, 64, 64, 64]
    assert refused == ()
    assert [vectors[place] for place in range(300)] == ollama.embed(TABLES, "document")
    assert vectors[150] == ollama.embed([TABLES[150]], "document")[0]


@pytest.mark.integration
def test_six_batches_are_under_way_at_once(services: Any, relay: OllamaRelay) -> None:
    slow = {"path": "/api/embed", "latency_ms": 2000}
    services.ollama_faults.write_text(json.dumps({"rules": [slow]}))
    try:
        client_of(relay).embed(["film"] * 64 * 8, "document")
    finally:
        services.ollama_faults.unlink()
    assert relay.most_at_once == 6


@pytest.mark.integration
def test_an_error_comes_behind_the_batches_that_were_done(
    services: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twd_shared.clients.ollama._ATTEMPTS", 1)
    monkeypatch.setattr("twd_shared.clients.ollama._CONCURRENT_BATCHES", 1)
    broken = {"path": "/api/embed", "skip": 2, "status": 500}
    services.ollama_faults.write_text(json.dumps({"rules": [broken]}))
    taken: list[int] = []
    try:
        with pytest.raises(EmbeddingUnavailable):
            taken.extend(
                start
                for start, _ in Ollama(services.ollama, "twd-lexical").embed_batches(
                    TABLES, "document"
                )
            )
    finally:
        services.ollama_faults.unlink()
    assert taken == [0, 64]


@pytest.mark.integration
def test_a_taker_that_stops_ends_the_calls_that_are_under_way(services: Any) -> None:
    hanging = {"path": "/api/embed", "skip": 1, "latency_ms": 20_000}
    services.ollama_faults.write_text(json.dumps({"rules": [hanging]}))
    started = time.perf_counter()
    try:
        batches = Ollama(services.ollama, "twd-lexical").embed_batches(TABLES, "document")
        next(batches)
        batches.close()
    finally:
        services.ollama_faults.unlink()
    assert time.perf_counter() - started < 10
    assert "twd-background" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.integration
def test_texts_that_are_refused_are_named_and_all_others_embedded(relay: OllamaRelay) -> None:
    texts = list(TABLES)
    texts[7], texts[31], texts[299] = DENSE, DENSE + "b2", DENSE
    vectors, refused = collected(client_of(relay), texts)
    assert refused == (7, 31, 299)
    assert vectors.keys() == set(range(300)) - {7, 31, 299}


@pytest.mark.integration
def test_a_server_that_cuts_without_a_word_is_found_out(cutting_relay: OllamaRelay) -> None:
    texts = list(TABLES[:64])
    texts[5] = "word " * 2100
    vectors, refused = collected(client_of(cutting_relay), texts)
    assert refused == (5,)
    assert vectors.keys() == set(range(64)) - {5}


@pytest.mark.integration
def test_long_texts_that_fit_are_taken_by_a_server_that_cuts(cutting_relay: OllamaRelay) -> None:
    texts = ["customer " * 900, "order " * 1500, *TABLES[:10]]
    vectors, refused = collected(client_of(cutting_relay), texts)
    assert refused == ()
    assert len(vectors) == 12


@pytest.mark.integration
def test_whether_a_server_cuts_is_asked_once(relay: OllamaRelay) -> None:
    ollama = client_of(relay)
    long = ["order " * 1000] * 200
    ollama.embed(long, "document")
    ollama.embed(long, "document")
    assert len([texts for texts in relay.embedded if texts[0].startswith("a a ")]) == 1
    assert relay.paths.count("/api/show") == 1


@pytest.mark.integration
def test_a_question_is_one_request(relay: OllamaRelay) -> None:
    client_of(relay).embed(["Which customers ordered twice?"], "query")
    assert relay.paths == ["/api/embed"]


@pytest.mark.integration
def test_only_the_texts_that_are_refused_are_cut(relay: OllamaRelay) -> None:
    texts = TABLES[:40]
    texts[7], texts[31] = DENSE, DENSE + "b2"
    ollama = client_of(relay)
    vectors = embed_within(ollama, texts, "document")
    cut = relay.embedded[-1]
    assert [len(text) > 1500 for text in cut] == [True, True]
    assert DENSE.startswith(cut[0])
    plain = [place for place in range(40) if place not in (7, 31)]
    expected = ollama.embed([texts[place] for place in plain] + cut, "document")
    assert [vectors[place] for place in [*plain, 7, 31]] == expected


@pytest.mark.integration
def test_texts_that_are_short_enough_are_embedded_whole(relay: OllamaRelay) -> None:
    texts = ["short", "đơn hàng " * 100]
    embed_within(client_of(relay), [*texts, "x" * 100_000], "document")
    [asked] = relay.embedded
    assert asked[:2] == texts
    assert len(asked[2]) == LONGEST_TEXT


def test_nothing_to_embed_asks_nobody() -> None:
    assert embed_within(Ollama("http://127.0.0.1:9", "m"), [], "document") == []


def test_a_model_that_refuses_any_length_ends_in_the_error(http_server: Any) -> None:
    http_server.status = 400
    http_server.answer({"error": "the input length exceeds the context length"})
    with pytest.raises(TextTooLong):
        embed_within(Ollama(http_server.url, "m"), ["word " * 1000], "document")


def test_a_refusal_for_another_reason_cuts_nothing(http_server: Any) -> None:
    http_server.status = 400
    http_server.answer({"error": "invalid input"})
    with pytest.raises(EmbeddingRejected, match="invalid input"):
        embed_within(Ollama(http_server.url, "m"), ["word " * 1000, "other"], "document")


@pytest.mark.parametrize("longest", [0, -1])
def test_where_nothing_fits_nothing_is_left_of_a_text(longest: int) -> None:
    assert cut_text("text", longest) == ""


@given(st.text(st.sampled_from("ađ💥 _1"), max_size=9000))
def test_a_cut_text_is_the_longest_beginning_within_the_limit(text: str) -> None:
    cut = cut_text(text)
    assert text.startswith(cut)
    assert estimated_length(cut) <= LONGEST_TEXT
    assert cut == text or estimated_length(cut) > LONGEST_TEXT - 6


@pytest.mark.integration
def test_texts_that_are_made_one_by_one_are_embedded_while_others_are_made(services: Any) -> None:
    first_is_embedded = threading.Event()

    def making() -> Iterator[str]:
        yield from TABLES[:64]
        # Not made before the first batch has come back.
        assert first_is_embedded.wait(10)
        yield TABLES[64]

    starts: list[int] = []
    for start, _ in Ollama(services.ollama, "twd-lexical").embed_batches(making(), "document"):
        starts.append(start)
        first_is_embedded.set()
    assert starts == [0, 64]


@pytest.mark.integration
def test_an_error_in_making_texts_is_the_takers(services: Any) -> None:
    def making() -> Iterator[str]:
        yield from TABLES[:64]
        raise LookupError("no more tables")

    with pytest.raises(LookupError, match="no more tables"):
        list(Ollama(services.ollama, "twd-lexical").embed_batches(making(), "document"))
