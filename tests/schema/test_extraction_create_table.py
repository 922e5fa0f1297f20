"""The text of CREATE TABLE, taken apart: nothing in quotes or comments is ever a keyword."""

from __future__ import annotations

import pytest

from twd_schema.extraction.dialects.create_table import DeclaredCheck, DeclaredKey, declared_table

QUOTED = [
    ('"a ""b"" )"', 'a "b" )'),
    ("`a``b, c`", "a`b, c"),
    ("[check (x)]", "check (x)"),
    ("'it''s'", "it's"),
    ("plain$1", "plain$1"),
]


@pytest.mark.parametrize(("written", "name"), QUOTED)
def test_a_name_in_any_quotes_is_a_name(written: str, name: str) -> None:
    table = declared_table(
        f"create table t (x int, constraint {written} check (x > 0), unique ({written}),"
        f" {written} text collate {written})"
    )
    assert table.checks == [DeclaredCheck(name, None, "x > 0")]
    assert table.uniques == [DeclaredKey(None, (name,))]
    assert table.columns[name].collation == name


@pytest.mark.parametrize(
    "text",
    [
        "create table t (a text default 'check (1)')",
        'create table t (a "check (1)")',
        "create table t (a int /* check (1) */)",
        "create table t (a int -- check (1)\n)",
        "create table t (a int default (x('check (1)')))",
    ],
)
def test_a_check_that_is_only_text_is_none(text: str) -> None:
    assert declared_table(text).checks == []


def test_a_condition_is_kept_as_it_was_written() -> None:
    text = "create table t (a int check ( a > (1) and\n b <> ')' ) not null, b text)"
    assert declared_table(text).checks == [DeclaredCheck(None, "a", "a > (1) and\n b <> ')'")]


def test_a_name_belongs_to_the_next_constraint_alone() -> None:
    text = "create table t (a int constraint pk primary key check (a > 0) references o)"
    table = declared_table(text)
    assert table.primary_key.name == "pk"
    assert table.checks == [DeclaredCheck(None, "a", "a > 0")]
    assert [key.name for key in table.foreign_keys] == [None]


def test_a_foreign_key_says_what_was_written() -> None:
    [key] = declared_table(
        "create table t (a int, b int, constraint fk foreign key (a, b) references o (x, y)"
        " on delete set null on update cascade deferrable initially deferred)"
    ).foreign_keys
    assert (key.name, key.columns) == ("fk", ("a", "b"))
    assert (key.on_delete, key.on_update) == ("SET NULL", "CASCADE")
    assert (key.deferrable, key.initially_deferred) == (True, True)


def test_a_foreign_key_may_say_that_it_is_not_deferrable() -> None:
    [key] = declared_table("create table t (a int references o not deferrable)").foreign_keys
    assert (key.deferrable, key.on_delete) == (False, None)


def test_a_generated_column_keeps_its_expression() -> None:
    columns = declared_table(
        "create table t (a int, b as (a * (2)) stored, c int generated always as (a) virtual)"
    ).columns
    assert (columns["b"].generated, columns["c"].generated) == ("a * (2)", "a")


def test_backslashes_escape_where_the_dialect_says_so() -> None:
    text = r"create table `t` (`a` text check (`a` <> 'it\'s )'), `b` int check (`b` > 0))"
    assert [check.column for check in declared_table(text, backslashes=True).checks] == ["a", "b"]


@pytest.mark.parametrize("text", ["", "create table t", "create table t (", "(((", "')"])
def test_text_that_is_no_statement_declares_nothing(text: str) -> None:
    table = declared_table(text)
    assert (table.columns, table.checks, table.foreign_keys) == ({}, [], [])
