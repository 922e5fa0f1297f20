"""Rows of `twd.generated_sql`: what a language model was asked with a version, and the outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import generated_sql
from twd_training.evaluation.outcomes import Compared

_LONGEST_SQL = 20_000


@dataclass(frozen=True, slots=True)
class Asking:
    """What outcomes belong to: a version of a connection's knowledge base, a model as it is."""

    connection_id: str
    version: int
    model: str
    model_digest: str


@dataclass(frozen=True, slots=True)
class Kept:
    """An outcome that was stored; with another `asked_hash` it is one of another question."""

    asked_hash: str
    compared: Compared


NO_ANSWER = Kept("", Compared("no_sql", "there was no answer"))
"""Of a question that was asked in vain, and is open still: no question has that hash."""


class GeneratedSql:
    """The outcomes of all connections."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def kept(self, asking: Asking) -> Mapping[UUID, Kept]:
        """The stored outcomes by the pair's item id, in the order in which they were asked for."""
        table = generated_sql
        query = (
            sa.select(table)
            .where(
                table.c.connection_id == asking.connection_id,
                table.c.version == asking.version,
                table.c.model == asking.model,
                table.c.model_digest == asking.model_digest,
            )
            .order_by(table.c.asked_at)
        )
        with self._database.begin() as transaction:
            rows = transaction.execute(query).all()
        return {
            row.item_id: Kept(row.asked_hash, Compared(row.outcome, row.reason)) for row in rows
        }

    def keep(self, asking: Asking, item_id: UUID, kept: Kept, sql: str) -> None:
        """Store an outcome, over an earlier one of the same pair; of a long SQL its beginning."""
        values = {
            "asked_hash": kept.asked_hash,
            "outcome": kept.compared.outcome,
            "reason": kept.compared.reason,
            "sql": sql[:_LONGEST_SQL],
        }
        with self._database.begin() as transaction:
            transaction.execute(
                insert(generated_sql)
                .values(
                    connection_id=asking.connection_id,
                    version=asking.version,
                    item_id=item_id,
                    model=asking.model,
                    model_digest=asking.model_digest,
                    **values,
                )
                .on_conflict_do_update(
                    index_elements=list(generated_sql.primary_key),
                    set_={**values, "asked_at": sa.func.now()},
                )
            )
