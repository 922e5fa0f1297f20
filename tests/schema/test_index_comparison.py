"""Comparing two indexes by what they find: figures, questions that moved, the report."""

from __future__ import annotations

from dataclasses import replace

from twd_schema.indexing.comparison import Comparisons, compare, markdown_of
from twd_shared.retrieval.questions import LabelledQuestion


def question(text: str, *tables: str) -> LabelledQuestion:
    return LabelledQuestion(text, frozenset(tables), "generated", "en")


FILMS, BOTH = question("films?", "films"), question("films by actor?", "films", "actors")


def test_the_loss_is_of_recall_over_all_questions_of_all_databases() -> None:
    comparison = compare(
        {
            "large": ([FILMS] * 3, [["films"]] * 3, [["films"]] * 3),
            "small": ([FILMS], [["films"]], [["actors"]]),
        }
    )
    assert comparison.before is not None
    assert (comparison.before.recall_at_5, comparison.after.recall_at_5) == (1.0, 0.75)
    assert comparison.loss == 0.25


def test_a_gain_is_no_loss() -> None:
    comparison = compare({"shop": ([FILMS], [["actors"]], [["films"]])})
    assert comparison.loss == -1.0
    assert comparison.connections[0].better == 1


def test_a_question_got_worse_when_the_last_of_its_tables_stands_further_back() -> None:
    before, after = [["films", "actors"]], [["films", "stores", "actors"]]
    [moved] = compare({"shop": ([BOTH], before, after)}).worse
    assert (moved.before, moved.after) == (2, 3)


def test_of_several_answers_the_one_that_is_complete_first_counts() -> None:
    either = replace(BOTH, others=frozenset({frozenset({"old.films", "old.actors"})}))
    before = [["films", "old.films", "old.actors", "actors"]]
    after = [["films", "old.films", "stores", "actors", "old.actors"]]
    [moved] = compare({"shop": ([either], before, after)}).worse
    assert (moved.before, moved.after) == (3, 4)
    [lost] = compare({"shop": ([either], before, [["films", "old.actors"]])}).worse
    assert lost.after is None


def test_a_question_whose_table_is_lost_is_worse_than_one_whose_table_moved() -> None:
    questions = [question("moved?", "films"), question("lost?", "films")]
    before = [["films"], ["films"]]
    after = [["actors", "films"], ["actors"]]
    worse = compare({"shop": (questions, before, after)}).worse
    assert [moved.question for moved in worse] == ["lost?", "moved?"]
    assert worse[0].after is None


def test_a_question_that_neither_answers_has_not_moved() -> None:
    [shop] = compare({"shop": ([FILMS], [["actors"]], [["stores"]])}).connections
    assert (shop.better, shop.worse) == (0, ())


def test_twenty_questions_at_most_are_told() -> None:
    questions = [question(f"{number}?", "films") for number in range(30)]
    comparison = compare({"shop": (questions, [["films"]] * 30, [[]] * 30)})
    assert len(comparison.worse) == len(comparison.as_json()["worse"]) == 20
    assert comparison.as_json()["connections"][0]["worse"] == 30


def test_a_database_without_questions_is_left_out() -> None:
    assert compare({"empty": ([], [], [])}).connections == ()


def test_without_an_index_to_compare_with_the_new_one_has_figures_and_loses_nothing() -> None:
    comparison = compare({"shop": ([FILMS], None, [["films"]])})
    assert (comparison.before, comparison.loss, comparison.worse) == (None, 0.0, ())
    assert comparison.after.recall_at_5 == 1.0
    assert comparison.as_json()["before"] is None


def test_the_way_that_loses_more_is_the_worst() -> None:
    kept = compare({"shop": ([FILMS], [["films"]], [["films"]])})
    lost = compare({"shop": ([FILMS], [["films"]], [[]])})
    assert Comparisons(hybrid=kept, dense=lost).worst == ("dense only", lost)
    assert Comparisons(hybrid=lost, dense=kept).worst == ("hybrid", lost)


def test_the_report_shows_a_new_index_alone_when_there_was_none_to_compare_with() -> None:
    alone = compare({"shop": ([FILMS], None, [["films"]])})
    line = markdown_of(Comparisons(alone, alone)).splitlines()[2]
    assert line == "| shop | hybrid | 1 | 1.000 | 1.000 | 1.000 | 0 | 0 |"


def test_the_report_is_a_table_that_no_name_can_break_or_have_load_a_picture() -> None:
    asked = question("a | ![b](http://x)\nc?", "films")
    kept = compare({"sh|op": ([asked], [["films"]], [["films"]])})
    lost = compare({"sh|op": ([asked], [["films"]], [[]])})
    lines = markdown_of(Comparisons(hybrid=kept, dense=lost)).splitlines()
    fallen = "1.000 → 0.000 | 1.000 → 0.000 | 1.000 → 0.000"
    assert lines[3] == rf"| sh\|op | dense only | 1 | {fallen} | 0 | 1 |"
    assert lines[-1] == r"| sh\|op | dense only | a \| !\[b\](http://x) c? | 1 | – |"
