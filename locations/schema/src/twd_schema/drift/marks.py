"""Marks: what a source's schema is known by as long as nothing that it is read by has changed."""

from __future__ import annotations

import asyncio
from functools import cache

import twd_schema.extraction
import twd_shared.schema_model
from twd_schema.extraction.reading import SchemaReader
from twd_schema.keyed_hash import keyed_hash
from twd_schema.source_revision import source_revision
from twd_shared.clients.catalog import Connection
from twd_shared.errors import TwdError
from twd_shared.schema_model.models import encode


@cache
def _reading_revision() -> str:
    return source_revision((twd_schema.extraction, twd_shared.schema_model))


def mark_of(signal: str, connection: Connection, secret: str) -> str:
    """The mark of a source that gives `signal`; '' if it gives none.

    It differs as well when the connection string leads elsewhere, when the extraction options want
    another part, and when another release reads more. `secret` keys the hash, as a connection
    string must not be guessed from it.
    """
    if not signal:
        return ""
    options = encode(connection.extraction).decode()
    parts = (signal, connection.connection_string, options, _reading_revision())
    return keyed_hash(secret, "\0".join(parts))


def read_mark(reader: SchemaReader, connection: Connection, secret: str) -> str:
    """The mark of a source now; '' also when it cannot be asked, which its reading will tell."""
    try:
        signal = asyncio.run(reader.signal_async(connection))
    except TwdError:
        return ""
    return mark_of(signal, connection, secret)
