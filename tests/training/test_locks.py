"""For how long a training holds its locks after its machine is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import sqlalchemy as sa

from twd_shared.store.database import MetadataDatabase
from twd_training.examples.store import TrainingSet
from twd_training.knowledge_base.versions import ModelVersions

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "hold",
    [
        lambda database: ModelVersions(database).exclusive("7"),
        lambda database: ModelVersions(database).exclusive_at_once("7"),
        lambda database: TrainingSet(database).editing("7"),
    ],
)
def test_a_machine_that_is_cut_off_holds_a_lock_for_two_minutes_at_most(
    metadata_dsn: str,
    monkeypatch: pytest.MonkeyPatch,
    hold: Callable[[MetadataDatabase], AbstractContextManager[object]],
) -> None:
    database = MetadataDatabase(metadata_dsn)
    begun: list[sa.Connection] = []
    begin = database.begin

    @contextmanager
    def noted() -> Iterator[sa.Connection]:
        with begin() as transaction:
            begun.append(transaction)
            yield transaction

    monkeypatch.setattr(database, "begin", noted)
    with hold(database):
        idle, interval, count = (
            begun[0].execute(sa.text(f"show tcp_keepalives_{name}")).scalar_one()
            for name in ("idle", "interval", "count")
        )
    database.close()
    assert int(idle) + int(interval) * int(count) <= 120
