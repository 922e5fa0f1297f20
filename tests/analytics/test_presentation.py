"""What the UI is told of a day, for names of any kind."""

from __future__ import annotations

from datetime import date

from twd_analytics.accuracy.measure import MeasuredAccuracy
from twd_analytics.accuracy.open_questions import OpenQuestion
from twd_analytics.accuracy.report import (
    ConnectionAccuracy,
    DayAccuracy,
    ModelAccuracy,
    NameAccuracy,
)
from twd_analytics.defs.presentation import accuracy_metadata, connection_labels, usage_metadata
from twd_analytics.usage.measure import MeasuredUsage
from twd_analytics.usage.statistics import ConnectionUsage

DAY = date(2026, 3, 10)
LABELS = connection_labels([]) | {"1": "shop"}


def test_a_day_on_which_nothing_was_asked_says_so() -> None:
    metadata = usage_metadata(MeasuredUsage(DAY, [ConnectionUsage("*")], 0), LABELS, [])
    assert metadata["summary"].md_str == (
        "On 2026-03-10 there were no answers, and no questions without one."
    )
    empty = MeasuredAccuracy(DAY, DayAccuracy([ConnectionAccuracy("*")], [], []), [])
    told = accuracy_metadata(empty, LABELS, [])
    assert told["summary"].md_str == "No SQL was generated on 2026-03-10."
    assert "executed_percent" not in told


def test_the_summary_of_usage_says_what_it_counts() -> None:
    everything = ConnectionUsage("*", 4, successful=2, failed=1, unanswered=1, unique_users=2)
    measured = MeasuredUsage(DAY, [everything, everything], 0)
    told = usage_metadata(measured, LABELS, [])["summary"].md_str
    assert told.startswith(
        "On 2026-03-10, 2 users got 4 answers, a question without one counted as one: "
        "**2 (50 %)** had SQL that ran, 1 (25 %) had SQL that failed, 1 (25 %) had no SQL."
    )


def test_the_summary_names_what_went_wrong_and_what_would_have_written() -> None:
    everything = ConnectionAccuracy(
        "*",
        generated=10,
        parsed=9,
        read_only=8,
        executed=7,
        verdicts={"valid": 7, "unchecked": 2},
        error_classes={"unknown_column": 2, "empty_result": 1, "syntax": 1},
    )
    question = OpenQuestion("1", "h", "where is it", "en", 1, 0)
    measured = MeasuredAccuracy(
        DAY,
        DayAccuracy([everything, everything], [ModelAccuracy("1", 0, 10, 9, 7)], []),
        [question],
    )
    told = accuracy_metadata(measured, LABELS, [])
    summary = told["summary"].md_str
    for part in (
        "10 answers had SQL: 90.0 % of it parsed, **70.0 % ran**.",
        "What went wrong most: unknown column 2, syntax 1.",
        "**1 answer may have done more than read.**",
        "Names in 2 answers were not held against a snapshot",
        "1 question got no right answer",
    ):
        assert part in summary
    assert "| shop | none | 10 | 90 | 70 |" in told["by_model_version"].md_str
    assert "where is it" not in str(told)


def test_a_day_that_does_not_say_what_only_reads_has_a_summary() -> None:
    everything = ConnectionAccuracy("*", generated=10, parsed=9, read_only=None, executed=7)
    told = accuracy_metadata(
        MeasuredAccuracy(DAY, DayAccuracy([everything], [], []), []), LABELS, []
    )
    assert "more than read" not in told["summary"].md_str


def test_of_many_connections_those_are_shown_that_count_most() -> None:
    ids = [str(number) for number in range(2_000)]
    usage = [ConnectionUsage("*", 9), *(ConnectionUsage(one, int(one)) for one in ids)]
    accuracy = DayAccuracy(
        [ConnectionAccuracy("*", 9), *(ConnectionAccuracy(one, int(one)) for one in ids)],
        [ModelAccuracy(one, 1, int(one) + 1, 0, 0) for one in ids],
        [NameAccuracy(one, "t", "", int(one), int(one), False) for one in ids],
    )
    told = accuracy_metadata(MeasuredAccuracy(DAY, accuracy, []), LABELS, [])
    measured = MeasuredUsage(DAY, usage, 0)
    of_usage = usage_metadata(measured, LABELS, [])["by_connection"].md_str
    for table, first, rows, more in (
        (of_usage, "| all | 9 |", 50, "… and 1,951 more."),
        (told["by_connection"].md_str, "| all | 9 |", 50, "… and 1,951 more."),
        (
            told["by_model_version"].md_str,
            "| connection 1999 | 1 | 2000 |",
            50,
            "… and 1,950 more.",
        ),
        (
            told["problematic_tables"].md_str,
            "| connection 1999 | t | 1999 |",
            10,
            "… and 1,989 more.",
        ),
    ):
        _, _, *lines, _, last = table.splitlines()
        assert lines[0].startswith(first)
        assert (len(lines), last) == (rows, more)
    assert of_usage.splitlines()[3].startswith("| connection 1999 | 1999 |")


def test_hostile_names_stay_in_their_cell() -> None:
    hostile = "a|b\n`c` <img src=x> [d](e)"
    names = [NameAccuracy("9", hostile, "", 2, 1, False)]
    measured = MeasuredAccuracy(
        DAY, DayAccuracy([ConnectionAccuracy("*", generated=2)], [], names), []
    )
    table = accuracy_metadata(measured, LABELS, [])["problematic_tables"].md_str
    assert len(table.splitlines()) == 3
    assert table.splitlines()[2].startswith(r"| connection 9 | a\|b \`c\` \<img src=x\> \[d\](e) |")
