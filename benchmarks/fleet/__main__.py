"""What becomes of 200 databases that are connected at once: `python -m benchmarks.fleet`.

A whole stack, with the settings that `make up` gives it, in a folder of its own. Its PostgreSQL
holds the databases as well. They are registered through the application's API; from then on only
sensors and conditions act. What happened is read from Dagster's storage: when each run had its
place, how long each tick took, what was materialized how often. Samples taken meanwhile show the
memory and what storage said at the time.

Training follows imports by itself and takes places in the same queue. The figures are about the
imports; `--trained` waits for the training of all, too.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import time
from contextlib import closing
from importlib.metadata import version

from benchmarks.figures import say as say_figures
from benchmarks.fleet.measured import Measured, measure
from benchmarks.fleet.memory import MemoryReader
from benchmarks.fleet.one_by_one import import_one_by_one
from benchmarks.fleet.report import figures, report
from benchmarks.fleet.sources import SCHEMAS, Fleet
from benchmarks.fleet.storage import Storage
from benchmarks.fleet.watching import Watch
from benchmarks.own_stack import own_stack, say
from twd_local.stack.connect import register
from twd_local.stack.environment import admin_dsn
from twd_local.stack.plan import Stack
from twd_shared import settings

CONNECTIONS = 200
_PEER = 2 * len(SCHEMAS)
# Each sensor but those that tick every few minutes has ticked once.
_SETTLED_SECONDS = 40
# Whatever would ask for a second import has ticked again.
_AFTERWARDS_SECONDS = 70
_DEADLINE_SECONDS = 120
_DEADLINE_SECONDS_EACH = 30


def main() -> int:
    """Connect, watch, report; 1 if a figure is short of its target, else 0."""
    parser = argparse.ArgumentParser(prog="benchmarks.fleet", description=__doc__)
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help="how many")
    parser.add_argument("--trained", action="store_true", help="wait until all are trained, too")
    chosen = parser.parse_args()
    # Told to end, it takes its stack with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with own_stack() as stack:
        measured = _measure(stack, chosen.connections, chosen.trained)
    print(
        f"{chosen.connections} connections at once: copies of {len(SCHEMAS)} schemas; "
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}; "
        f"Python {platform.python_version()}, Dagster {version('dagster')}"
    )
    report(measured)
    print()
    return say_figures(figures(measured))


def _measure(stack: Stack, connections: int, is_trained: bool) -> Measured:
    started = time.monotonic()
    fleet = Fleet(admin_dsn(stack.home, stack.ports))
    peers = fleet.copies("peer", _PEER)
    sources = fleet.copies("fleet", connections)
    say(f"{connections} databases are made after {time.monotonic() - started:.0f} s.")
    one_by_one = import_one_by_one(stack, peers) / len(peers)
    say(f"One by one, an import takes {one_by_one:.1f} s.")
    with closing(Storage(stack.environment[settings.METADATA_DSN.name])) as storage:
        watch = Watch(storage, MemoryReader(stack.home), say)
        watch.during(_SETTLED_SECONDS)
        before = len(watch.samples)
        registered = time.time()
        for name, dsn in sources.items():
            register(stack.environment[settings.API_URL.name], name, dsn)
        say(f"All are registered after {time.time() - registered:.1f} s.")
        deadline = _DEADLINE_SECONDS + _DEADLINE_SECONDS_EACH * connections
        watch.until(lambda now: now.imported >= connections, deadline)
        watch.during(_AFTERWARDS_SECONDS)
        if is_trained:
            watch.until(lambda now: now.trained >= connections and not now.in_progress, deadline)
        return measure(stack, storage, watch.samples, before, registered, connections, one_by_one)


if __name__ == "__main__":
    sys.exit(main())
