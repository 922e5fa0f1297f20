"""The tables for people and the figures."""

from __future__ import annotations

from collections import Counter
from statistics import mean, median

from benchmarks.figures import Figure, table
from benchmarks.fleet.arithmetic import most_at_once, quantile, slot_use, written_again
from benchmarks.fleet.measured import Measured
from benchmarks.fleet.memory import MEBIBYTE, Memory

_SLOW_TICK_SECONDS = 30
# What warms up has done so by then: memory that still grows would grow with each connection.
_GROWTH = 1.1
# A run reads one schema and embeds it in batches: what it takes must not depend on how many wait.
_WORKER = 256 * MEBIBYTE
# What the stack's PostgreSQL may take for all its sessions together once they have touched it.
_SHARED_BUFFERS = 128 * MEBIBYTE


def report(measured: Measured) -> None:
    """Print what happened."""
    for lines in (_times, _runs, _written_again, _ticks, _memory):
        print()
        print(lines(measured))


def figures(measured: Measured) -> list[Figure]:
    """The figures, by their names."""
    peak = max(memory.total for memory in measured.memories)
    sampled = max(sample.progress.in_progress for sample in measured.samples)
    return [
        Figure(
            "fleet_imported",
            len(measured.searchable & measured.imported.keys()),
            measured.connections,
            is_least=True,
        ),
        Figure(
            "fleet_imports_per_minute",
            _per_minute(measured),
            60 / measured.one_by_one,
            is_least=True,
        ),
        Figure("fleet_runs_at_once", most_at_once(measured.runs), measured.limit),
        Figure("fleet_runs_at_once_sampled", sampled, measured.limit),
        Figure("fleet_written_again", len(written_again(measured.written)), 0),
        Figure("fleet_runs_failed", _failed_runs(measured), 0),
        Figure(
            "fleet_slowest_tick_seconds",
            max(one.slowest for one in measured.ticks),
            _SLOW_TICK_SECONDS,
        ),
        Figure("fleet_ticks_failed", sum(one.failed for one in measured.ticks), 0),
        Figure("fleet_peak_memory_mib", peak / MEBIBYTE, _memory_bound(measured) / MEBIBYTE),
        Figure("fleet_services_memory_second_half", _second_half(measured), _GROWTH),
    ]


def _per_minute(measured: Measured) -> float:
    return 60 * len(measured.imported) / (measured.all_imported - measured.registered)


def _failed_runs(measured: Measured) -> int:
    return sum(run.status in ("FAILURE", "CANCELED") for run in measured.runs)


def _memory_bound(measured: Measured) -> float:
    # A run gives its place on before its process has ended: there may be two to a place.
    return measured.idle.total + 2 * measured.limit * _WORKER + _SHARED_BUFFERS


def _second_half(measured: Measured) -> float:
    """Peak memory of the services in the second half of the imports, as a share of the first's."""
    half = median(measured.imported.values() or [measured.all_imported])
    first, second = 0, 0
    for sample in measured.while_importing:
        if sample.memory and sample.at <= half:
            first = max(first, sum(sample.memory.services.values()))
        elif sample.memory:
            second = max(second, sum(sample.memory.services.values()))
    return second / first


def _times(measured: Measured) -> str:
    begun = measured.registered
    rows = [
        (name, len(moments), [moment - begun for moment in moments])
        for name, moments in (
            ("listed by the sensor", [*measured.first_seen.values()]),
            ("imported", [*measured.imported.values()]),
            ("trained", [*measured.trained.values()]),
        )
        if moments
    ]
    then = measured.all_imported
    trained = sum(moment <= then for moment in measured.trained.values())
    times = table(
        ("seconds after the registration", "connections", "first", "half", "95 %", "last"),
        [
            (
                name,
                f"{count}",
                *(f"{one:.1f}" for one in (min(taken), median(taken))),
                *(f"{one:.1f}" for one in (quantile(taken, 0.95), max(taken))),
            )
            for name, count, taken in rows
        ],
    )
    return (
        f"{times}\n{_per_minute(measured):.1f} imports a minute; "
        f"{60 / measured.one_by_one:.1f} by the peer, one by one on the idle stack: "
        f"{_per_minute(measured) * measured.one_by_one / 60:.2f} times as many. "
        f"{trained} were trained by then."
    )


