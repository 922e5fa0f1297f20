"""Token budgets: measured on the real server, and never below what it counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twd_local.ollama_server.tokens import clip_to_tokens
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.token_budget import (
    CONSERVATIVE,
    SAMPLES,
    Sample,
    TokenBudget,
    TokenRates,
    budget,
    estimated_tokens,
    measured_rates,
)

from .ollama_relay import OllamaRelay

# Made-up counts of the order that an English WordPiece vocabulary gives.
WORD_PIECES: dict[Sample, int | None] = {
    "identifiers": 150,
    "prose": 55,
    "accented": 110,
    "scripts": 150,
}


@pytest.fixture(scope="module")
def relay(services: Any) -> Iterator[OllamaRelay]:
    made = OllamaRelay(services.ollama)
    yield made
    made.close()


@pytest.fixture(scope="module")
def measured(relay: OllamaRelay) -> TokenBudget:
    return Ollama(relay.url, "twd-lexical").token_budget()


@pytest.mark.integration
def test_measuring_takes_four_short_texts_and_is_not_repeated(services: Any) -> None:
    relay = OllamaRelay(services.ollama)
    ollama = Ollama(relay.url, "twd-lexical")
    first, second = ollama.token_budget(), ollama.token_budget()
    relay.close()
    assert first == second
    assert sorted(relay.embedded) == sorted([text] for text in SAMPLES.values())


# Words of one script each: the model counts a word of Latin and Thai letters otherwise.
WORDS = st.text("abcXYZ019_-.(),\n\tđơệßñ") | st.text("客の한ก📦Дж")


@pytest.mark.integration
@settings(max_examples=300)
@given(words=st.lists(WORDS))
def test_no_text_is_estimated_below_what_the_model_counts(
    measured: TokenBudget, words: list[str]
) -> None:
    text = " ".join(words)
    assert measured.tokens(text) >= clip_to_tokens(text, 10**9)[1]


@pytest.mark.integration
def test_ordinary_text_is_not_estimated_far_above_it(measured: TokenBudget) -> None:
    text = "customer_id integer NOT NULL, -- which customer ordered\n" * 20
    assert measured.tokens(text) <= 1.4 * clip_to_tokens(text, 10**9)[1]


@pytest.mark.integration
def test_a_text_at_the_limit_is_taken_by_the_server(services: Any, measured: TokenBudget) -> None:
    word = "customer_order_line_item, "
    text = ""
    while measured.fits(text + word):
        text += word
    assert len(Ollama(services.ollama, "twd-lexical").embed([text], "document")) == 1


@given(text=st.text(max_size=300))
def test_what_fits_is_within_the_limit(text: str) -> None:
    made = TokenBudget(40, CONSERVATIVE)
    assert made.fits(text) == (made.tokens(text) <= made.limit)


@given(text=st.text(max_size=300))
def test_no_estimate_is_above_the_bytes_of_a_text(text: str) -> None:
    assert estimated_tokens(text, TokenRates(9, 9, 9)) <= len(text.encode())


@pytest.mark.parametrize("sample", SAMPLES)
def test_no_sample_is_estimated_below_its_count(sample: Sample) -> None:
    rates = measured_rates(WORD_PIECES)
    counted = WORD_PIECES[sample]
    assert counted is not None
    assert estimated_tokens(SAMPLES[sample], rates) >= counted


def test_a_denser_tokenizer_gives_higher_rates() -> None:
    dense = measured_rates(WORD_PIECES | {"identifiers": 220, "accented": 200, "scripts": 300})
    usual = measured_rates(WORD_PIECES)
    assert dense.plain > usual.plain
    assert dense.accented > usual.accented
    assert dense.other > usual.other


def test_a_server_that_counts_nothing_is_assumed_the_worst(http_server: Any) -> None:
    http_server.answer({"models": [], "embeddings": [[1.0]], "model_info": {}})
    assert Ollama(http_server.url, "m").token_budget() == TokenBudget(504, CONSERVATIVE)


@pytest.mark.parametrize(
    ("declared", "limit"), [(512, 504), (2048, 2040), (8192, 2040), (None, 504)]
)
def test_no_more_is_relied_on_than_every_server_reads(declared: int | None, limit: int) -> None:
    assert budget(CONSERVATIVE, context_tokens=declared, prefix="").limit == limit


def test_the_prefix_of_documents_is_subtracted() -> None:
    made = budget(CONSERVATIVE, context_tokens=2048, prefix="search_document: ")
    assert made.limit == 2040 - estimated_tokens("search_document: ", CONSERVATIVE)
