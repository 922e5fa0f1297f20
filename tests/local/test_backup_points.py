"""Points in a file: every kind of vector and payload comes back bit by bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client import models

from twd_local.backup.points import Content, PointWriter, read_points


def _f32(*numbers: float) -> list[float]:
    return np.asarray(numbers, dtype="f4").tolist()


_SPARSE = models.SparseVector(indices=[3, 7, 4_000_000_000], values=_f32(0.1, -2.5, 1e-30))


@pytest.mark.parametrize(
    "vector",
    [
        _f32(0.1, -1 / 3, 1e-38),
        [_f32(0.1, 0.2), _f32(0.3, 0.4)],
        {},
        {"dense": _f32(0.1, 0.7), "terms": _SPARSE},
        {"many": [_f32(1, 2), _f32(3, 4)], "terms": models.SparseVector(indices=[], values=[])},
        {"": _f32(1.5, 2.5)},
    ],
)
def test_vectors_come_back(tmp_path: Path, vector: Any) -> None:
    path = tmp_path / "points.gz"
    with PointWriter(path) as writer:
        writer.write([models.Record(id=1, payload={}, vector=vector)])
    [[point]] = read_points(path, 10)
    assert point.vector == vector


def test_payloads_come_back_in_batches(tmp_path: Path) -> None:
    payload = {
        "b": ["é 漢字", None, True, 1, 1.0, -(2**63), 2**64 - 1, 1e300],
        "a": {"nested": {"deep": []}},
    }
    records = [models.Record(id=number, payload=payload, vector=[1.0]) for number in range(5)]
    path = tmp_path / "points.gz"
    with PointWriter(path) as writer:
        writer.write(records)
    batches = list(read_points(path, 2))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert all(point.payload == payload for batch in batches for point in batch)
    assert path.stat().st_mode & 0o777 == 0o600
    assert writer.content.points == 5


def test_the_digest_is_of_the_points_and_not_of_how_they_were_told() -> None:
    def digest(payload: dict[str, Any], vector: Any) -> str:
        content = Content()
        content.add(models.Record(id=1, payload=payload, vector=vector))
        return content.digest

    # A server may give the shortest decimal number or the exact value, keys in any order.
    one = digest({"a": 1, "b": 2}, {"t": _SPARSE, "d": [0.1]})
    backwards = models.SparseVector(indices=_SPARSE.indices[::-1], values=_SPARSE.values[::-1])
    assert one == digest({"b": 2, "a": 1}, {"d": _f32(0.1), "t": backwards})
    assert one != digest({"a": 1, "b": 3}, {"t": _SPARSE, "d": [0.1]})
    assert one != digest({"a": 1, "b": 2}, {"t": _SPARSE, "d": [0.2]})
