"""Prefixes of embedding models, by the names that Ollama knows them by."""

from __future__ import annotations

import pytest

from twd_shared.clients.embedding_models import prefix_of

PASSAGES = "Represent this sentence for searching relevant passages: "


@pytest.mark.parametrize(
    ("model", "document", "query"),
    [
        ("nomic-embed-text", "search_document: ", "search_query: "),
        ("nomic-embed-text-v2-moe", "search_document: ", "search_query: "),
        ("mxbai-embed-large", "", PASSAGES),
        ("snowflake-arctic-embed", "", PASSAGES),
        ("snowflake-arctic-embed:22m", "", PASSAGES),
        ("snowflake-arctic-embed2", "", "query: "),
        ("snowflake-arctic-embed-l-v2.0", "", "query: "),
        ("bge-large", "", PASSAGES),
        ("bge-m3", "", ""),
        ("multilingual-e5-large", "passage: ", "query: "),
        ("e5-large-v2", "passage: ", "query: "),
        ("embeddinggemma", "title: none | text: ", "task: search result | query: "),
        ("all-minilm", "", ""),
        ("twd-lexical", "", ""),
        ("nomic-embed-textual", "", ""),
    ],
)
def test_a_model_gets_the_prefixes_of_its_card(model: str, document: str, query: str) -> None:
    assert prefix_of(model, "document") == document
    assert prefix_of(model, "query") == query


@pytest.mark.parametrize(
    "model",
    [
        "nomic-embed-text:v1.5",
        "someone/nomic-embed-text",
        "registry.example.com:5000/someone/nomic-embed-text:latest",
        "hf.co/nomic-ai/nomic-embed-text-v1.5-GGUF:Q4_K_M",
        "Nomic-Embed-Text",
    ],
)
def test_whose_it_is_and_which_tag_do_not_matter(model: str) -> None:
    assert prefix_of(model, "query") == "search_query: "


@pytest.mark.parametrize("model", ["qwen3-embedding:0.6b", "multilingual-e5-large-instruct"])
def test_an_instructed_model_gets_its_task_with_the_question_alone(model: str) -> None:
    assert prefix_of(model, "query").startswith("Instruct: ")
    assert prefix_of(model, "document") == ""
