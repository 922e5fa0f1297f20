"""The schema as it was at earlier versions, and what its tables and columns are called now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from twd_shared.errors import UnknownConnection
from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.renames import Rename
from twd_shared.sql.renaming import NewNames
from twd_shared.store.snapshots import SnapshotStore
from twd_training.examples.known_tables import KnownTables


@dataclass(frozen=True)
class Then:
    """A version's tables, None if it is kept no more, and what has another name since."""

    known: KnownTables | None
    renames: tuple[Rename, ...]

    @cached_property
    def new_names(self) -> NewNames:
        """What its tables and columns are called now."""
        return NewNames.of(self.renames)

    @cached_property
    def renamed(self) -> dict[str, str]:
        """Names of today by those of then, as `TrainingItem.names` tells them."""
        tables = self.known.tables.values() if self.known else ()
        columns = {((item.schema, item.name), one.name) for item in tables for one in item.columns}
        labels = {".".join(old): ".".join(new) for old, new in self.new_names.tables.items()}
        for table, name in columns | self.new_names.columns.keys():
            new, new_name = self.new_names.column((table, name))
            labels[".".join((*table, name))] = ".".join((*new, new_name))
        of_enums = {item.old: item.new for item in self.renames if item.kind == "enum"}
        of_labels = {
            (*item.old, item.old_member): item.new_member
            for item in self.renames
            if item.kind == "enum" and item.old_member
        }
        enums = self.known.enums.values() if self.known else ()
        for enum in enums:
            old = (enum.schema, enum.name)
            for label in enum.labels:
                new_label = of_labels.get((*old, label), label)
                labels[".".join((*old, label))] = ".".join((*of_enums.get(old, old), new_label))
        return {old: new for old, new in labels.items() if old != new}


class Past:
    """Earlier versions of one connection's schema, each read once, when it is asked for."""

    def __init__(
        self, snapshots: SnapshotStore, connection_id: str, version: int, today: KnownTables
    ) -> None:
        """`version` is the present one, and `today` are its tables."""
        self._snapshots = snapshots
        self._connection_id = connection_id
        self._version = version
        self._today = today
        self.at = cache(self._at)
        """What was at a version before the present one; raises MetadataUnavailable."""

    def _at(self, version: int) -> Then:
        renames = self._snapshots.renames(self._connection_id, version, self._version)
        try:
            known = KnownTables.of(self._snapshots.load(self._connection_id, version))
        except UnknownConnection:
            # Retention has removed it.
            known = None
        return Then(known, _standing(renames.items, known, self._today))


def _standing(
    renames: Sequence[Rename], then: KnownTables | None, today: KnownTables
) -> tuple[Rename, ...]:
    """The renames without those to names that are gone: the old name means what it meant.

    Unless something else was renamed to it. Nor those of a table in whose place another with its
    columns was put, as a nightly load does: people go on to ask the one that has the name.
    """
    taken = {(*item.new_key, item.new_member) for item in renames}
    before = {item.new: item.old for item in renames if not item.new_member}
    return tuple(
        item
        for item in renames
        if not _is_replaced(item, before, then, today)
        and (_is_there(item, today) or (*item.old_key, item.old_member) in taken)
    )


def _is_replaced(
    rename: Rename,
    before: Mapping[TableName, TableName],
    then: KnownTables | None,
    today: KnownTables,
) -> bool:
    """Whether another table has the table's old name and columns, and the two did not swap names.

    `before` has by the names of today those of then.
    """
    swapped = before.get(rename.old) == rename.new
    if rename.kind == "enum" or then is None or rename.old == rename.new or swapped:
        return False
    table, other = then.tables.get(rename.old), today.tables.get(rename.old)
    if table is None or other is None:
        return False
    return {item.name for item in table.columns} <= {item.name for item in other.columns}


def _is_there(rename: Rename, today: KnownTables) -> bool:
    if rename.kind == "enum":
        labels = next(
            (one.labels for one in today.enums.values() if (one.schema, one.name) == rename.new),
            None,
        )
        return labels is not None and (not rename.new_member or rename.new_member in labels)
    table = today.tables.get(rename.new)
    return table is not None and (
        not rename.new_member or any(one.name == rename.new_member for one in table.columns)
    )
