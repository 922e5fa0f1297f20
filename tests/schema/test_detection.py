"""Asking many sources at once: none of them can hold up or spoil the answers of the others."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import msgspec
import pytest

from twd_schema.drift.detection import read_fingerprints
from twd_schema.extraction.limits import ReadLimits
from twd_schema.extraction.reading import SchemaReader
from twd_shared.clients.catalog import Connection
from twd_shared.schema_model.fingerprint import object_fingerprints, snapshot_fingerprint
from twd_shared.schema_model.models import Column, Sequence, Snapshot, Table

GOOD = Connection("1", "good", "postgresql", True, "postgresql://u:canary@h/good")
BAD = Connection("2", "bad", "mysql", True, "mysql://u:canary@h/bad")

EMPTY = Snapshot(dialect="mysql", database_name="good", server_version="11")


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
    readings = read_fingerprints([GOOD, BAD], reader, lambda _: EMPTY, budget_seconds=0.3)
    assert time.monotonic() - begun < 10
    reader.release.set()
    assert readings["1"].fingerprint is not None
    assert "connection 2 (bad) was not read within this tick" in readings["2"].error


def test_an_unforeseen_error_of_one_source_is_told_without_its_text(reader: Reader) -> None:
    reader.error = ValueError("mysql://u:canary@h/bad")
    readings = read_fingerprints([GOOD, BAD], reader, lambda _: EMPTY, budget_seconds=5)
    assert readings["1"].fingerprint is not None
    assert "connection 2 (bad) could not be read (ValueError)" in readings["2"].error
    assert "canary" not in readings["2"].error


class Shown(SchemaReader):
    """Reads one snapshot, whatever it is asked for."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(frozenset(), ReadLimits())
        self.snapshot = snapshot

    async def read_async(self, connection: Connection, on_statement: Any = None) -> Snapshot:
        return self.snapshot


def test_what_a_role_is_no_longer_shown_is_no_drift() -> None:
    known = Table(
        schema="shop", name="orders", kind="table", columns=(Column(name="id", type="int"),)
    )
    seen = Table(schema="shop", name="customers", kind="table")
    before = msgspec.structs.replace(EMPTY, tables=(seen, known))
    shown = Shown(msgspec.structs.replace(EMPTY, tables=(seen,), granted=(("shop", "customers"),)))
    [reading] = read_fingerprints([GOOD], shown, lambda _: before, budget_seconds=5).values()
    assert reading.fingerprint == snapshot_fingerprint(object_fingerprints(before))


def test_a_kind_that_a_reading_can_no_longer_tell_is_no_drift() -> None:
    number = Sequence(
        schema="shop", name="numbers", type="bigint", start=1, increment=1, minimum=1, maximum=9
    )
    before = msgspec.structs.replace(EMPTY, sequences=(number,))
    shown = Shown(msgspec.structs.replace(EMPTY, unknown=("sequences",)))
    [reading] = read_fingerprints([GOOD], shown, lambda _: before, budget_seconds=5).values()
    assert reading.fingerprint == snapshot_fingerprint(object_fingerprints(before))
