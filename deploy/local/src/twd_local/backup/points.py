"""Points in a file: one frame each, numbers as 32-bit floats as the server keeps them, gzip.

The same points give the same bytes, whichever server they were read from: the `content` digests of
two collections are equal if and only if their points are.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import numpy as np
from qdrant_client import models

_LENGTH_BYTES = 4
# Vectors hardly get smaller: what a higher level would save is not worth the time.
_LEVEL = 3
_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_decode = msgspec.msgpack.Decoder().decode


class Content:
    """Counts points and sums up what they hold; they must come in the order of their ids."""

    def __init__(self) -> None:
        """Nothing was added yet."""
        self.points = 0
        self._digest = hashlib.sha256()

    def add(self, record: models.Record) -> bytes:
        """Take in one point; gives its frame."""
        body = _encode([record.id, record.payload or {}, _packed(record.vector)])
        frame = len(body).to_bytes(_LENGTH_BYTES, "big") + body
        self._digest.update(frame)
        self.points += 1
        return frame

    @property
    def digest(self) -> str:
        """The same for the same points."""
        return self._digest.hexdigest()


class PointWriter:
    """Writes a file of points that its owner alone may read."""

    def __init__(self, path: Path) -> None:
        """Creates the file; it must not be there."""
        self._raw = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._file = gzip.GzipFile("", "wb", _LEVEL, self._raw, mtime=0)
        self.content = Content()

    def write(self, records: Iterable[models.Record]) -> None:
        """Append points."""
        for record in records:
            self._file.write(self.content.add(record))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self._raw.close()


def read_points(path: Path, batch: int) -> Iterator[list[models.PointStruct]]:
    """The points of a file, `batch` at a time."""
    points: list[models.PointStruct] = []
    with gzip.open(path) as file:
        while head := file.read(_LENGTH_BYTES):
            identifier, payload, vector = _decode(file.read(int.from_bytes(head, "big")))
            points.append(
                models.PointStruct(id=identifier, payload=payload, vector=_unpacked(vector))
            )
            if len(points) == batch:
                yield points
                points = []
    if points:
        yield points


def _packed(vector: Any) -> Any:
    """Dense → bytes, multivector → list of bytes, sparse → None, indices, values.

    Named vectors are a dict of these.
    """
    if vector is None:
        return {}
    if isinstance(vector, dict):
        return {name: _packed(one) for name, one in vector.items()}
    if isinstance(vector, models.SparseVector):
        order = np.argsort(np.asarray(vector.indices, dtype="<u4"), kind="stable")
        indices = np.asarray(vector.indices, dtype="<u4")[order]
        values = np.asarray(vector.values, dtype="<f4")[order]
        return [None, indices.tobytes(), values.tobytes()]
    if vector and isinstance(vector[0], list):
        return [_packed(row) for row in vector]
    return np.asarray(vector, dtype="<f4").tobytes()


def _unpacked(vector: Any) -> Any:
    if isinstance(vector, bytes):
        return np.frombuffer(vector, dtype="<f4").tolist()
    if isinstance(vector, dict):
        return {name: _unpacked(one) for name, one in vector.items()}
    if vector[0] is None:
        _, indices, values = vector
        return models.SparseVector(
            indices=np.frombuffer(indices, dtype="<u4").tolist(),
            values=np.frombuffer(values, dtype="<f4").tolist(),
        )
    return [_unpacked(row) for row in vector]
