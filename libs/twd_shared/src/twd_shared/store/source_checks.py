"""What each source said when it was last asked whether its schema has changed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_shared.store.database import MetadataDatabase, text_rows
from twd_shared.store.rows import of_row
from twd_shared.store.sync_tables import source_checks

Freshness = Literal["fresh", "drifted", "unreadable", "given_up"]
"""fresh: the index holds the schema as it is. drifted: it does not, and a sync is requested.
unreadable: the source could not be asked. given_up: syncs failed too often to be requested."""


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """One source's last answer; `fingerprint` is what its schema had when it gave `signal`.

    Both are '' when they are not known. `cause` is a sentence for people, without secrets.
    `since` is when freshness or cause became what they are; None = now.
    """

    connection_id: str
    signal: str
    fingerprint: str
    freshness: Freshness
    cause: str = ""
    since: datetime | None = None
    asked_at: datetime | None = None


class SourceCheckStore:
    """Rows of `twd.source_checks`."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def all(self) -> dict[str, SourceCheck]:
        """The last check of each connection that was ever asked, by its id."""
        with self._database.begin() as transaction:
            rows = transaction.execute(sa.select(source_checks)).all()
        return {row.connection_id: of_row(SourceCheck, row) for row in rows}

    def record(self, checks: Collection[SourceCheck]) -> None:
        """Store the checks as of now, in one statement; `since` and `asked_at` are set here."""
        if not checks:
            return
        names = ("connection_id", "signal", "fingerprint", "freshness", "cause")
        given = text_rows(names, ([getattr(item, name) for name in names] for item in checks))
        fresh_at = sa.case((given.c.freshness == "fresh", sa.func.now()))
        statement = insert(source_checks).from_select(
            [*names, "fresh_at"], sa.select(*(given.c[name] for name in names), fresh_at)
        )
        new, old = statement.excluded, source_checks.c
        is_same = (old.freshness == new.freshness) & (old.cause == new.cause)
        with self._database.begin() as transaction:
            transaction.execute(
                statement.on_conflict_do_update(
                    index_elements=[old.connection_id],
                    set_={
                        **{name: new[name] for name in names[1:]},
                        "since": sa.case((is_same, old.since), else_=sa.func.now()),
                        "asked_at": sa.func.now(),
                        "fresh_at": sa.func.coalesce(new.fresh_at, old.fresh_at),
                    },
                )
            )

    def confirm(self, connection_id: str, signal: str, fingerprint: str) -> None:
        """Record that the source's schema had this fingerprint after it gave this signal.

        Whether the index holds that schema is not told by it; freshness stays as it was.
        """
        statement = insert(source_checks).values(
            connection_id=connection_id,
            signal=signal,
            fingerprint=fingerprint,
            freshness="drifted",
            cause="It was read; whether the index holds it is not known yet.",
        )
        with self._database.begin() as transaction:
            transaction.execute(
                statement.on_conflict_do_update(
                    index_elements=[source_checks.c.connection_id],
                    set_={"signal": signal, "fingerprint": fingerprint},
                )
            )

    def delete(self, connection_id: str) -> None:
        """Forget what a connection said: it is no longer asked."""
        with self._database.begin() as transaction:
            transaction.execute(
                sa.delete(source_checks).where(source_checks.c.connection_id == connection_id)
            )
