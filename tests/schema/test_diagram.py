"""The entity-relationship picture: well-formed, complete, readable, the same each time."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Iterable
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest

from twd_schema.documentation.diagram import MOST_TABLES, entity_relationship_svg
from twd_schema.extraction.reading import SchemaReader
from twd_shared.schema_model.models import (
    Column,
    ForeignKey,
    Key,
    Snapshot,
    Table,
    TableKind,
    encode,
)

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    "a<b>&amp;",
    "\"quoted\" 'too'",
    "]]><script>alert(1)</script>",
    "🙂 bảng 表",
    "line\nbreak\ttab",
    "\x01\x1b[31m\x7f",
    "\u202eright\ufffe\ud800",
    "W" * 63,
)
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def table(name: str, *targets: str, schema: str = "public", kind: TableKind = "table") -> Table:
    return Table(
        schema=schema,
        name=name,
        kind=kind,
        columns=(Column(name="id", type="integer"),),
        primary_key=Key(name=None, columns=("id",)),
        foreign_keys=tuple(
            ForeignKey(
                name=None,
                columns=(f"{target}_id",),
                referenced_schema=schema,
                referenced_table=target,
                referenced_columns=("id",),
            )
            for target in targets
        ),
    )


def snapshot(*tables: Table) -> Snapshot:
    return Snapshot(dialect="postgresql", database_name="x", server_version="16", tables=tables)


def picture(*tables: Table) -> ElementTree.Element:
    svg = entity_relationship_svg(snapshot(*tables))
    assert svg is not None
    return parsed(svg)


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 - our own text


def boxes(root: ElementTree.Element) -> list[Box]:
    found = [
        [float(box.attrib[at]) for at in ("x", "y", "width", "height")]
        for box in root.iter(f"{SVG}svg")
        if box is not root
    ]
    return [(x, y, x + width, y + height) for x, y, width, height in found]


def arrows(root: ElementTree.Element) -> list[list[tuple[float, float]]]:
    """Points along each arrow, close together."""
    paths = [path.attrib["d"] for path in root.iter(f"{SVG}path") if "marker-end" in path.attrib]
    return [list(_points(path)) for path in paths]


def _points(path: str) -> Iterable[tuple[float, float]]:
    here = (0.0, 0.0)
    for letter, text in re.findall(r"([MCL])([^MCL]*)", path):
        ends = [tuple(map(float, pair.split(","))) for pair in text.split()]
        last = (ends[-1][0], ends[-1][1])
        if letter == "M":
            here = last
        first, second = (ends[0], ends[1]) if letter == "C" else (here, last)
        for step in range(33):
            t = step / 32
            weights = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3)
            corners = (here, first, second, last)
            yield (
                sum(w * corner[0] for w, corner in zip(weights, corners, strict=True)),
                sum(w * corner[1] for w, corner in zip(weights, corners, strict=True)),
            )
        here = last


def overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def tangled(seed: int) -> list[Table]:
    """As many tables as a picture takes, with references at random: circles, long ways, itself."""
    chance = random.Random(seed)
    names = [f"t{number}" for number in range(MOST_TABLES)]
    return [table(name, *chance.sample(names, chance.randrange(4))) for name in names]


def test_hostile_names_make_well_formed_xml() -> None:
    root = picture(*(table(name, *HOSTILE, schema=name) for name in HOSTILE))
    texts = "".join(root.itertext())
    assert "a<b>&amp;" in texts
    assert not re.search(r"[\x00-\x1f\x7f\u202e]", texts)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {
        "svg", "defs", "marker", "path", "rect", "text", "title",
    }  # fmt: skip


def test_every_table_of_pagila_is_in_its_picture(
    services: Any, reader: SchemaReader, connection_to: Any
) -> None:
    read = reader.read(connection_to(services.source("pagila")))
    svg = entity_relationship_svg(read)
    assert svg is not None
    titles = [title.text for title in parsed(svg).iter(f"{SVG}title")]
    assert sorted(titles, key=str) == [
        f"{item.label}: {len(item.columns)} columns"
        for item in read.tables
        if item.kind in ("table", "partitioned_table")
    ]


def test_each_reference_is_an_arrow() -> None:
    root = picture(table("film", "language", "language"), table("language"), table("actor"))
    assert len(arrows(root)) == 2


def test_a_reference_to_what_is_not_in_the_picture_is_no_arrow() -> None:
    assert not arrows(picture(table("film", "elsewhere")))


def test_a_circle_ends_and_all_its_arrows_are_drawn() -> None:
    root = picture(table("a", "b"), table("b", "c"), table("c", "a"))
    assert len(arrows(root)) == 3
    assert len({left for left, *_ in boxes(root)}) == 3


def test_a_table_that_refers_to_itself_has_a_loop_beside_its_box() -> None:
    root = picture(table("employee", "employee"))
    [(_, _, right, _)], [loop] = boxes(root), arrows(root)
    assert loop[0][0] == loop[-1][0] == right
    assert loop[0][1] != loop[-1][1]
    assert max(x for x, _ in loop) <= float(root.attrib["width"])


def test_a_table_stands_to_the_right_of_those_it_refers_to() -> None:
    root = picture(table("rental", "film", "store"), table("store", "film"), table("film"))
    film, rental, store = sorted(boxes(root), key=lambda box: box[0])[0:3]
    assert film[2] < rental[0]
    assert rental[2] < store[0]


@pytest.mark.parametrize("seed", range(5))
def test_boxes_do_not_overlap_and_stand_inside_the_picture(seed: int) -> None:
    root = picture(*tangled(seed))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    placed = boxes(root)
    assert len(placed) == MOST_TABLES
    assert not [pair for pair in combinations(placed, 2) if overlap(*pair)]
    assert all(
        min(x, y) >= 0 and right <= width and bottom <= height for x, y, right, bottom in placed
    )


@pytest.mark.parametrize("seed", range(5))
def test_no_arrow_runs_through_a_box_or_out_of_the_picture(seed: int) -> None:
    root = picture(*tangled(seed))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    placed = boxes(root)
    for x, y in (point for arrow in arrows(root) for point in arrow):
        assert 0 <= x <= width
        assert 0 <= y <= height
        assert not any(box[0] < x < box[2] and box[1] < y < box[3] for box in placed)


def test_the_same_schema_gives_the_same_picture_whatever_the_hash_seed() -> None:
    script = (
        "import sys, msgspec\n"
        "from twd_schema.documentation.diagram import entity_relationship_svg\n"
        "from twd_shared.schema_model.models import Snapshot\n"
        "read = msgspec.json.decode(sys.stdin.buffer.read(), type=Snapshot)\n"
        "print(entity_relationship_svg(read), end='')\n"
    )
    body = encode(snapshot(*tangled(1)))
    pictures = {
        subprocess.run(
            [sys.executable, "-c", script],
            input=body,
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(pictures) == 1


def test_too_many_tables_give_no_picture() -> None:
    tables = [table(f"t{number}") for number in range(MOST_TABLES + 1)]
    assert entity_relationship_svg(snapshot(*tables[:-1])) is not None
    assert entity_relationship_svg(snapshot(*tables)) is None


def test_views_alone_give_no_picture() -> None:
    assert entity_relationship_svg(snapshot(table("v", kind="view"))) is None


def test_a_table_of_very_many_keys_keeps_a_box_of_a_size_to_read() -> None:
    root = picture(
        *(table(f"t{number}") for number in range(30)), table("wide", *(f"t{n}" for n in range(30)))
    )
    assert max(bottom - top for _, top, _, bottom in boxes(root)) < 200
    assert any("… 24 more" in text for text in root.itertext())


def test_names_carry_their_schema_where_there_are_several() -> None:
    one = list(picture(table("orders")).itertext())
    two = list(picture(table("orders"), table("orders", schema="sales")).itertext())
    assert "orders" in one
    assert {"public.orders", "sales.orders"} <= set(two)
