"""A server that is set back to a copy of its files gives out ids and transactions anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from twd_schema.drift.diff import diff_snapshots
from twd_schema.extraction.reading import SchemaReader
from twd_shared.clients.catalog import Connection
from twd_shared.schema_model.models import Snapshot

from .own_server import OwnServer


def test_what_was_made_before_and_after_it_is_told_apart(
    own_server: OwnServer,
    reader: SchemaReader,
    connection_to: Callable[..., Connection],
    execute: Callable[..., None],
) -> None:
    def made(statement: str) -> tuple[str, Snapshot]:
        with own_server.running() as dsn:
            execute(dsn, statement)
            signal = asyncio.run(reader.signal_async(connection_to(dsn)))
            return signal, reader.read(connection_to(dsn))

    made("create table customers (id int, name text)")
    own_server.keep()
    signal, before = made("create table invoices (id int, total numeric)")
    own_server.set_back()
    signal_now, now = made("create table weather (id int, wind text)")
    assert signal_now != signal
    assert [change.sentence for change in diff_snapshots(before, now, 1, 2).changes] == [
        "Table public.invoices was removed.",
        "Table public.weather was added with 2 columns.",
    ]
