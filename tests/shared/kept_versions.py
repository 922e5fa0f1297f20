"""Versions of a schema that have to be kept, for the tests of forgetting the others."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import model_versions


def keep(database: MetadataDatabase, connection_id: str, versions: Collection[int]) -> None:
    """Let a knowledge base stand on each of these versions of the connection's schema."""
    with database.begin() as transaction:
        for number in versions:
            add_knowledge_base(transaction, connection_id, number, collections={"alias": "c"})


def add_knowledge_base(
    transaction: sa.Connection,
    connection_id: str,
    snapshot_version: int,
    *,
    collections: dict[str, str],
    is_live: bool = False,
) -> None:
    """A version of the connection's knowledge base that was made of that version of its schema."""
    transaction.execute(
        sa.insert(model_versions).values(
            connection_id=connection_id,
            version=snapshot_version,
            snapshot_version=snapshot_version,
            content_hash="h",
            model="m",
            model_digest="d",
            dimension=3,
            ddl_count=0,
            documentation_count=0,
            question_sql_count=0,
            collections=collections,
            is_live=is_live,
        )
    )
