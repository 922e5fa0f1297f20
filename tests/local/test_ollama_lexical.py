"""The lexical model: repeatable unit vectors that put words with the same letters together."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twd_local.ollama_server import lexical, tokens


def nearness(one: str, other: str) -> float:
    return float(lexical.embed(one) @ lexical.embed(other))


@given(st.text(st.characters(codec=None)))
def test_any_text_gives_one_unit_vector(text: str) -> None:
    vector = lexical.embed(text)
    assert vector.shape == (768,)
    assert vector.dtype == np.float32
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert np.array_equal(vector, lexical.embed(text))


def test_vectors_do_not_depend_on_the_hash_seed_of_the_process() -> None:
    text = "film_category · thể loại phim · 顧客の注文 orderDetails2"
    program = (
        "import hashlib; from twd_local.ollama_server import lexical; "
        f"print(hashlib.sha256(lexical.embed({text!r}).tobytes()).hexdigest())"
    )
    here = hashlib.sha256(lexical.embed(text).tobytes()).hexdigest()
    for hash_seed in ("1", "77"):
        there = subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert there.stdout.strip() == here


@pytest.mark.parametrize(
    ("one", "other", "at_least"),
    [
        ("customerOrders", "customer_orders", 0.999),
        ("CUSTOMER ORDER", "customer_orders", 0.999),
        ("categories", "category", 0.999),
        ("search_query: film", "film", 0.999),
        ("search_document: hóa đơn", "hóa đơn", 0.999),
        ("hóa đơn", "hoa don", 0.6),
        ("顧客の注文", "顧客注文", 0.4),
        ("custmoer", "customer", 0.1),
        ("Which films were rented?", "film rental", 0.4),
    ],
)
def test_same_words_are_near(one: str, other: str, at_least: float) -> None:
    assert nearness(one, other) >= at_least


def test_other_words_and_sql_noise_are_far() -> None:
    assert nearness("customer", "film") < 0.1
    assert nearness("invoice", "thể loại") < 0.1
    full = "CREATE TABLE film (film_id integer NOT NULL PRIMARY KEY)"
    assert nearness(full, "film") > 0.8
    assert nearness(full, "CREATE TABLE actor (actor_id integer NOT NULL PRIMARY KEY)") < 0.2


def test_long_hostile_word_is_cheap_and_clipped() -> None:
    text = "x" * 500_000
    clipped, counted, was_cut = tokens.clip_to_tokens(text, lexical.CONTEXT_TOKENS)
    assert (counted, was_cut) == (lexical.CONTEXT_TOKENS, True)
    assert len(clipped) == lexical.CONTEXT_TOKENS
    assert np.linalg.norm(lexical.embed(text)) == pytest.approx(1, abs=1e-5)


@settings(max_examples=50)
@given(st.text(max_size=60), st.integers(min_value=0, max_value=40))
def test_clipping_keeps_a_beginning_that_fits(text: str, limit: int) -> None:
    clipped, counted, was_cut = tokens.clip_to_tokens(text, limit)
    assert text.startswith(clipped)
    assert counted <= limit
    assert tokens.clip_to_tokens(clipped, limit)[2] is False
    assert was_cut == (tokens.clip_to_tokens(text, 10**9)[1] > limit)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HTTPServerID2name", ["http", "server", "id", "2", "name"]),
        ("film_actor.actor-id", ["film", "actor", "actor", "id"]),
        ("hóa_đơn", ["hóa", "đơn"]),
        ("注文2", ["注", "文", "注文", "2"]),
        ("  \t!?", []),
    ],
)
def test_words_of_identifiers(text: str, expected: list[str]) -> None:
    assert list(tokens.words(text)) == expected
