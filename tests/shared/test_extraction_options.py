"""A connection's extraction options: what its field may say, and which tables a pattern means."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from twd_shared.clients.extraction_options import (
    ExtractionOptions,
    table_pattern,
)
from twd_shared.clients.option_fields import options_in


@pytest.mark.parametrize("value", [None, "", {}, "{}"])
def test_a_field_that_says_nothing_means_everything_as_usual(value: object) -> None:
    assert options_in(value, ExtractionOptions) == ExtractionOptions(
        include=(), exclude=(), partitions="folded", samples=False
    )


@pytest.mark.parametrize(
    "value",
    [
        {"include": ["sales.*"], "exclude": ["audit"], "partitions": "listed", "samples": True},
        '{"include": ["sales.*"], "exclude": ["audit"], "partitions": "listed", "samples": true}',
    ],
)
def test_an_object_is_read_as_such_and_as_text(value: object) -> None:
    assert options_in(value, ExtractionOptions) == ExtractionOptions(
        include=("sales.*",), exclude=("audit",), partitions="listed", samples=True
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"includes": []}, "unknown field `includes`"),
        ({"include": "sales.*"}, r"Expected `array`, got `str` - at `\$\.include`"),
        ({"include": [7]}, r"at `\$\.include\[0\]`"),
        ({"include": None}, "got `null`"),
        ({"include": ["a"] * 101}, "length <= 100"),
        ({"include": ["a" * 301]}, "length <= 300"),
        ({"samples": 1}, "Expected `bool`"),
        ({"partitions": "hidden"}, "'hidden'"),
        ({"un\nprintable": 1}, "unprintable characters"),
        ({"exclude": ["\ud800"]}, "no table pattern"),
        ('{"exclude": ["\ud800"]}', "surrogates"),
        ("all of it", "JSON is malformed"),
        (["sales.*"], "Expected `object`"),
        (True, "Expected `object`"),
    ],
)
def test_a_field_that_cannot_be_followed_is_explained(value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        options_in(value, ExtractionOptions)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a.b.c", '"a', 'a"', '""', '"".a', "a\n.b", '"a"".b']
)
def test_a_text_that_is_no_pattern_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no table pattern: write schema\.table"):
        table_pattern(text)


@pytest.mark.parametrize(
    ("text", "schema", "table", "matches"),
    [
        ("sales.orders", "sales", "orders", True),
        ("sales.orders", "sales", "orders_2024", False),
        ("sales.orders", "Sales", "orders", False),
        ("sales.*", "sales", "any\nname", True),
        ("*.tmp_*", "sales", "tmp_orders", True),
        ("*.tmp_*", "sales", "old_tmp_orders", False),
        ("s?les.a", "sales", "a", True),
        ("s?les.a", "sles", "a", False),
        ("audit", "audit", "log", True),
        ("audit", "audit2", "log", False),
        ("audit*", "audit2", "log", True),
        ('"my.schema".*', "my.schema", "log", True),
        ('sales."a.b"', "sales", "a.b", True),
        ('sales."50%*"', "sales", "50%*", True),
        ('sales."50%*"', "sales", "50%off", False),
        ('sales."say ""x"""', "sales", 'say "x"', True),
        ('sales."tmp_"*', "sales", "tmp_1", True),
        ("sales.[ab]", "sales", "[ab]", True),
        ("sales.[ab]", "sales", "a", False),
        ('sales."[ab]?"', "sales", "[ab]?", True),
        ("bán.hàng_*", "bán", "hàng_2024", True),
    ],
)
def test_a_pattern_means_the_tables_that_it_is_written_for(
    text: str, schema: str, table: str, matches: bool
) -> None:
    assert table_pattern(text).matches(schema, table) is matches


@pytest.mark.parametrize(
    ("text", "is_whole_schema"),
    [("audit", True), ("audit.*", True), ("audit.**", True), ("*.tmp_*", False)],
)
def test_a_pattern_knows_whether_it_means_a_whole_schema(text: str, is_whole_schema: bool) -> None:
    assert table_pattern(text).is_whole_schema is is_whole_schema


@pytest.mark.parametrize("text", ['"a""' * 75, "*a" * 148 + ".b"])
def test_no_pattern_can_hold_up_a_reading(text: str) -> None:
    begun = time.thread_time()
    with suppress(ValueError):
        table_pattern(text).matches("a" * 62 + "b", "b")
    assert time.thread_time() - begun < 1
