"""Ranking and selection: pure functions with known answers."""

from __future__ import annotations

from typing import Any

import pytest

from twd_shared.clients.index_layout import Hit
from twd_shared.retrieval.candidates import Candidate, candidates_of
from twd_shared.retrieval.explaining import explain
from twd_shared.retrieval.question import read_question
from twd_shared.retrieval.ranking import (
    Explanation,
    RankedTable,
    Weights,
    neighbours,
    rank,
)
from twd_shared.retrieval.selection import close_joins, select
from twd_shared.schema_model.keys import TableName


def payload(table: str, *, refers_to: tuple[str, ...] = (), **keys: Any) -> dict[str, Any]:
    """A point's payload; it refers to other tables of its schema by their id."""
    schema = keys.pop("schema", "public")
    return {
        "schema_name": schema,
        "table_name": table,
        "kind": "table",
        "words": [table],
        "foreign_keys": [
            {
                "columns": [f"{other}_id"],
                "referenced_schema": schema,
                "referenced_table": other,
                "referenced_columns": ["id"],
            }
            for other in refers_to
        ],
        **keys,
    }


def found(*hits: tuple[float, dict[str, Any]]) -> list[Hit]:
    return [Hit(score, content) for score, content in hits]


def names(ranked: list[RankedTable]) -> list[str]:
    return [table.name[1] for table in ranked]


ACTOR = payload("actor")
FILM = payload("film")
FILM_ACTOR = payload("film_actor", refers_to=("film", "actor"))
STORE = payload("store")


def test_a_schema_in_vietnamese_is_found_by_the_questions_own_words() -> None:
    asked = read_question("Có bao nhiêu khách hàng?")
    words = ["khach", "hang"]
    customers = candidates_of([], found((2.0, payload("khach_hang", words=words))))
    assert rank(customers, asked)[0].explanation.terms > 0.5


def test_a_name_in_vietnamese_does_not_cancel_the_words_of_an_english_question() -> None:
    asked = read_question("Which employee named Nguyễn Văn Nam has the highest salary?")
    employees = candidates_of(
        [], found((2.0, payload("employee", words=[*asked.stems & {"employe", "employee"}])))
    )
    assert rank(employees, asked)[0].explanation.terms > 0


def test_a_wide_table_is_one_candidate_with_its_best_points_score() -> None:
    first, second = payload("wide", words=["a"]), payload("wide", words=["b"])
    [one] = candidates_of(found((0.9, first), (0.3, second)), found((5.0, second))).values()
    assert (one.dense, one.terms) == (0.9, 5.0)
    assert one.words == {"a", "b"}


def test_what_both_searches_find_comes_before_what_one_finds() -> None:
    candidates = candidates_of(
        found((0.8, FILM), (0.7, ACTOR), (0.1, STORE)), found((4.0, FILM), (3.9, STORE))
    )
    assert names(rank(candidates, read_question("film")))[0] == "film"


def test_a_question_in_words_that_the_schema_lacks_trusts_the_model() -> None:
    # `store` has the better n-grams by chance, but none of the question's words.
    candidates = candidates_of(found((0.9, FILM), (0.2, STORE)), found((0.4, STORE), (0.1, FILM)))
    assert names(rank(candidates, read_question("movie cinema")))[0] == "film"


def test_cosines_count_by_their_place_between_the_lowest_and_the_highest() -> None:
    candidates = candidates_of(found((0.92, FILM), (0.91, ACTOR), (0.90, STORE)), [])
    scores = {
        t.name[1]: t.explanation.dense
        for t in rank(candidates, read_question(""), Weights(dense=1))
    }
    assert scores == pytest.approx({"film": 1.0, "actor": 0.5, "store": 0.0})


def test_a_table_that_was_not_found_is_ranked_by_what_refers_to_it() -> None:
    candidates = candidates_of([], found((4.0, FILM_ACTOR)))
    ranked = rank(candidates, read_question("film_actor"))
    assert set(names(ranked)) == {"film_actor", "film", "actor"}
    assert next(t for t in ranked if t.name[1] == "film").explanation.related_to == (
        "public",
        "film_actor",
    )


def test_tables_of_the_schema_that_is_asked_come_before_equals_of_another() -> None:
    other = payload("item", schema="b")
    own, sibling = payload("item", schema="a"), payload("order", schema="a")
    candidates = candidates_of([], found((5.0, sibling), (2.0, own), (2.0, other)))
    assert [t.name for t in rank(candidates, read_question("order"))][-1] == ("b", "item")


def test_within_one_schema_the_schema_says_nothing() -> None:
    candidates = candidates_of([], found((5.0, FILM), (2.0, STORE)))
    assert all(table.explanation.schema == 0 for table in rank(candidates, read_question("film")))


