"""What an embedding model wants to see before a text, told by its name.

Models that were trained with instructions find less without them; each entry names the page that
says so. A model that is not listed here wants nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Purpose = Literal["document", "query"]

_PASSAGES = "Represent this sentence for searching relevant passages: "
_INSTRUCTED = (
    "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
)


@dataclass(frozen=True, slots=True)
class _Family:
    """Models whose name begins like this, and their prefixes."""

    name: re.Pattern[str]
    document: str
    query: str


def _family(name: str, *, document: str = "", query: str) -> _Family:
    # A family's name is a whole word of the model's: `e5` is not the beginning of `e5x`.
    return _Family(re.compile(rf"{name}(?![a-z0-9])"), document, query)


# The first that fits counts, so a family stands behind its exceptions.
_FAMILIES = (
    # https://huggingface.co/nomic-ai/nomic-embed-text-v1.5 and …/nomic-embed-text-v2-moe
    _family("nomic-embed-text", document="search_document: ", query="search_query: "),
    # https://huggingface.co/mixedbread-ai/mxbai-embed-large-v1
    _family("mxbai-embed-large", query=_PASSAGES),
    # https://huggingface.co/Snowflake/snowflake-arctic-embed-l-v2.0
    _family(r"snowflake-arctic-embed(2|-[ml]-v2\.0)", query="query: "),
    # https://huggingface.co/Snowflake/snowflake-arctic-embed-l
    _family("snowflake-arctic-embed", query=_PASSAGES),
    # https://huggingface.co/BAAI/bge-large-en-v1.5; BAAI/bge-m3 says that it needs none.
    _family("bge-(small|base|large)-zh", query="为这个句子生成表示以用于检索相关文章："),
    _family("bge-(small|base|large)", query=_PASSAGES),
    # https://huggingface.co/intfloat/multilingual-e5-large-instruct and …/e5-mistral-7b-instruct
    _family("multilingual-e5-large-instruct|e5-mistral", query=_INSTRUCTED + " "),
    # https://huggingface.co/intfloat/multilingual-e5-large and …/e5-large-v2
    _family("multilingual-e5|e5", document="passage: ", query="query: "),
    # https://huggingface.co/google/embeddinggemma-300m
    _family(
        "embeddinggemma", document="title: none | text: ", query="task: search result | query: "
    ),
    # https://huggingface.co/Qwen/Qwen3-Embedding-0.6B
    _family("qwen3-embedding", query=_INSTRUCTED),
)


def prefix_of(model: str, purpose: Purpose) -> str:
    """What stands before a text for `model`; empty when it wants nothing.

    Whose model it is and its tag do not matter: `someone/nomic-embed-text:v1.5` is known.
    """
    name = model.rpartition("/")[2].partition(":")[0].lower()
    for family in _FAMILIES:
        if family.name.match(name):
            return family.document if purpose == "document" else family.query
    return ""
