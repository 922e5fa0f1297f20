"""The lexical model: repeatable unit vectors that put words with the same letters together."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twd_local.ollama_server import tokens
from twd_local.ollama_server.lexical import (
    CONTEXT_TOKENS,
    MODELS,
    TWD_LEXICAL,
    TWD_LEXICAL_SMALL,
    LexicalModel,
)


def nearness(one: str, other: str, model: LexicalModel = TWD_LEXICAL) -> float:
    return float(model.embed(one) @ model.embed(other))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@given(text=st.text(st.characters(codec=None)))
def test_any_text_gives_one_unit_vector(model: LexicalModel, text: str) -> None:
    vector = model.embed(text)
    assert vector.shape == (model.dimensions,)
    assert vector.dtype == np.float32
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert np.array_equal(vector, model.embed(text))


def test_the_models_differ_in_dimension_and_digest() -> None:
    assert (TWD_LEXICAL.dimensions, TWD_LEXICAL_SMALL.dimensions) == (768, 256)
    assert TWD_LEXICAL.digest != TWD_LEXICAL_SMALL.digest


def test_an_index_made_before_there_were_two_models_stays_valid() -> None:
    vector = TWD_LEXICAL.embed("film_category · thể loại phim · 顧客の注文 orderDetails2")
    assert hashlib.sha256(vector.tobytes()).hexdigest() == (
        "74a3caec001dbf7157acb19b3a15bb4658fbb31470800f882ffb8e566af41ee6"
    )
    assert TWD_LEXICAL.digest == (
        "1c993662ce4699db34d95b41b3c986760361abf14272a0954a45815b88a7d5f4"
    )


def test_vectors_do_not_depend_on_the_hash_seed_of_the_process() -> None:
    text = "film_category · thể loại phim · 顧客の注文 orderDetails2"
    program = (
        "import hashlib; from twd_local.ollama_server.lexical import TWD_LEXICAL; "
        f"print(hashlib.sha256(TWD_LEXICAL.embed({text!r}).tobytes()).hexdigest())"
    )
    here = hashlib.sha256(TWD_LEXICAL.embed(text).tobytes()).hexdigest()
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


def test_the_small_model_tells_tables_apart_too() -> None:
    assert nearness("customerOrders", "customer_order", TWD_LEXICAL_SMALL) >= 0.999
    assert nearness("customer", "film", TWD_LEXICAL_SMALL) < 0.3


def test_long_hostile_word_is_cheap_and_clipped() -> None:
    text = "x" * 500_000
    clipped, counted, was_cut = tokens.clip_to_tokens(text, CONTEXT_TOKENS)
    assert (counted, was_cut) == (CONTEXT_TOKENS, True)
    assert len(clipped) == CONTEXT_TOKENS
    assert np.linalg.norm(TWD_LEXICAL.embed(text)) == pytest.approx(1, abs=1e-5)


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
