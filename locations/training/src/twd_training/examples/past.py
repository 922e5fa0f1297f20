"""The schema as it was at earlier versions, and what its tables and columns are called now."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from twd_shared.errors import UnknownConnection
from twd_shared.sql.renaming import NewNames
from twd_shared.store.snapshots import SnapshotStore
from twd_training.examples.checking import KnownTables


class Then(NamedTuple):
    """A version's tables, None if it is kept no more, and their names of today."""

    known: KnownTables | None
    new_names: NewNames

    def renamed(self) -> dict[str, str]:
        """Labels of today by those of then, of tables and columns that are called otherwise."""
        tables = self.known.tables.values() if self.known else ()
        columns = {((item.schema, item.name), one.name) for item in tables for one in item.columns}
        labels = {".".join(old): ".".join(new) for old, new in self.new_names.tables.items()}
        for table, name in columns | self.new_names.columns.keys():
            new, new_name = self.new_names.column((table, name))
            labels[".".join((*table, name))] = ".".join((*new, new_name))
        return {old: new for old, new in labels.items() if old != new}


class Past:
    """Earlier versions of one connection's schema, each read once, when it is asked for."""

    def __init__(self, snapshots: SnapshotStore, connection_id: str, version: int) -> None:
        """`version` is the present one."""
        self._snapshots = snapshots
        self._connection_id = connection_id
        self._version = version
        self.at = cache(self._at)
        """What was at a version before the present one; raises MetadataUnavailable."""

    def _at(self, version: int) -> Then:
        renames = self._snapshots.renames(self._connection_id, version, self._version)
        try:
            known = KnownTables.of(self._snapshots.load(self._connection_id, version))
        except UnknownConnection:
            # Retention has removed it.
            known = None
        return Then(known, NewNames.of(renames.items))
