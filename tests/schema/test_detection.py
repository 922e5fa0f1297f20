"""Asking many sources at once: none of them can hold up or spoil the answers of the others."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from twd_schema.drift.detection import read_fingerprints
from twd_schema.extraction.limits import ReadLimits
from twd_schema.extraction.reading import SchemaReader
from twd_shared.clients.catalog import Connection
from twd_shared.schema_model.models import Snapshot

GOOD = Connection("1", "good", "postgresql", True, "postgresql://u:canary@h/good")
BAD = Connection("2", "bad", "mysql", True, "mysql://u:canary@h/bad")


class Reader(SchemaReader):
    """Reads one source well; what the other does, a test says."""

    def __init__(self) -> None:
        super().__init__(frozenset(), ReadLimits())
        self.release = threading.Event()
        self.error: Exception | None = None

    async def read_async(self, connection: Connection) -> Snapshot:
        if connection == BAD:
            if self.error:
                raise self.error
            await asyncio.to_thread(self.release.wait, 20)
        return Snapshot(dialect="postgresql", database_name="good", server_version="18")


@pytest.fixture
def reader() -> Reader:
    return Reader()


def test_a_driver_that_cannot_be_interrupted_does_not_outlast_the_budget(reader: Reader) -> None:
    begun = time.monotonic()
    readings = read_fingerprints([GOOD, BAD], reader, lambda _: {}, budget_seconds=0.3)
    assert time.monotonic() - begun < 10
    reader.release.set()
    assert readings["1"].fingerprint is not None
    assert "connection 2 (bad) was not read within this tick" in readings["2"].error


def test_an_unforeseen_error_of_one_source_is_told_without_its_text(reader: Reader) -> None:
    reader.error = ValueError("mysql://u:canary@h/bad")
    readings = read_fingerprints([GOOD, BAD], reader, lambda _: {}, budget_seconds=5)
    assert readings["1"].fingerprint is not None
    assert "connection 2 (bad) could not be read (ValueError)" in readings["2"].error
    assert "canary" not in readings["2"].error
