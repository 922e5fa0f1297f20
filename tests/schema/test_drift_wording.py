"""Each change is told in a plain sentence, with what it was where that is not obvious."""

from __future__ import annotations

import msgspec
import pytest

from twd_schema.drift.diff import diff_snapshots
from twd_shared.schema_model.models import (
    Column,
    ColumnReference,
    CompositeType,
    Constraint,
    DomainType,
    EnumType,
    ForeignKey,
    Index,
    Key,
    PartitionOf,
    Routine,
    SchemaObject,
    Sequence,
    Table,
)

from .changed_schemas import schema

A = Column(name="a", type="integer")
T = Table(schema="s", name="t", kind="table", columns=(A,))
WORD = DomainType(schema="s", name="word", type="text")
FULL = Constraint(name="full", definition="CHECK (VALUE <> '')")
B = Column(name="b", type="text")
PAIR = CompositeType(schema="s", name="pair", attributes=(A, B))
MOOD = EnumType(schema="s", name="mood", labels=("sad", "ok"))
RATE = Routine(schema="s", name="rate", kind="function", arguments="", definition="RETURN 0.1")
NUMBERS = Sequence(
    schema="s", name="n", type="bigint", start=1, increment=1, minimum=1, maximum=9, cache=1
)
JANUARY = Table(
    schema="s",
    name="january",
    kind="table",
    columns=(A,),
    partition_of=PartitionOf(schema="s", table="t", bound="DEFAULT"),
)
INDEX = Index(name="i", columns=("a",), unique=True)
KEY = ForeignKey(
    name="f",
    columns=("a",),
    referenced_schema="s",
    referenced_table="u",
    referenced_columns=("b",),
)
_with = msgspec.structs.replace


