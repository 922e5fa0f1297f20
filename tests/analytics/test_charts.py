"""Pictures over days: what stands in them, whatever the numbers are."""

from __future__ import annotations

import base64
from datetime import date, timedelta
from xml.etree import ElementTree

import pytest

from twd_analytics.charts import Series, percent_lines, stacked_bars
from twd_shared.markdown import picture

DAYS = [date(2026, 3, 1) + timedelta(days=place) for place in range(3)]
SVG = "{http://www.w3.org/2000/svg}"


def drawn(svg: str, kind: str) -> list[ElementTree.Element]:
    """The marks of one kind that tell a number."""
    # Made by us, a moment ago.
    root = ElementTree.fromstring(svg)  # noqa: S314
    return [one for one in root.iter(f"{SVG}{kind}") if one.find(f"{SVG}title") is not None]


def test_bars_of_a_day_stand_upon_each_other_and_share_one_scale() -> None:
    good, bad = Series("good", "#0a0", [6, None, 3]), Series("bad", "#a00", [2, None, 1])
    first, above, second, _ = drawn(stacked_bars(DAYS, [good, bad]), "rect")
    assert first.find(f"{SVG}title").text == "2026-03-01: good 6 of 8"  # type: ignore[union-attr]
    top_of_first = float(first.get("y", ""))
    assert float(above.get("y", "")) + float(above.get("height", "")) == pytest.approx(
        top_of_first, abs=0.2
    )
    assert float(first.get("height", "")) == pytest.approx(
        2 * float(second.get("height", "")), abs=0.2
    )


def test_a_line_is_broken_where_a_day_has_no_number() -> None:
    svg = percent_lines(DAYS, [Series("ran", "#0a0", [100.0, None, 50.0])])
    assert [one.find(f"{SVG}title").text for one in drawn(svg, "circle")] == [  # type: ignore[union-attr]
        "2026-03-01: ran 100.0 %",
        "2026-03-03: ran 50.0 %",
    ]
    joined = percent_lines(DAYS, [Series("ran", "#0a0", [100.0, 75.0, 50.0])])
    assert joined.count('stroke-width="2"') == 2
    assert svg.count('stroke-width="2"') == 0


@pytest.mark.parametrize("values", [[], [None, None, None], [0, 0, 0]])
def test_nothing_to_show_is_an_empty_picture(values: list[float | None]) -> None:
    days = DAYS[: len(values)]
    for svg in (
        stacked_bars(days, [Series("a<b", "#0a0", values)]),
        percent_lines(days, [Series("a<b", "#0a0", [None for _ in values])]),
    ):
        assert drawn(svg, "rect") == drawn(svg, "circle") == []


def test_the_picture_needs_no_file() -> None:
    svg = stacked_bars(DAYS, [Series("good", "#0a0", [1, 2, 3])])
    told = picture(svg, "Questions")
    data = told.removeprefix("![Questions](data:image/svg+xml;base64,").removesuffix(")")
    assert base64.b64decode(data).decode() == svg


def test_the_greatest_number_of_a_scale_stands_in_the_picture_as_a_whole() -> None:
    svg = stacked_bars(DAYS[:1], [Series("good", "#0a0", [2**31 - 1])])
    root = ElementTree.fromstring(svg)  # noqa: S314
    [label] = [one for one in root.iter(f"{SVG}text") if one.text == "2,147,483,647"]
    assert label.get("text-anchor") == "end"
    # Digits and commas of a sans-serif font of 11 pixels.
    assert float(label.get("x", "")) >= 10 * 6.2 + 3 * 3.1
