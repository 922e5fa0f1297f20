"""The prompt that asks for SQL: what is in it, and how long it may be."""

from __future__ import annotations

import re

import pytest

from twd_shared.retrieval.candidates import Relationship
from twd_shared.retrieval.prompt import LEAST_CONTEXT_TOKENS, sql_prompt
from twd_shared.retrieval.ranking import Explanation
from twd_shared.retrieval.search import Retrieval, RetrievedTable


def retrieved(name: str, ddl: str) -> RetrievedTable:
    return RetrievedTable("public", name, "table", 1.0, ddl, "", Explanation())


def to_a(name: str) -> Relationship:
    return Relationship(("public", name), ("public", "a"), (("a_id", "id"),))


def test_a_prompt_stays_short_whatever_is_found() -> None:
    tables = (retrieved("a", "column " * 1000), retrieved("b", "short"), retrieved("c", "x" * 9000))
    answer = Retrieval(tables, (to_a("b"), to_a("c")))
    prompt = sql_prompt("question " * 5000, answer, "postgresql")
    assert len(prompt) < 18_000
    assert prompt.startswith("Write one read-only postgresql query")
    assert re.search(r"^<question-(\w+)>\n(question )+\S*\n</question-\1>$", prompt, re.MULTILINE)
    # The tables that fit, and what joins them: not what refers to a table that is not shown.
    assert ("short" in prompt, "x" * 9000 in prompt) == (True, False)
    assert ("public.b.a_id = public.a.id" in prompt, "public.c" in prompt) == (True, False)


def test_a_model_that_reads_more_is_shown_more() -> None:
    tables = tuple(retrieved(name, f"{name} " * 3000) for name in ("a", "b", "c"))
    prompts = [sql_prompt("How many?", Retrieval(tables), "mysql", n) for n in (8192, 32_768)]
    assert [[f"{name} {name}" in prompt for name in "abc"] for prompt in prompts] == [
        [True, True, False],
        [True, True, True],
    ]


def test_of_a_first_table_that_is_too_long_the_beginning_is_shown() -> None:
    answer = Retrieval((retrieved("a", "CREATE TABLE a (" + "\u1ebf" * 50_000),))
    prompt = sql_prompt("How many?", answer, "postgresql")
    assert "CREATE TABLE a (" in prompt
    assert len(prompt.encode()) < 18_000


def test_a_model_that_reads_too_little_is_not_asked() -> None:
    answer = Retrieval((retrieved("a", "CREATE TABLE a (" + "id integer, " * 5000),))
    assert "CREATE TABLE a (" in sql_prompt("How many?", answer, "mysql", LEAST_CONTEXT_TOKENS)
    assert LEAST_CONTEXT_TOKENS == 4048
    with pytest.raises(ValueError, match=f"reads 2048 tokens .* {LEAST_CONTEXT_TOKENS} at least"):
        sql_prompt("How many?", answer, "mysql", 2048)
