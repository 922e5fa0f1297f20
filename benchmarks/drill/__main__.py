"""Faults on a whole stack, round after round: `python -m benchmarks.drill`.

In each round the stack imports, syncs or trains a database, a fault strikes at a random moment, and
nobody helps. A round is consistent when, within seven minutes, nothing is going on any more, every
asset is fresh, sources, snapshots, index and knowledge bases say the same, nothing is there twice,
and no slot is held. The seed decides kinds, moments and order, so that a round can be played again.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from random import Random

from benchmarks.drill.faults import Fault, kinds
from benchmarks.drill.rig import Rig, rig
from benchmarks.drill.rounds import Round, play, settle
from benchmarks.drill.truth import Source
from benchmarks.drill.work import KINDS
from benchmarks.figures import Figure, table
from benchmarks.figures import say as say_figures
from benchmarks.own_stack import say

ROUNDS = 30
_RECOVERY_SECONDS = 60


def main() -> int:
    """Play the rounds and report; 1 if a figure is short of its target, else 0."""
    parser = argparse.ArgumentParser(prog="benchmarks.drill", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="decides what happens when")
    parser.add_argument("--only", default="", help="faults whose name holds this text")
    chosen = parser.parse_args()
    started = time.monotonic()
    # Told to end, it ends its stack as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with rig() as made:
        left_out = _left_out(made)
        rounds = _rounds(made, chosen.rounds, chosen.seed, chosen.only)
    print(
        f"{len(rounds)} rounds of seed {chosen.seed} in {time.monotonic() - started:.0f} s; "
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}; "
        f"Python {platform.python_version()}, Dagster {version('dagster')}"
    )
    _report(rounds)
    for line in left_out:
        print(f"Left out: {line}")
    print()
    slowest = max((one.good_tick or float("inf") for one in rounds), default=float("inf"))
    consistent = sum(one.is_consistent for one in rounds)
    return say_figures(
        [
            Figure("drill_consistent_rounds", consistent, chosen.rounds, is_least=True),
            Figure("drill_good_tick_seconds", slowest, _RECOVERY_SECONDS),
        ]
    )


def _rounds(made: Rig, count: int, seed: int, only: str) -> Sequence[Round]:
    random = Random(seed)
    sources = [Source(name, made.connect(name, name)) for name in ("chinook", "northwind")]
    if wrong := settle(made, sources):
        raise SystemExit(f"The stack was not well before the first round: {'; '.join(wrong)}")
    faults = _plan(made, count, random, only)
    played: list[Round] = []
    for number, fault in enumerate(faults, start=1):
        work = KINDS[number % len(KINDS)]
        say(f"Round {number} of {count}: {work}, {fault.name}")
        one = play(made, sources, number, work, fault, Random(f"{seed}/{number}"))
        played.append(one)
        say(f"  {_seconds(one.good_tick)} s to good ticks, {_seconds(one.healed)} s until well")
        for line in one.left:
            say(f"  {line}")
        if not one.is_consistent:
            # What is wrong now would be wrong in each round that follows.
            break
    return played


def _plan(made: Rig, count: int, random: Random, only: str) -> list[Fault]:
    """Each kind once in random order, and again until there are enough."""
    planned: list[Fault] = []
    while len(planned) < count:
        possible = [
            fault for fault in kinds(random) if only in fault.name and not fault.why_not(made)
        ]
        if not possible:
            raise SystemExit(f"No fault is called {only!r}.")
        random.shuffle(possible)
        planned += possible
    return planned[:count]


def _left_out(made: Rig) -> list[str]:
    """Kinds of faults that this machine cannot do, and why."""
    return [
        f"{fault.name}, as {why_not}"
        for fault in kinds(Random())
        if (why_not := fault.why_not(made))
    ]


def _report(rounds: Sequence[Round]) -> None:
    header = ("fault", "work", "begun after s", "good ticks s", "well s")
    rows = [
        (
            one.fault,
            one.work,
            f"{one.struck_after:.1f}",
            _seconds(one.good_tick),
            _seconds(one.healed),
        )
        for one in rounds
    ]
    print(table(header, rows))


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
