"""How often our verdict of SQL is PostgreSQL's: `python -m benchmarks.analytics.verdict_agreement`.

Each statement of a labelled set is judged by its names alone, then by the analytics location's own
way, which asks the grammar of another PostgreSQL server too. The set stands in `--data`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import psycopg2

from benchmarks.analytics.verdict_set import (
    Labelled,
    ddl_of,
    is_there,
    labelled,
    read_schemas,
    statements_of,
)
from benchmarks.figures import Figure, say, table
from benchmarks.services import services
from twd_analytics.generated_sql.book import SqlBook
from twd_shared.schema_model.models import Snapshot, Table
from twd_shared.sql.grammar import PostgresGrammar
from twd_shared.sql.names import SchemaNames
from twd_shared.sql.parsing import parsed
from twd_shared.sql.references import References, references_of

DATA = Path(__file__).parents[2].parent / "shared/fixtures/spider_train"
"""Where the question set stands, which is no part of this repository."""

_TARGET = 0.98
_SCORED = ("valid", "unknown_table", "unknown_column", "syntax")
_LABELS = (*_SCORED, "ambiguous_column")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many statements have each label and verdict."""

    counts: Counter[tuple[str, str]]

    @property
    def of_four(self) -> float:
        """The share on which both agree, of those labelled other than ambiguous."""
        return self.share(_SCORED)

    @property
    def of_five(self) -> float:
        """The share on which both agree."""
        return self.share(_LABELS)

    def share(self, labels: Sequence[str]) -> float:
        """The share on which both agree, of the statements with these labels."""
        asked = sum(map(self.number, labels))
        return sum(self.counts[label, label] for label in labels) / asked if asked else 0.0

    def number(self, label: str) -> int:
        """How many statements have the label."""
        return sum(count for (known, _), count in self.counts.items() if known == label)


@dataclass(frozen=True, slots=True)
class Measured:
    """The agreement by names alone and with the grammar; seconds of all statements, by step."""

    by_names: Agreement
    with_grammar: Agreement
    seconds: dict[str, float]
    number: int

    @property
    def left_out(self) -> Counter[str]:
        """How many statements PostgreSQL refuses for another reason, by SQLSTATE."""
        counts = self.with_grammar.counts
        labels = {label for label, _ in counts if label not in _LABELS}
        return Counter({label: self.with_grammar.number(label) for label in labels})


def measure(folder: Path = DATA) -> Measured | None:
    """Make the set, label it and judge it; None if the question set is not there."""
    if not is_there(folder):
        return None
    with services() as servers:
        dsn = servers.database("verdicts")
        with closing(psycopg2.connect(dsn)) as connection:
            with connection.cursor() as cursor:
                cursor.execute(ddl_of(folder))
            connection.commit()
        schemas = read_schemas(dsn)
        known = labelled(dsn, statements_of(folder, schemas))
        return _judged(known, schemas, servers.database("grammar"))


def report(measured: Measured) -> None:
    """Print the tables."""
    for title, agreement in (
        ("by names alone", measured.by_names),
        ("with the grammar of a server", measured.with_grammar),
    ):
        print(f"\nPostgreSQL's answer (rows) and our verdict (columns), {title}")
        print(table(("label", "n", "agreed", *_LABELS), [_row(agreement, x) for x in _LABELS]))
        print(f"agreed: {agreement.of_four:.4f} of four labels, {agreement.of_five:.4f} of five")
    left_out = ", ".join(f"{state} {n}" for state, n in measured.left_out.most_common())
    print(f"\nleft out, refused for another reason: {measured.left_out.total()} ({left_out})")
    for step, seconds in measured.seconds.items():
        print(f"{step}: {seconds / measured.number * 1e6:.0f} µs a statement")


def figures(measured: Measured) -> list[Figure]:
    """What is promised of it."""
    value = measured.with_grammar.of_four
    return [Figure("verdict_agreement", value, _TARGET, is_least=True)]


def main(arguments: Sequence[str]) -> int:
    """Measure and report; 1 if the figure is short of its target, else 0."""
    parser = argparse.ArgumentParser(prog="benchmarks.analytics.verdict_agreement")
    parser.add_argument("--data", type=Path, default=DATA, help="postgres_ddl.sql, questions.jsonl")
    folder: Path = parser.parse_args(arguments).data
    measured = measure(folder)
    if measured is None:
        print(f"No question set in {folder}: verdict_agreement is left out. Name one by --data.")
        return 0
    report(measured)
    return say(figures(measured))


def _judged(
    known: Sequence[Labelled], schemas: Mapping[str, Sequence[Table]], grammar_dsn: str
) -> Measured:
    names = {schema: SchemaNames("postgresql", own) for schema, own in schemas.items()}
    found: list[References] = []
    parsing = resolving = 0.0
    for item in known:
        started = time.perf_counter()
        tree = parsed(item.statement.text, "postgresql")
        is_parsed = time.perf_counter()
        found.append(references_of(tree, names[item.statement.schema]))
        parsing += is_parsed - started
        resolving += time.perf_counter() - is_parsed
    started = time.perf_counter()
    as_measured = _as_measured(known, schemas, grammar_dsn)
    whole = time.perf_counter() - started
    return Measured(
        by_names=_agreement(known, [item.verdict for item in found]),
        with_grammar=_agreement(known, as_measured),
        seconds={"parsed": parsing, "names resolved": resolving, "as it is measured": whole},
        number=len(known),
    )


def _as_measured(
    known: Sequence[Labelled], schemas: Mapping[str, Sequence[Table]], grammar_dsn: str
) -> list[str]:
    """The verdicts that the analytics location would store, by its own way through keys."""

    def snapshot_of(schema: str, version: int) -> Snapshot:
        return Snapshot("postgresql", schema, str(version), tables=tuple(schemas[schema]))

    kinds = pl.DataFrame(
        [(item.statement.schema, 1, item.statement.text) for item in known],
        schema={"connection_id": pl.String, "schema_version": pl.Int32, "sql": pl.String},
        orient="row",
    ).with_row_index("place")
    with PostgresGrammar(grammar_dsn) as grammar:
        book = SqlBook(snapshot_of, dict.fromkeys(schemas, "postgresql"), grammar.refused)
        entries = book.enter(kinds).sort("place")["entry"]
    return [book.facts[entry].verdict for entry in entries]


def _agreement(known: Sequence[Labelled], verdicts: Sequence[str]) -> Agreement:
    return Agreement(
        Counter((item.label, verdict) for item, verdict in zip(known, verdicts, strict=True))
    )


def _row(agreement: Agreement, label: str) -> list[str]:
    counts = [str(agreement.counts[label, verdict]) for verdict in _LABELS]
    return [label, str(agreement.number(label)), f"{agreement.share([label]):.4f}", *counts]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
