"""Drift on a real database: each change gives its rules, and what is no change gives none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import psycopg2
import pytest

from twd_schema.drift.changes import RULES, SchemaDiff
from twd_schema.drift.diff import diff_snapshots
from twd_schema.drift.report import markdown_report
from twd_shared.schema_model.fingerprint import object_fingerprints, snapshot_fingerprint
from twd_shared.schema_model.models import Index, Key, Snapshot, snapshot_of

from .changed_schemas import schema, table
from .ddl_catalogue import BASELINE, DDL, MAINTENANCE, Maintenance, SchemaChange

# Tried in mysql/test_mysql_drift.py, test_drift_spelling.py and test_drift_upgrade.py.
OF_OTHERS = {
    "column_collation_changed",
    "column_labels_added",
    "column_respelled",
    "column_type_respelled",
    "column_visibility_changed",
    "table_respelled",
    "view_definition_respelled",
    "view_unreadable",
}


class Source:
    """A database with the baseline; `read` gives its schema now."""

    def __init__(self, dsn: str, read: Callable[[], Snapshot]) -> None:
        self.read = read
        self._connection = psycopg2.connect(dsn)
        self._connection.autocommit = True
        self.make_anew()

    def make_anew(self) -> None:
        self.run(BASELINE)
        self.baseline = self.read()

    def run(self, statement: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)

    def diff(self) -> SchemaDiff:
        return diff_snapshots(self.baseline, self.read(), 1, 2)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def module_source(services: Any, reader: Any, connection_to: Any) -> Iterator[Source]:
    dsn = services.database()
    source = Source(dsn, lambda: reader.read(connection_to(dsn)))
    yield source
    source.close()


@pytest.fixture
def source(module_source: Source) -> Source:
    module_source.make_anew()
    return module_source


@pytest.mark.parametrize("case", DDL, ids=lambda case: case.name)
def test_a_change_gives_its_rules_and_only_those(source: Source, case: SchemaChange) -> None:
    source.run(case.statement)
    diff = source.diff()
    assert {(change.rule, change.subject) for change in diff.changes} == case.changes
    assert all(change.severity == RULES[change.rule] for change in diff.changes)


@pytest.mark.parametrize("case", MAINTENANCE, ids=lambda case: case.name)
def test_maintenance_and_data_are_no_change(source: Source, case: Maintenance) -> None:
    for statement in case.statements[:-1]:
        source.run(statement)
    if case.error:
        with pytest.raises(psycopg2.Error) as failed:
            source.run(case.statements[-1])
        assert failed.value.pgcode == case.error
    else:
        source.run(case.statements[-1])
    now = source.read()
    assert snapshot_fingerprint(object_fingerprints(now)) == snapshot_fingerprint(
        object_fingerprints(source.baseline)
    )
    assert not source.diff().has_changes


def test_every_rule_is_tried_by_a_change_on_a_database() -> None:
    tried = {rule for case in DDL for rule, _ in case.changes}
    assert tried | OF_OTHERS == set(RULES)


def test_the_catalogues_are_as_large_as_they_say() -> None:
    assert len(DDL) >= 45
    assert len(MAINTENANCE) >= 22


def test_a_partition_that_moves_to_another_table_is_told_with_both(source: Source) -> None:
    source.run("create table s.past (at date) partition by range (at)")
    source.baseline = source.read()
    source.run(
        "alter table s.days detach partition s.days_2025; alter table s.past attach partition"
        " s.days_2025 for values from ('2025-01-01') to ('2027-01-01')"
    )
    [change] = source.diff().changes
    assert (change.rule, change.severity) == ("partition_moved", "risky")
    assert change.sentence == (
        "Partition s.days_2025 was moved from “s.days FOR VALUES FROM ('2025-01-01') TO"
        " ('2026-01-01')” to “s.past FOR VALUES FROM ('2025-01-01') TO ('2027-01-01')”."
    )


def test_a_routine_that_nothing_needs_any_more_is_not_told_as_removed(source: Source) -> None:
    source.run("create function s.made() returns integer language sql as 'select 1'")
    source.run("alter table s.customers add number integer default s.made()")
    [come] = [item for item in source.diff().changes if item.rule == "routine_added"]
    assert come.sentence == ("Routine s.made() was added, or something that is read needs it now.")
    source.baseline = source.read()
    source.run("alter table s.customers alter number drop default")
    [gone] = [item for item in source.diff().changes if item.rule == "routine_removed"]
    assert gone.sentence == (
        "Routine s.made() was removed, or nothing that is read needs it any more."
    )


def test_what_a_child_inherits_is_told_of_its_column_alone(source: Source) -> None:
    source.run("create table s.child (id int) inherits (s.base)")
    for statement, rule, column in (
        ("alter table s.base add note text", "column_added", "note"),
        ("alter table s.base alter note set not null", "column_nullability_changed", "note"),
        ("alter table s.base alter id set not null", "column_nullability_changed", "id"),
        ("alter table s.base alter id drop not null", "column_nullability_changed", "id"),
        ("alter table s.base drop note", "column_removed", "note"),
    ):
        source.baseline = source.read()
        source.run(statement)
        assert {(change.rule, change.subject) for change in source.diff().changes} == {
            (rule, f"s.base.{column}"),
            (rule, f"s.child.{column}"),
        }


def test_what_makes_sql_fail_is_breaking() -> None:
    assert {rule for rule, severity in RULES.items() if severity == "breaking"} == {
        "column_type_changed",
        "view_unreadable",
        "composite_attribute_removed",
        "composite_attribute_type_changed",
        *(
            f"{kind}_{what}"
            for kind in ("table", "column", "enum", "enum_label", "domain", "composite", "range")
            for what in ("removed", "renamed")
        ),
    }


def test_an_equal_schema_made_anew_is_no_change(source: Source) -> None:
    source.run(BASELINE)
    assert not source.diff().has_changes


def variants(item: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    """(field, the value with this field changed), also inside of what it holds."""
    for name in item.__struct_fields__:
        value = getattr(item, name)
        others: list[Any] = []
        match value:
            case bool():
                others.append(not value)
            case int():
                others.append(value + 1)
            case str():
                others.append(value + "x")
            case None if name in ("comment", "definition", "default", "collation", "generated"):
                others.append("x")
            case msgspec.Struct():
                others += [changed for _, changed in variants(value)]
            case (msgspec.Struct() as first, *rest):
                others += [(changed, *rest) for _, changed in variants(first)]
                others.append(tuple(rest))
            case (_, *rest):
                others.append(tuple(rest))
            case _:
                continue
        for other in others:
            yield name, msgspec.structs.replace(item, **{name: other})


def test_whatever_differs_between_two_snapshots_gives_a_change(source: Source) -> None:
    objects = source.baseline.objects
    tried, untold = 0, []
    for place, item in enumerate(objects):
        for field, changed in variants(item):
            after = snapshot_of(
                [*objects[:place], changed, *objects[place + 1 :]],
                dialect="postgresql",
                database_name="",
                server_version="",
            )
            tried += 1
            if not diff_snapshots(source.baseline, after, 1, 2).has_changes:
                untold.append((item.name, field, changed))
    assert untold == []
    assert tried > 250


@pytest.mark.parametrize(
    ("made_on", "rule"),
    [
        ("USING btree (title)", "index_removed"),
        ('USING btree (title COLLATE "case_insensitive")', "unique_index_removed"),
        ("USING btree (title) NULLS NOT DISTINCT", "unique_index_removed"),
    ],
)
def test_a_unique_index_may_go_where_a_key_forbids_as_much(made_on: str, rule: str) -> None:
    definition = f"CREATE UNIQUE INDEX once ON public.films {made_on}"
    index = Index(name="once", columns=("title",), unique=True, definition=definition)
    after = msgspec.structs.replace(
        table("films", title="text"), unique_constraints=(Key(None, ("title",)),)
    )
    before = msgspec.structs.replace(after, indexes=(index,))
    [change] = diff_snapshots(schema(before), schema(after), 1, 2).changes
    assert change.rule == rule


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        ("(price)", "(price) where number > 0", "unique_index_removed"),
        ("(price)", "(price, number)", "unique_index_removed"),
        ("(price)", "(price, (number + 1))", "unique_index_removed"),
        ("(price)", '(price collate "C")', "unique_index_removed"),
        ("(price) nulls not distinct", "(price)", "unique_index_removed"),
        ("(lower(price))", "(upper(price))", "unique_index_removed"),
        ("(price) where number > 0", "(price) where number > 1", "unique_index_removed"),
        ("(price, number)", "(price)", "index_changed"),
        ("(price) where number > 0", "(price)", "index_changed"),
        ("(lower(price)) where number > 0", "(lower(price))", "index_changed"),
        ("(price)", "(price desc nulls last) include (number)", "index_changed"),
        ("(lower(price))", "(lower(price) desc)", "index_changed"),
    ],
)
def test_a_unique_index_that_forbids_less_now_is_told_as_gone(
    source: Source, before: str, after: str, rule: str
) -> None:
    source.run("create table s.listed (price text, number integer)")
    source.run(f"create unique index once on s.listed {before}")
    source.baseline = source.read()
    source.run(f"drop index s.once; create unique index once on s.listed {after}")
    assert [change.rule for change in source.diff().changes] == [rule]


def test_a_unique_index_may_go_where_another_forbids_as_much(source: Source) -> None:
    source.run("create unique index twice on s.prices (price)")
    source.baseline = source.read()
    source.run("drop index s.prices_price_key")
    assert [change.rule for change in source.diff().changes] == ["index_removed"]


def test_a_first_reading_adds_everything(source: Source) -> None:
    diff = diff_snapshots(None, source.baseline, 0, 1)
    kinds = ("table", "enum", "domain", "partition", "composite", "range", "sequence", "routine")
    assert {change.rule for change in diff.changes} == {
        f"{kind}_added" for kind in (*kinds, "extension", "namespace", "collation")
    }


def test_a_report_lists_the_worst_first_and_stays_a_table(source: Source) -> None:
    source.run('alter table s.orders add "a|b\n c" int; drop view s.names')
    lines = markdown_report(source.diff()).splitlines()
    assert lines[2:] == [
        "| breaking | `table_removed` | Table s.names was removed. |",
        "| safe | `column_added` | Column s.orders.a\\|b c was added as integer. |",
    ]
