"""The breaking changes of each source: told once, and told once that they are undone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_schema.drift.alerts import breaking_alerts, change_key, recovery_alerts
from twd_schema.drift.changes import Change, SchemaDiff
from twd_schema.drift.recovery import (
    Present,
    TableNames,
    is_next_type,
    is_return,
    is_undone,
)
from twd_shared.schema_model.models import Snapshot
from twd_shared.store.alerts import add_alert
from twd_shared.store.connections import RegisteredConnection
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.locks import take_lock
from twd_shared.store.sync_tables import breaking_changes
from twd_shared.store.tables import snapshots


@dataclass(frozen=True, slots=True)
class Told:
    """How many changes a call told as new, and how many as undone."""

    broken: int
    recovered: int


class _Open(NamedTuple):
    """A breaking change that was told and is not known to be undone."""

    key: str
    to_version: int
    can_recover: bool
    change: Change


class BreakingChanges:
    """Rows of `twd.breaking_changes`, and the alerts that go with them."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def tell(
        self,
        source: RegisteredConnection,
        diff: SchemaDiff,
        snapshot: Snapshot,
        consequences: Mapping[Change, str],
        link: str,
    ) -> Told:
        """Raise alerts for what the diff breaks, and for what the snapshot shows as undone.

        `snapshot` is of the version that the diff leads to; `consequences` says whom a change
        hits, for those known. The same diff again tells nothing, nor does a later one that holds
        what is told already. What is told and that it is told become true at once, or neither.
        """
        connection_id, version = source.connection_id, diff.to_version
        with self._database.begin() as transaction:
            take_lock(transaction, f"twd.breaking_changes:{connection_id}")
            present = Present(snapshot)
            open_ones = _open_changes(transaction, connection_id)
            undone, new = _to_tell(open_ones, diff, present)
            _close(transaction, connection_id, undone, version)
            taken = _taken_at(transaction, connection_id, version)
            keyed = {change_key(connection_id, change, version, taken): change for change in new}
            # Something else that was renamed as well has its old name: nothing would tell its end.
            endless = {key for key, change in keyed.items() if is_undone(change, present)}
            broken = _recorded(transaction, connection_id, keyed, version, endless)
            for alert in (
                *recovery_alerts(source.partition_key, undone, version, link),
                *breaking_alerts(source.partition_key, broken, endless, consequences, link),
            ):
                add_alert(transaction, alert)
        return Told(len(broken), len(undone))

    def would_tell(self, connection_id: str, diff: SchemaDiff, snapshot: Snapshot) -> Told:
        """What `tell` would tell of the same; writes nothing."""
        with self._database.read() as transaction:
            open_ones = _open_changes(transaction, connection_id)
        undone, new = _to_tell(open_ones, diff, Present(snapshot))
        return Told(len(new), len(undone))


def _to_tell(
    open_ones: Sequence[_Open], diff: SchemaDiff, present: Present
) -> tuple[dict[str, Change], list[Change]]:
    """What is undone, by the key by which it was told, and what is newly broken."""
    names = TableNames(item.change for item in open_ones if item.change.rule == "table_renamed")
    undone = _undone(open_ones, present, diff.to_version, names)
    still_open = [item for item in open_ones if item.key not in undone]
    new = [
        change
        for change in _new(diff, still_open)
        if not any(is_return(change, told, names) for told in undone.values())
    ]
    return undone, new


def _new(diff: SchemaDiff, open_ones: Sequence[_Open]) -> tuple[Change, ...]:
    """The breaking changes of the diff that are not told yet; of a first reading there are none.

    A run that told its changes and then failed leaves the diff's start behind: the next diff holds
    them again, up to a later version.
    """
    if not diff.from_version:
        return ()
    told = {_what(item.change) for item in open_ones if item.to_version > diff.from_version}
    return tuple(change for change in diff.breaking if _what(change) not in told)


def _what(change: Change) -> tuple[str, ...]:
    """What a change is, however it is worded or known."""
    named = (change.rule, change.schema, change.name, change.member)
    return (*named, change.before, change.after)


def _undone(
    open_ones: Sequence[_Open], present: Present, version: int, names: TableNames
) -> dict[str, Change]:
    undone: dict[str, Change] = {}
    # Oldest first, so that a type's way over several is followed link by link.
    for item in open_ones:
        # What broke with this very version cannot be undone by it.
        if (
            item.can_recover
            and item.to_version < version
            and (
                is_undone(item.change, present, names.of(item.change))
                or any(is_next_type(item.change, told, names) for told in undone.values())
            )
        ):
            undone[item.key] = item.change
    return undone


def _open_changes(transaction: sa.Connection, connection_id: str) -> list[_Open]:
    query = (
        sa.select(breaking_changes)
        .where(
            breaking_changes.c.connection_id == connection_id,
            breaking_changes.c.recovered_version.is_(None),
        )
        .order_by(breaking_changes.c.to_version, breaking_changes.c.alert_key)
    )
    return [
        _Open(row.alert_key, row.to_version, row.can_recover, msgspec.convert(row.change, Change))
        for row in transaction.execute(query)
    ]


def _taken_at(transaction: sa.Connection, connection_id: str, version: int) -> str:
    query = sa.select(snapshots.c.taken_at).where(
        snapshots.c.connection_id == connection_id, snapshots.c.version == version
    )
    taken_at = transaction.execute(query).scalar_one_or_none()
    return taken_at.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ") if taken_at else ""


def _recorded(
    transaction: sa.Connection,
    connection_id: str,
    broken: Mapping[str, Change],
    version: int,
    endless: Collection[str],
) -> dict[str, Change]:
    """Record the changes; gives those that were not recorded yet, in their order."""
    if not broken:
        return {}
    rows = [
        {
            "connection_id": connection_id,
            "alert_key": key,
            "subject": change.subject,
            "to_version": version,
            "change": msgspec.to_builtins(change),
            "can_recover": key not in endless,
        }
        for key, change in broken.items()
    ]
    statement = insert(breaking_changes).on_conflict_do_nothing()
    added = set(
        transaction.execute(statement.returning(breaking_changes.c.alert_key), rows).scalars()
    )
    return {key: change for key, change in broken.items() if key in added}


def _close(
    transaction: sa.Connection, connection_id: str, undone: Mapping[str, Change], version: int
) -> None:
    transaction.execute(
        sa.update(breaking_changes)
        .where(
            breaking_changes.c.connection_id == connection_id,
            breaking_changes.c.alert_key.in_(undone),
        )
        .values(recovered_version=version, recovered_at=sa.func.now())
    )
