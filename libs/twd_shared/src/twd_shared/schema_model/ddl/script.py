"""All statements that rebuild a schema in an empty PostgreSQL database, in an order that works.

Objects come after those that they name; what can go in circles comes last: partitions are
attached and foreign keys added when every table is there. So does pg_dump.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from twd_shared.schema_model.ddl.constraints import foreign_key_definition, named
from twd_shared.schema_model.ddl.names import qualified, quote_name
from twd_shared.schema_model.ddl.table import (
    attach_statements,
    comment_statements,
    create_statement,
    index_statement,
    table_statements,
    unvalidated_constraints,
    view_default_statements,
    view_statement,
)
from twd_shared.schema_model.ddl.types import (
    identity_kinds,
    object_statements,
    ownership_statements,
    sequence_options,
)
from twd_shared.schema_model.fingerprint import key_of
from twd_shared.schema_model.models import Column, ObjectKey, SchemaObject, Snapshot, Table

# A literal, in which there is no name, a name, or `schema`.`name`.
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|`((?:[^`]|``)*)`(?:\.`((?:[^`]|``)*)`)?", re.DOTALL)


def schema_script(snapshot: Snapshot) -> list[str]:
    """The statements, one in each string, without semicolons at their ends.

    Another dialect's gives sequences, tables and views, each with its own keys inside: where
    tables refer to each other, its server must be told not to check foreign keys meanwhile.
    """
    if snapshot.dialect != "postgresql":
        sequences = [
            f"CREATE SEQUENCE {qualified(item.schema, item.name, snapshot.dialect)} "
            f"{sequence_options(item)}"
            for item in snapshot.sequences
        ]
        tables = [table for table in snapshot.tables if table.kind != "view"]
        views = _views_in_order(table for table in snapshot.tables if table.kind == "view")
        return sequences + [
            text for table in tables + views for text in table_statements(table, snapshot.dialect)
        ]
    return list(_statements(snapshot))


def _views_in_order(views: Iterable[Table]) -> list[Table]:
    """The views, each after those that its query names, in MySQL's quotes with their schema.

    SQLite looks for what a view names only when the view is asked.
    """
    view_at = {key_of(view): view for view in views}
    needed = {
        key: [
            ("table", schema.replace("``", "`"), name.replace("``", "`"))
            for schema, name in _QUOTED.findall(view.definition or "")
        ]
        for key, view in view_at.items()
    }
    return [view_at[key] for key in _in_order(needed)]


def _statements(snapshot: Snapshot) -> Iterator[str]:
    relations = {(item.schema, item.name): item for item in snapshot.relations}
    if snapshot.routines:
        # A body may name what comes later.
        yield "SET check_function_bodies = off"
    wrappers = {table.server for table in relations.values() if table.server}
    servers = [
        f"CREATE SERVER IF NOT EXISTS {quote_name(server)} FOREIGN DATA WRAPPER {quote_name(name)}"
        for server, name in sorted(wrappers)
    ]
    order = creation_order(snapshot)
    for item in order:
        if isinstance(item, Table):
            if item.server:
                yield from servers
                servers = []
            yield from _created(item, relations)
        else:
            yield from object_statements(item)
    # A child that is made later would get its parent's constraint as one that holds, and a child
    # that has got it already none of its own: so all tables come before, and children first.
    for item in reversed(order):
        if isinstance(item, Table):
            name = qualified(item.schema, item.name)
            yield from (f"ALTER TABLE {name} ADD {text}" for text in unvalidated_constraints(item))
    kinds = identity_kinds(relations.values())
    for sequence in snapshot.sequences:
        yield from ownership_statements(sequence, kinds)
    for table in relations.values():
        yield from (index_statement(table, index) for index in table.indexes)
    for table in snapshot.partitions:
        yield from attach_statements(table)
    for table in relations.values():
        for key in table.foreign_keys:
            constraint = named(key.name, foreign_key_definition(key))
            yield f"ALTER TABLE {qualified(table.schema, table.name)} ADD {constraint}"
    for table in relations.values():
        yield from comment_statements(table)


def creation_order(snapshot: Snapshot) -> list[SchemaObject]:
    """The snapshot's objects, each after the objects that it needs."""
    ranked: tuple[tuple[SchemaObject, ...], ...] = (
        snapshot.namespaces,
        snapshot.extensions,
        # Whatever holds a text can name one, and they name nothing: no dependency has to tell.
        snapshot.collations,
        snapshot.sequences,
        snapshot.enums,
        snapshot.ranges,
        snapshot.composites,
        snapshot.domains,
        snapshot.routines,
        snapshot.tables,
        snapshot.partitions,
    )
    objects = {key_of(item): item for items in ranked for item in items}
    return [objects[key] for key in _in_order(_needs_of(objects))]


