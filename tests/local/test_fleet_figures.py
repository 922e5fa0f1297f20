"""The fleet benchmark's figures, from what storage would say."""

from __future__ import annotations

import pytest

from benchmarks.fleet.arithmetic import (
    first_written,
    most_at_once,
    quantile,
    sensor_ticks,
    slot_use,
    written_again,
)
from benchmarks.fleet.storage import IMPORTED, TRAINED, Run, Tick, Written


def _run(begun: float | None, ended: float | None) -> Run:
    return Run(f"{begun}-{ended}", "schema_import_job", "SUCCESS", "shop", begun, ended)


@pytest.mark.parametrize(
    ("runs", "most"),
    [
        ([], 0),
        ([_run(None, None)], 0),
        ([_run(0, 10), _run(1, 2), _run(3, 4)], 2),
        # The place of one that ends is free for one that begins.
        ([_run(0, 1), _run(1, 2)], 1),
        # One that has not ended has its place still.
        ([_run(0, None), _run(5, 6), _run(5, 6)], 3),
    ],
)
def test_runs_at_once_are_counted_by_their_times(runs: list[Run], most: int) -> None:
    assert most_at_once(runs) == most


def test_use_of_the_places_counts_what_lies_between_the_two_moments() -> None:
    runs = [_run(-5, 5), _run(0, None), _run(20, 30), _run(None, None)]
    assert slot_use(runs, slots=2, begun=0, ended=10) == pytest.approx(0.75)


def test_a_tick_that_goes_on_has_taken_until_now() -> None:
    ticks = [
        Tick("quick", "SUCCESS", 0, 1, ""),
        Tick("quick", "FAILURE", 10, 12, "wrong"),
        Tick("stuck", "STARTED", 20, None, ""),
    ]
    stuck, quick = sensor_ticks(ticks, now=50)
    assert stuck == ("stuck", 1, 0, 30, 30)
    assert quick == ("quick", 2, 1, 1.5, 2)


def test_only_the_same_asset_of_the_same_partition_is_written_again() -> None:
    written = [
        Written("1", IMPORTED, "shop", 1),
        Written("1", TRAINED, "shop", 2),
        Written("2", IMPORTED, "store", 3),
        Written("3", IMPORTED, "shop", 4),
        Written("4", IMPORTED, "shop", 5),
    ]
    assert [one.at for one in written_again(written)] == [4, 5]
    assert first_written(written, IMPORTED) == {"shop": 1, "store": 3}


def test_a_quantile_is_a_value_that_was_measured() -> None:
    taken = [float(number) for number in range(20, 0, -1)]
    assert quantile(taken, 0.95) == 19
    assert quantile([7.0], 0.95) == 7
