"""The book of facts that both assets measure with, made of what a run has at hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from twd_shared.errors import SnapshotForgotten, UnknownConnection
from twd_shared.resources.stores import MetadataStoreResource
from twd_shared.schema_model.models import Snapshot

if TYPE_CHECKING:
    from twd_analytics.generated_sql.book import SqlBook


@contextmanager
def sql_book(metadata_store: MetadataStoreResource) -> Iterator[SqlBook]:
    """An empty book: names are held against stored snapshots, grammar is asked of our server."""
    from twd_analytics.generated_sql.book import SqlBook
    from twd_shared.sql.grammar import PostgresGrammar

    def snapshot_of(connection_id: str, version: int) -> Snapshot:
        try:
            return metadata_store.snapshots.load(connection_id, version)
        except UnknownConnection:
            # It was there when the run began.
            raise SnapshotForgotten(
                f"Snapshot {version} of connection {connection_id} was removed while days were "
                "measured, by retention or with its connection. They are measured again by those "
                "that are kept."
            ) from None

    db_types = {one.connection_id: one.db_type for one in metadata_store.connections.known()}
    with PostgresGrammar(metadata_store.dsn) as grammar:
        yield SqlBook(snapshot_of, db_types, grammar.refused)
