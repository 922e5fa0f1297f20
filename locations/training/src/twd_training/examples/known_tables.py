"""The tables and enums of one snapshot, as training items name them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from twd_shared.schema_model.base_types import enums_by_type
from twd_shared.schema_model.keys import TableName, partitioned_by, upwards
from twd_shared.schema_model.models import EnumType, Snapshot, Table
from twd_shared.sql.names import ColumnName, SchemaNames
from twd_training.examples.texts import Text, is_word, plain


@dataclass(frozen=True)
class KnownTables:
    """Tables and partitions of one snapshot as statements may name them."""

    dialect: str
    tables: dict[TableName, Table]
    enums: dict[str, EnumType]
    """By the type as columns spell it; domains over an enum stand for it."""

    @classmethod
    def of(cls, snapshot: Snapshot) -> KnownTables:
        """Those of `snapshot`."""
        return cls(
            snapshot.dialect,
            {(item.schema, item.name): item for item in snapshot.relations},
            enums_by_type(snapshot),
        )

    @cached_property
    def names(self) -> SchemaNames:
        """The same for what resolves every name of a statement."""
        return SchemaNames(self.dialect, self.tables.values())

    @cached_property
    def labels(self) -> frozenset[str]:
        """All that `TrainingItem.names` may hold: tables, their columns, labels of enums."""
        tables = {table.label for table in self.tables.values()}
        enums = {f"{e.schema}.{e.name}.{label}" for e in self.enums.values() for label in e.labels}
        return self.columns | tables | enums

    @cached_property
    def columns(self) -> frozenset[str]:
        """Those of them that are columns."""
        return frozenset(
            f"{table.label}.{column.name}"
            for table in self.tables.values()
            for column in table.columns
        )

    def enum_label(self, column: ColumnName, text: str) -> str | None:
        """What `text` names if the column is of an enum: schema.enum.label; else None."""
        table, name = column
        types = {one.name: one.type for one in self.tables[table].columns}
        enum = self.enums.get(types[name].removesuffix("[]"))
        if enum is None or text not in enum.labels:
            return None
        return f"{enum.schema}.{enum.name}.{text}"

    def label(self, name: TableName) -> str:
        """The label of the table that people ask: of a partition, the one that it is a part of."""
        line = [one for one in upwards(name, self._above) if one in self.tables]
        return self.tables[line[-1]].label

    @cached_property
    def _above(self) -> dict[TableName, TableName]:
        return partitioned_by(self.tables.values())

    def named_in(self, text: Text) -> set[TableName]:
        """The tables that a text for people names."""
        named = [name for name in self._odd_names if text.names(name)]
        return {
            table for name in (*text.words, *named) for table in self._by_plain_name.get(name, ())
        }

    @cached_property
    def _by_plain_name(self) -> dict[str, list[TableName]]:
        found: dict[str, list[TableName]] = {}
        for key in self.tables:
            found.setdefault(plain(key[1]), []).append(key)
        return found

    @cached_property
    def _odd_names(self) -> list[str]:
        """Those that are not one word."""
        return [name for name in self._by_plain_name if not is_word(name)]
