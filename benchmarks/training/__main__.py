"""Whether training keeps what is right, and what it costs: `python -m benchmarks.training`.

A corpus of schema changes is made to copies of Pagila and Northwind, and each pair's fate compared
with what PostgreSQL says of it. The gate before a knowledge base is given faults. A thousand tables
with five hundred pairs are trained, in turn without and with changes, and by Vanna's own `train`.
"""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import version

from benchmarks.figures import Figure, say, table
from benchmarks.services import services
from benchmarks.training import corpus, gate, speed
from benchmarks.training.schema_changes import CHANGES

_MOST_TOLD = 20


def main() -> int:
    """Measure, report; 1 if a figure is short of its target, else 0."""
    print(
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}; "
        f"Python {platform.python_version()}, Vanna {version('vanna')}"
    )
    with services() as servers:
        # First, while nobody else has made the server busy.
        costs = speed.measure(servers)
        _say_speed(costs)
        judged = corpus.judge_corpus(servers, CHANGES)
        _say_corpus(judged)
        caught = gate.try_gate(servers)
        _say_gate(caught)
    print()
    return say([*_corpus_figures(judged), *_gate_figures(caught), *_speed_figures(costs)])


def _corpus_figures(judged: corpus.Corpus) -> list[Figure]:
    found = judged.judgements[corpus.BY_PLANNING]
    right = 1 - len(found.proposals_wrong) / max(found.proposals, 1)
    return [
        Figure("training_changes", judged.changes, 60, is_least=True),
        Figure("training_pairs", judged.pairs, 200, is_least=True),
        Figure("training_broken_served", len(found.broken_served), 0),
        Figure("training_good_lost", len(found.good_lost), 0),
        Figure("training_not_restored", len(found.not_restored), 0),
        Figure("training_repairs_proposed_right", right, 1, is_least=True),
    ]


def _gate_figures(caught: gate.Caught) -> list[Figure]:
    return [
        *(
            Figure(f"training_gate_{fault}_caught", count, gate.TRIES, is_least=True)
            for fault, count in caught.faults.items()
        ),
        Figure("training_gate_false_alarms", sum(caught.false_alarms.values()), 0),
    ]


def _speed_figures(costs: speed.Speed) -> list[Figure]:
    unchanged, changed = costs.embedded["unchanged"], costs.embedded["changed"]
    return [
        Figure("training_first_vs_floor", costs.first.seconds / costs.floor, 1.3),
        Figure("training_unchanged_embed_calls", unchanged.calls + unchanged.others, 0),
        Figure(
            "training_changed_embed_calls_minus_batches", changed.calls - changed.least_calls, 0
        ),
        Figure("training_first_vs_vanna", costs.first.seconds / costs.peer_seconds, 0.1),
        Figure("training_wrong_points_after_change", costs.ours.wrong + costs.ours.missing, 0),
    ]


def _say_corpus(judged: corpus.Corpus) -> None:
    print(f"\n{judged.changes} changes of a schema, {judged.pairs} pairs")
    rows = [
        (
            way,
            *(
                f"{count}"
                for count in (
                    one.broken,
                    len(one.broken_served),
                    len(one.good_lost),
                    len(one.not_restored),
                    one.proposals,
                    len(one.proposals_wrong),
                )
            ),
        )
        for way, one in judged.judgements.items()
    ]
    header = ("", "broken", "served", "good lost", "not restored", "proposals", "wrong")
    print(table(header, rows))
    found = judged.judgements[corpus.BY_PLANNING]
    for name, findings in (
        ("broken and served", found.broken_served),
        ("good and lost", found.good_lost),
        ("not restored", found.not_restored),
        ("proposed wrongly", found.proposals_wrong),
    ):
        for one in findings[:_MOST_TOLD]:
            print(f"{name}, {one.change}: {one.pair.sql}\n    {one.told or one.truth}")


def _say_gate(caught: gate.Caught) -> None:
    print(f"\nThe gate, {gate.TRIES} tries each, seed {gate.SEED}")
    held = [*caught.faults.items(), *caught.false_alarms.items()]
    print(table(("", "held back"), [(name.replace("_", " "), f"{n}") for name, n in held]))


def _say_speed(costs: speed.Speed) -> None:
    print(
        f"\n1,000 tables and {costs.accepted} pairs: {costs.documents} documents, {costs.texts} "
        f"texts, floor {costs.floor:.2f} s; medians of {speed.ROUNDS} rounds, Vanna once"
    )
    turns = {
        "first": costs.first,
        "unchanged": costs.unchanged,
        "a hundredth changed": costs.changed,
    }
    rows = [
        (
            name,
            f"{turn.collecting:.2f} s",
            f"{turn.publishing:.2f} s",
            f"{turn.seconds / costs.floor:.3f}",
            f"{turn.seconds / costs.peer_seconds:.4f}",
        )
        for name, turn in turns.items()
    ]
    rows.append(
        (
            "Vanna's train",
            "",
            f"{costs.peer_seconds:.2f} s",
            f"{costs.peer_seconds / costs.floor:.3f}",
            "1",
        )
    )
    print(table(("", "checking", "publishing", "of the floor", "of Vanna's"), rows))
    print("\nCalls of /api/embed, each training by new clients")
    embedded = [
        (name, *(f"{n}" for n in (one.texts, one.least_calls, one.calls, one.others)))
        for name, one in costs.embedded.items()
    ]
    print(table(("", "texts", "least calls", "with new texts", "of the gate"), embedded))
    print(
        f"\nPoints after the change: ours {costs.ours.wrong} stale or duplicate, "
        f"{costs.ours.missing} missing; Vanna's {costs.peer.wrong} and {costs.peer.missing}"
    )


if __name__ == "__main__":
    sys.exit(main())