def _in_order(needed: Mapping[ObjectKey, Sequence[ObjectKey]]) -> list[ObjectKey]:
    """The keys, each after those that it needs, as far as they are keys too."""
    order: dict[ObjectKey, None] = {}
    opened: set[ObjectKey] = set()
    # Not recursive: views on views may be nested deeper than Python's stack.
    waiting = list(needed)[::-1]
    while waiting:
        key = waiting[-1]
        needs = [
            other
            for other in needed[key]
            if other in needed and other not in order and other not in opened
        ]
        if key in opened or not needs:
            waiting.pop()
            order.setdefault(key)
        else:
            # Opened: met again on top, all that it needs was tried, also in a circle.
            opened.add(key)
            waiting += reversed(needs)
    return list(order)


def _needs_of(
    objects: Mapping[ObjectKey, SchemaObject],
) -> Mapping[ObjectKey, Sequence[ObjectKey]]:
    """What each object must come after.

    That is no routine that itself comes after the relation, as one that an index is on,
    `full_name(people.*)`: indexes come last. A check that calls such a one cannot be written.
    """
    named = {key: _needs(item) for key, item in objects.items()}
    reached = {key: _reached(key, named) for key in named if key[0] == "routine" and named[key]}
    return {
        key: [other for other in needs if key not in reached.get(other, ())]
        if isinstance(objects[key], Table)
        else needs
        for key, needs in named.items()
    }


def _reached(start: ObjectKey, needs: Mapping[ObjectKey, Sequence[ObjectKey]]) -> set[ObjectKey]:
    found: set[ObjectKey] = set()
    waiting = list(needs[start])
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += needs.get(key, ())
    return found


def _needs(item: SchemaObject) -> tuple[ObjectKey, ...]:
    if isinstance(item, Table):
        return item.depends_on + tuple(("table", *parent) for parent in item.inherits)
    return getattr(item, "depends_on", ())


def _created(table: Table, relations: dict[tuple[str, str], Table]) -> Iterator[str]:
    if table.is_view:
        yield view_statement(table, with_data=table.kind == "view")
        yield from view_default_statements(table)
        return
    table = _without_what_attaching_makes(table, relations)
    above = _columns_above(table, relations)
    own = tuple(
        _with_own_default(column, above.get(column.name, ()))
        for column in table.columns
        if not column.inherited
    )
    yield create_statement(table, own, [], "postgresql", with_identity=False)
    for column in table.columns:
        if column.inherited:
            yield from _alterations(table, column, above.get(column.name, ()))


def _without_what_attaching_makes(
    table: Table, relations: Mapping[tuple[str, str], Table]
) -> Table:
    """A partition without the exclusions of its parent.

    Attached, it gets them anew: the server takes none that is there for the parent's.
    """
    above = table.partition_of and relations.get(
        (table.partition_of.schema, table.partition_of.table)
    )
    if not above:
        return table
    made = {
        item.definition
        for item in (above.primary_key, *above.unique_constraints, *above.constraints)
        if item and item.definition and _excludes(item.definition)
    }
    key = table.primary_key
    return msgspec.structs.replace(
        table,
        primary_key=None if key and key.definition in made else key,
        unique_constraints=tuple(
            item for item in table.unique_constraints if item.definition not in made
        ),
        constraints=tuple(item for item in table.constraints if item.definition not in made),
    )


def _excludes(definition: str) -> bool:
    return definition.startswith("EXCLUDE ") or " WITHOUT OVERLAPS)" in definition


def _columns_above(
    table: Table, relations: Mapping[tuple[str, str], Table]
) -> Mapping[str, list[Column]]:
    """The columns of a table's parents, by name."""
    found: dict[str, list[Column]] = {}
    for parent in table.inherits:
        for column in relations[parent].columns if parent in relations else ():
            found.setdefault(column.name, []).append(column)
    return found


def _with_own_default(column: Column, above: Iterable[Column]) -> Column:
    # Declared without a default it would get its parents'.
    if _has_no_value(column) and any(item.default is not None for item in above):
        return msgspec.structs.replace(column, default="NULL")
    return column


def _alterations(table: Table, column: Column, above: Sequence[Column]) -> Iterator[str]:
    """What makes an inherited column other than its parents'."""
    name = quote_name(column.name)
    alter = f"ALTER TABLE ONLY {qualified(table.schema, table.name)} ALTER COLUMN {name}"
    if column.default is not None:
        yield f"{alter} SET DEFAULT {column.default}"
    elif _has_no_value(column) and any(item.default is not None for item in above):
        yield f"{alter} DROP DEFAULT"
    elif column.generated is not None and any(item.generated != column.generated for item in above):
        yield f"{alter} SET EXPRESSION AS ({column.generated})"
    held = {item.definition for item in table.constraints}
    if (
        not column.nullable
        and all(item.nullable for item in above)
        and f"NOT NULL {name}" not in held
    ):
        yield f"{alter} SET NOT NULL"


def _has_no_value(column: Column) -> bool:
    return column.default is None and column.generated is None
