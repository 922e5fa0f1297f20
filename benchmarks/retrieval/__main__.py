"""How well tables are found: `python -m benchmarks.retrieval [--data FOLDER]`.

Asks the same questions of a library's BM25 and of parts and whole of ours, on the lexical model of
the local stack: pooled over all databases of the set, of each database alone, of one database of a
thousand tables, and in Vietnamese and English of the three samples. The set stands in `--data`;
without it only the samples are asked. Settings are the library's own, the same for every set.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.figures import Figure, say, table
from benchmarks.retrieval import scores
from benchmarks.retrieval.dataset import (
    Question,
    read_databases,
    read_questions,
    snapshot_of_tables,
)
from benchmarks.retrieval.index import OwnIndex, own_index
from benchmarks.retrieval.large_database import asked_of_large, large_database
from benchmarks.retrieval.methods import BM25, EXPANDED, HYBRID, OURS, WHOLE, LibrarySearch
from benchmarks.retrieval.samples import sample_questions
from benchmarks.retrieval.scores import Answer
from benchmarks.services import Services, services
from twd_schema.extraction.reading import SchemaReader
from twd_shared.clients.catalog import Connection
from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.models import Snapshot, Table
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy

_DATA = Path(__file__).parents[2].parent / "shared/fixtures/spider_train"
_MOST = max(scores.RANKS)
_MANY = 3

Answers = dict[str, list[Answer]]
"""By name of a way, the answers to all questions."""


def main(arguments: Sequence[str]) -> int:
    """Ask, report; 1 if a figure is short of its target, else 0."""
    parser = argparse.ArgumentParser(prog="benchmarks.retrieval")
    parser.add_argument("--data", type=Path, default=_DATA, help="schemas.json, questions.jsonl")
    folder: Path = parser.parse_args(arguments).data
    with services() as servers:
        _samples(servers)
        if not (folder / "schemas.json").exists():
            print(f"\nNo question set in {folder}: its figures are left out. Name one by --data.")
            return 0
        return say(_figures(servers, read_databases(folder), read_questions(folder)))


def _figures(
    servers: Services, databases: Mapping[str, tuple[Table, ...]], questions: list[Question]
) -> list[Figure]:
    pooled_tables = [one for members in databases.values() for one in members]
    with own_index(servers, "bench_pooled") as pooled:
        snapshot = snapshot_of_tables(pooled_tables, "pooled")
        pooled.publish("pooled", snapshot)
        plain = _answers(pooled, "pooled", snapshot, questions, [one.text for one in questions])
        reworded = [one for one in questions if one.synonyms]
        synonyms = _answers(
            pooled, "pooled", snapshot, reworded, [one.synonyms or "" for one in reworded]
        )
        counted = f"{len(pooled_tables)} tables of {len(databases)} databases pooled"
        _say_by_tables(counted, plain)
        _say(f"{counted}, the same questions in other words", synonyms)
    _each_alone(servers, databases, questions)
    with own_index(servers, "bench_large") as large:
        snapshot = snapshot_of_tables(large_database(databases), "large")
        large.publish("large", snapshot)
        moved = [asked_of_large(one) for one in questions]
        alone = _answers(large, "large", snapshot, moved, [one.text for one in moved])
        _say(f"One database of {len(snapshot.tables)} tables", alone)
    print()
    expanded, unexpanded = _with_many(plain[EXPANDED]), _with_many(plain[HYBRID])
    gain = scores.complete_recall(expanded, _MOST) - scores.complete_recall(unexpanded, _MOST)
    return [
        *_recalls("retrieval_recall", plain[WHOLE], (0.86, 0.93, 0.95)),
        *_recalls("retrieval_recall_synonyms", synonyms[WHOLE], (0.69, 0.77, 0.81)),
        Figure(
            "retrieval_complete_1000_tables_at_15",
            scores.complete_recall(alone[WHOLE], _MOST),
            0.80,
            is_least=True,
        ),
        Figure("retrieval_expansion_gain_3_tables_at_15", gain, 0.05, is_least=True),
    ]


def _recalls(name: str, answers: list[Answer], targets: Sequence[float]) -> Iterable[Figure]:
    for k, target in zip(scores.RANKS, targets, strict=True):
        yield Figure(f"{name}_at_{k}", scores.recall(answers, k), target, is_least=True)


def _answers(
    asked: OwnIndex,
    connection_id: str,
    snapshot: Snapshot,
    questions: Sequence[Question],
    texts: list[str],
) -> Answers:
    names = [(one.schema, one.name) for one in snapshot.tables]
    needed = [question.needs(names) for question in questions]

    def answers(rankings: list[list[TableName]]) -> list[Answer]:
        return [
            Answer(needs, ranking, question.language)
            for needs, ranking, question in zip(needed, rankings, questions, strict=True)
        ]

    found = {
        name: answers(LibrarySearch(list(snapshot.tables), is_split=split).rank(texts, _MOST))
        for name, split in BM25.items()
    }
    for name, weights in OURS.items():
        found[name] = answers(asked.rank(connection_id, texts, weights))
    return found


def _each_alone(
    servers: Services, databases: Mapping[str, tuple[Table, ...]], questions: list[Question]
) -> None:
    together: Answers = {}
    with own_index(servers, "bench_alone") as alone:
        for database in sorted({one.database for one in questions}):
            snapshot = snapshot_of_tables(databases[database], database)
            alone.publish(database, snapshot)
            own = [one for one in questions if one.database == database]
            found = _answers(alone, database, snapshot, own, [one.text for one in own])
            for name, answers in found.items():
                together.setdefault(name, []).extend(answers)
    _say("Each database alone, as a connection of its own", together)


def _samples(servers: Services) -> None:
    together: Answers = {}
    reader = SchemaReader(
        frozenset({"postgresql"}), ReadLimits(statement_seconds=60), reach_policy("loopback", "")
    )
    with own_index(servers, "bench_samples") as samples:
        for database, questions in sample_questions().items():
            dsn = servers.source(database)
            snapshot = reader.read(Connection(database, database, "postgresql", True, dsn))
            samples.publish(database, snapshot)
            found = _answers(samples, database, snapshot, questions, [q.text for q in questions])
            for name, answers in found.items():
                together.setdefault(name, []).extend(answers)
    for language, told in (("vi", "in Vietnamese"), ("en", "the same in English")):
        _say(
            f"Pagila, Chinook and Northwind, each alone, {told}",
            {
                name: [one for one in answers if one.language == language]
                for name, answers in together.items()
            },
        )


def _say_by_tables(title: str, found: Answers) -> None:
    _say(title, found)
    for count in (1, 2):
        _say(
            f"… questions of {count} table{'s' if count > 1 else ''}",
            {
                name: [one for one in answers if len(one.needed) == count]
                for name, answers in found.items()
            },
        )
    _say("… questions of 3 tables or more", {name: _with_many(a) for name, a in found.items()})


def _with_many(answers: list[Answer]) -> list[Answer]:
    return [one for one in answers if len(one.needed) >= _MANY]


def _say(title: str, found: Answers) -> None:
    print(f"\n{title}")
    rows = [scores.row(name, answers) for name, answers in found.items() if answers]
    print(table(scores.HEADER, rows), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