def column(**fields: object) -> Table:
    return _with(T, columns=(_with(A, **fields),))


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (T, column(comment="x"), "Column s.t.a changed its comment from none to “x”."),
        (T, column(default="1"), "Column s.t.a changed its default from none to “1”."),
        (T, column(identity="always"), "Column s.t.a is generated always as identity now."),
        (
            column(generated="b + 1", virtual=True),
            T,
            "Column s.t.a is no longer generated (before: as (b + 1) virtual).",
        ),
        (
            column(generated="b + 1"),
            column(identity="by default"),
            "Column s.t.a changed how it is generated from “as (b + 1) stored”"
            " to “by default as identity”.",
        ),
        (T, _with(T, kind="view"), "Table s.t is of another kind: a view now, a table before."),
        (
            _with(T, kind="view"),
            _with(T, kind="view", storage=("security_invoker=on",)),
            "View s.t reads with the rights of whoever asks it now.",
        ),
        (
            _with(T, kind="view", storage=("security_invoker=true",)),
            _with(T, kind="view", storage=("security_invoker=off",)),
            "View s.t reads with the rights of its owner now.",
        ),
        (
            _with(T, kind="view", storage=("security_invoker=true",)),
            _with(T, kind="view", storage=("security_invoker=on",)),
            "The options of s.t changed from “security_invoker=true” to “security_invoker=on”.",
        ),
        (
            T,
            _with(T, storage=("fillfactor=70",), unlogged=True),
            "The storage of s.t changed from none to “fillfactor=70, unlogged”.",
        ),
        (
            RATE,
            _with(RATE, definition="RETURN 0.2"),
            "Routine s.rate() changed its definition from “RETURN 0.1” to “RETURN 0.2”.",
        ),
        (T, _with(T, depends_on=(("table", "s", "u"),)), "What s.t depends on changed."),
        (T, _with(T, indexes=(INDEX,)), "The unique index i on s.t was added: (a)."),
        (
            _with(T, indexes=(_with(INDEX, unique=False, predicate="a > 1"),)),
            T,
            "The index i on s.t was removed: (a) where a > 1.",
        ),
        (
            T,
            _with(T, primary_key=Key(name=None, columns=("a",))),
            "The primary key on s.t was added: (a).",
        ),
        (
            _with(T, foreign_keys=(KEY,)),
            _with(T, foreign_keys=(_with(KEY, deferrable=True),)),
            "The foreign key f on s.t changed from “(a) references s.u (b)”"
            " to “(a) references s.u (b) deferrable”.",
        ),
        (
            _with(T, constraints=(Constraint(name="c", definition="CHECK (a > 1)"),)),
            T,
            "The constraint c on s.t was removed: CHECK (a > 1).",
        ),
        (WORD, _with(WORD, nullable=False), "Domain s.word changed its nullability."),
        (
            WORD,
            _with(WORD, nullable=False, type="varchar"),
            "Domain s.word changed its type and nullability.",
        ),
        (
            WORD,
            _with(WORD, constraints=(FULL,)),
            "Domain s.word gained a constraint full: CHECK (VALUE <> '').",
        ),
        (
            _with(WORD, constraints=(FULL,)),
            _with(WORD, constraints=(_with(FULL, definition="CHECK (VALUE > 'a')"),)),
            "Domain s.word changed its constraint full from “CHECK (VALUE <> '')”"
            " to “CHECK (VALUE > 'a')”.",
        ),
        (
            _with(WORD, constraints=(FULL,)),
            _with(WORD, constraints=(_with(FULL, name="filled"),)),
            "Domain s.word has its constraint full renamed to filled.",
        ),
        (
            PAIR,
            _with(PAIR, attributes=(A,)),
            "Composite type s.pair lost its attribute b (it was text).",
        ),
        (
            _with(PAIR, attributes=(A,), depends_on=(("enum", "s", "mood"),)),
            PAIR,
            "Composite type s.pair gained an attribute b of type text.",
        ),
        (
            PAIR,
            _with(PAIR, attributes=(A, _with(B, type="date"))),
            "Composite type s.pair changed the type of its attribute b from text to date.",
        ),
        (
            PAIR,
            _with(PAIR, attributes=(_with(A, type="bigint"), B)),
            "Composite type s.pair has the wider type bigint for its attribute a now:"
            " it was integer.",
        ),
        (
            PAIR,
            _with(PAIR, attributes=(B, A)),
            "Composite type s.pair has its attributes in another order: b, a.",
        ),
        (
            MOOD,
            _with(MOOD, labels=("ok", "sad")),
            "Enum s.mood has its labels in another order: ok, sad.",
        ),
        (
            NUMBERS,
            _with(NUMBERS, start=2, cycle=True, cache=3),
            "Sequence s.n changed its start value, cache size and cycle option.",
        ),
        (
            NUMBERS,
            _with(NUMBERS, owner=ColumnReference(schema="s", table="x", column="y")),
            "Sequence s.n changed its owner.",
        ),
        (
            JANUARY,
            _with(JANUARY, partition_of=PartitionOf(schema="s", table="t", bound="IN (1)")),
            "Partition s.january was moved from “s.t DEFAULT” to “s.t IN (1)”.",
        ),
    ],
)
def test_a_change_is_told_in_a_plain_sentence(
    before: SchemaObject, after: SchemaObject, sentence: str
) -> None:
    changes = diff_snapshots(schema(before), schema(after), 1, 2).changes
    assert [change.sentence for change in changes] == [sentence]


@pytest.mark.parametrize(
    ("dialect", "rules"),
    [
        ("postgresql", ["column_removed", "view_definition_changed"]),
        ("mysql", ["view_unreadable"]),
        ("sqlite", ["view_unreadable"]),
    ],
)
def test_a_view_without_columns_cannot_be_read_but_for_one_of_postgresql(
    dialect: str, rules: list[str]
) -> None:
    before = _with(T, kind="view", definition="SELECT a FROM u")
    after = _with(before, columns=(), definition="SELECT FROM u")
    one, other = (_with(schema(view), dialect=dialect) for view in (before, after))
    assert [change.rule for change in diff_snapshots(one, other, 1, 2).changes] == rules
