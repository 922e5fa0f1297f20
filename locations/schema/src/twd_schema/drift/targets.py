"""What a change is about, in the names that the schema had before it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from twd_schema.drift.changes import Change, SchemaDiff
from twd_shared.schema_model.base_types import bases_of_domains, types_within
from twd_shared.schema_model.ddl.names import qualified
from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.models import RELATION_KINDS, Snapshot
from twd_shared.sql.names import ColumnName

ReadKey = TableName | ColumnName | tuple[ColumnName, str]
"""What a statement can read: a table, a column, a column compared with a string."""

# What makes a table itself another: keys and constraints decide what may be written to it.
_OF_A_WHOLE_TABLE = frozenset(
    {
        "table_removed",
        "table_renamed",
        "table_replaced",
        "table_kind_changed",
        "view_definition_changed",
        "view_security_changed",
        "view_unreadable",
        "inheritance_changed",
        "partition_removed",
        "partition_renamed",
    }
)
_RENAMES_OF_TABLES = ("table_renamed", "table_replaced", "table_respelled", "partition_renamed")
_RENAMES_OF_COLUMNS = ("column_renamed", "column_replaced", "column_respelled")
_OF_A_LABEL = ("enum_label_removed", "enum_label_renamed")


@dataclass(frozen=True, slots=True)
class Target:
    """What a change is about: `keys` that statements read, `tables` that have documents.

    `told` are tables, or a table's column, that prose may tell of; '' = the table itself.
    """

    tables: frozenset[TableName] = frozenset()
    keys: tuple[ReadKey, ...] = ()
    told: tuple[tuple[TableName, str], ...] = ()


class Targets:
    """Finds what each change of one diff is about."""

    def __init__(self, diff: SchemaDiff, before: Snapshot) -> None:
        """`before` is the snapshot that the diff starts from."""
        labelled = {table.label: (table.schema, table.name) for table in before.relations}
        self._columns_of_type = _columns_of_types(before)
        self._tables: dict[TableName, TableName] = {}
        self._columns: dict[tuple[TableName, str], str] = {}
        for change in diff.changes:
            if change.rule in _RENAMES_OF_TABLES and change.before in labelled:
                self._tables[change.schema, change.name] = labelled[change.before]
            elif change.rule in _RENAMES_OF_COLUMNS and change.after:
                self._columns[(change.schema, change.name), change.after] = change.before
        self._types: dict[TableName, TableName] = {}
        named = {f"{item.schema}.{item.name}": (item.schema, item.name) for item in before.enums}
        for change in diff.changes:
            if change.rule == "enum_renamed" and change.before in named:
                self._types[change.schema, change.name] = named[change.before]

    def of(self, change: Change) -> Target:
        """What the change is about."""
        now = (change.schema, change.name)
        # What is gone goes by its last name, which something else may have been renamed to.
        gone = (f"{change.object_kind}_removed", "table_replaced")
        is_gone = change.rule in gone and not change.after
        if change.object_kind in RELATION_KINDS:
            table = now if is_gone else self._tables.get(now, now)
            if not change.member:
                is_whole = change.rule in _OF_A_WHOLE_TABLE
                keys, told = ((table,), ((table, ""),)) if is_whole else ((), ())
                return Target(frozenset({table}), keys, told)
            column = (table, self._column(now, change))
            return Target(frozenset({table}), (column,), (column,))
        name = now if is_gone else self._types.get(now, now)
        columns = self._columns_of_type.get(qualified(*name), [])
        keys: tuple[ReadKey, ...] = ()
        if change.rule in _OF_A_LABEL:
            label = change.before if change.rule == "enum_label_renamed" else change.member
            keys = tuple((column, label) for column in columns)
        return Target(frozenset(table for table, _ in columns), keys)

    def _column(self, table: TableName, change: Change) -> str:
        if change.rule in ("column_removed", "column_replaced") and not change.after:
            return change.member
        if change.rule in _RENAMES_OF_COLUMNS:
            return change.before
        return self._columns.get((table, change.member), change.member)


def _columns_of_types(snapshot: Snapshot) -> dict[str, list[ColumnName]]:
    """Columns by the type that they have, as columns spell it; by the type of a domain too."""
    bases = bases_of_domains(snapshot)
    found: defaultdict[str, list[ColumnName]] = defaultdict(list)
    for table in snapshot.relations:
        for column in table.columns:
            for kind in types_within(column.type, bases):
                found[kind].append(((table.schema, table.name), column.name))
    return found