def test_the_table_that_the_question_names_comes_before_one_named_after_it() -> None:
    line = payload("invoice_line", words=["invoic", "line"])
    candidates = candidates_of([], found((4.0, line), (4.0, payload("invoice"))))
    assert names(rank(candidates, read_question("invoic"))) == ["invoice", "invoice_line"]


def test_a_table_named_by_a_word_of_asking_is_found_and_named() -> None:
    candidates = candidates_of([], found((1.0, payload("return", words=["return"]))))
    [table] = rank(candidates, read_question("How many returns were there?"))
    assert table.explanation.named > 0


@pytest.mark.parametrize(
    ("table", "question", "is_named"),
    [
        ("price_list", "Which rows of the price list are out of date?", True),
        ("bill_of_materials", "Show the bill of materials of a bike", True),
        ("price_list", "What is the price of a bike?", False),
        ("list", "List the bikes", False),
    ],
)
def test_a_name_is_named_by_all_its_words_and_never_by_words_of_asking_alone(
    table: str, question: str, is_named: bool
) -> None:
    candidates = candidates_of([], found((1.0, payload(table))))
    [ranked_table] = rank(candidates, read_question(question))
    assert (ranked_table.explanation.named > 0) == is_named


def test_a_vietnamese_question_is_as_sure_of_its_words_as_an_english_one() -> None:
    customer = payload("customer", words=["custom"])
    candidates = candidates_of([], found((4.0, customer), (1.0, FILM)))
    english, vietnamese = (
        rank(candidates, read_question(question))[0].explanation.terms
        for question in ("customers", "Có bao nhiêu khách hàng của mình?")
    )
    assert vietnamese == english


def test_equal_scores_are_ordered_by_name() -> None:
    candidates = candidates_of([], found((1.0, STORE), (1.0, ACTOR), (1.0, FILM)))
    assert names(rank(candidates, read_question("x"))) == ["actor", "film", "store"]


def test_nothing_found_is_ranked_as_nothing() -> None:
    assert rank({}, read_question("film")) == []
    assert select([], {}, 5) == []


def test_the_parts_of_a_score_add_up_to_it() -> None:
    candidates = candidates_of(
        found((0.8, FILM), (0.5, FILM_ACTOR)), found((4.0, FILM), (1.0, FILM_ACTOR))
    )
    for table in rank(candidates, read_question("film")):
        parts = table.explanation
        assert table.score == parts.terms + parts.named + parts.dense + parts.related + parts.schema


def ranked(*scores: tuple[str, float]) -> list[RankedTable]:
    return [RankedTable(("public", name), Explanation(terms=score)) for name, score in scores]


def test_fewer_tables_are_taken_when_scores_fall_fast() -> None:
    steep = ranked(("a", 1.0), ("b", 0.9), ("c", 0.8), ("d", 0.1), ("e", 0.1))
    flat = ranked(("a", 1.0), ("b", 0.9), ("c", 0.8), ("d", 0.7), ("e", 0.6))
    assert names(select(steep, {}, 15)) == ["a", "b", "c"]
    assert names(select(flat, {}, 15)) == ["a", "b", "c", "d", "e"]
    assert names(select(flat, {}, 4)) == ["a", "b", "c", "d"]


def test_the_table_that_joins_the_best_two_is_taken_along() -> None:
    candidates = candidates_of([], found((1.0, FILM_ACTOR)))
    graph = neighbours(candidates)
    best = ranked(("film", 1.0), ("actor", 0.9), ("store", 0.8), ("film_actor", 0.0))
    closed = close_joins(best[:3], best, graph)
    assert names(closed) == ["film", "actor", "store", "film_actor"]
    assert closed[3].explanation.joins == (("public", "film"), ("public", "actor"))


def test_tables_that_nothing_joins_are_left_as_they_are() -> None:
    best = ranked(("film", 1.0), ("store", 0.9))
    assert close_joins(best, best, {}) == best


def test_a_ring_of_foreign_keys_is_walked_once() -> None:
    ring = [payload(str(n), refers_to=(str((n + 1) % 6),)) for n in range(6)]
    graph = neighbours(candidates_of([], found(*((1.0, one) for one in ring))))
    best = ranked(("0", 1.0), ("3", 0.9))
    assert len(close_joins(best, best, graph)) == 4


def test_an_explanation_names_words_and_relations() -> None:
    told = explain(
        Explanation(
            terms=0.61, dense=0.2, related=0.1, related_to=("public", "film"), words=("actor",)
        )
    )
    assert told == "0.61 words (actor) + 0.20 meaning + 0.10 related to public.film"
    joining = explain(Explanation(joins=(("", "a"), ("", "b"))))
    assert joining == "joins a and b"


def test_a_foreign_key_to_the_table_itself_relates_it_to_nothing() -> None:
    employee: TableName = ("public", "employee")
    candidates = candidates_of([], found((1.0, payload("employee", refers_to=("employee",)))))
    assert candidates == {
        employee: Candidate(employee, "table", None, 1.0, frozenset({"employee"}), ())
    }