def _runs(measured: Measured) -> str:
    assets: dict[str, set[str]] = {}
    for one in measured.written:
        assets.setdefault(one.run_id, set()).add(one.asset)
    kinds: dict[tuple[str, int], list[float]] = {}
    for run in measured.runs:
        if run.begun is not None and run.ended is not None:
            kind = (run.job, len(assets.get(run.run_id, ())))
            kinds.setdefault(kind, []).append(run.ended - run.begun)
    then = measured.all_imported
    first = min((run.begun for run in measured.runs if run.begun), default=measured.registered)
    cpu = mean(sample.cpu_share for sample in measured.while_importing)
    states = ", ".join(
        f"{count} {status.lower()}"
        for status, count in Counter(run.status for run in measured.runs).most_common()
    )
    return "\n".join(
        (
            table(
                ("runs that ended", "assets written", "runs", "median", "longest"),
                [
                    (
                        job,
                        f"{count}",
                        f"{len(taken)}",
                        f"{median(taken):.1f} s",
                        f"{max(taken):.1f} s",
                    )
                    for (job, count), taken in sorted(kinds.items())
                ],
            ),
            f"{states}; {measured.sizes.backfills} back-fills. Until the last import "
            f"{slot_use(measured.runs, measured.limit, first, then):.2f} of the time of the "
            f"{measured.limit} places was used, and {cpu:.2f} of the cores.",
        )
    )


def _written_again(measured: Measured) -> str:
    """Which partitions were: a figure alone would not lead to the cause."""
    again = {(one.asset, one.partition) for one in written_again(measured.written)}
    rows = [
        (one.partition, one.asset, f"{one.at - measured.registered:.1f}", one.run_id)
        for one in sorted(measured.written, key=lambda one: (one.partition, one.at))
        if (one.asset, one.partition) in again
    ]
    if not rows:
        return "Nothing was written again."
    return table(("written again", "asset", "seconds after", "run"), rows)


def _ticks(measured: Measured) -> str:
    return table(
        ("sensor", "ticks", "failed", "median", "slowest"),
        [
            (
                one.sensor,
                f"{one.ticks}",
                f"{one.failed}",
                f"{one.median:.2f} s",
                f"{one.slowest:.2f} s",
            )
            for one in measured.ticks
        ],
    )


def _memory(measured: Measured) -> str:
    memories = measured.memories
    peak = max(memories, key=lambda memory: memory.total)
    at_end = memories[-1]
    rows = [
        (name, *(_mib(memory.services.get(name, 0)) for memory in (measured.idle, peak, at_end)))
        for name in sorted(measured.idle.services)
    ]
    parts = (measured.idle, peak, at_end)
    rows.append(("run workers", *(_mib(sum(memory.workers)) for memory in parts)))
    rows.append(("all", *(_mib(memory.total) for memory in parts)))
    sessions = max(sample.progress.connections for sample in measured.samples)
    sizes = measured.sizes
    return "\n".join(
        (
            table(("MiB, proportional (PSS)", "idle before", "peak", "at the end"), rows),
            f"Largest run worker {_mib(_largest(memories))} MiB, at most "
            f"{max(len(memory.workers) for memory in memories)} at once. "
            f"{sessions} of {sizes.most_connections} sessions of PostgreSQL at most. "
            f"{sizes.events} events, {_mib(sizes.event_bytes)} of {_mib(sizes.all_bytes)} MiB of "
            "the metadata database.",
        )
    )


def _largest(memories: list[Memory]) -> int:
    return max((worker for memory in memories for worker in memory.workers), default=0)


def _mib(size: float) -> str:
    return f"{size / MEBIBYTE:.0f}"
