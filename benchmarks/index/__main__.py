"""How fast the schema index is published: `python -m benchmarks.index`.

A thousand tables of about ten columns, one document each, on a real Qdrant front and PostgreSQL,
and a model server that takes 20 ms a call and 5 ms a text, four calls at once. The floor is what
the server alone needs for so many texts, 64 a call.

Ours takes turns with LangChain's `index()`. To find that nothing changed, ours hashes the
snapshot, compares that with what PostgreSQL recorded, and the content hashes that Qdrant holds with
what was published, both over the network; the figure is of that, without the locks and the question
for the model's digest that all of `publish()` has besides. Where nothing is recorded, it compares
document by document. LangChain hashes documents that are made already and asks its records
in memory. Its default way of hashing counts; the table shows its quickest as well. Nobody's time
holds the making of documents.

Calls of /api/embed are counted by a relay. Those in the figures have documents in them; a new
client may ask for a few samples besides, to learn about the model, and the table shows them.
"""

from __future__ import annotations

import os
import platform
import sys
import warnings
from importlib.metadata import version

from benchmarks.figures import Figure, say, table
from benchmarks.index.again import FINDING, Embedded, Turns, count_calls, take_turns
from benchmarks.index.clocks import Taken
from benchmarks.index.first import EMBEDDING, ROUNDS, First, floor_seconds, publish_first
from benchmarks.index.model_server import paced_ollama
from benchmarks.index.own import opening
from benchmarks.index.peer import DEFAULT
from benchmarks.index.thousand_tables import thousand_tables
from benchmarks.services import services


def main() -> int:
    """Publish, report; 1 if a figure is short of its target, else 0."""
    # LangChain advises against its own default.
    warnings.filterwarnings("ignore", message="Using SHA-1")
    snapshot = thousand_tables()
    floor = floor_seconds(len(snapshot.tables))
    with services() as servers, paced_ollama() as paced_url, opening(servers) as open_index:
        first = publish_first(open_index, snapshot, paced_url)
        counted = count_calls(open_index, snapshot, paced_url)
        turns = take_turns(open_index, snapshot, servers.ollama)
    print(
        f"The schema index of {len(snapshot.tables)} tables with {snapshot.column_count} columns\n"
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}; "
        f"Python {platform.python_version()}, langchain-core {version('langchain-core')}"
    )
    _report_first(first, floor)
    _report_calls(counted, turns)
    _report_turns(turns)
    print()
    return say(_figures(first, floor, counted, turns))


def _figures(first: First, floor: float, counted: list[Embedded], turns: Turns) -> list[Figure]:
    _, unchanged, *changed = counted
    usual = turns.theirs[DEFAULT].seconds
    surplus = sum(one.calls.of_documents - one.batches for one in changed)
    return [
        Figure("index_embedding_vs_floor", first.parts[EMBEDDING].seconds / floor, 1.3),
        Figure("index_embedding_client_cpu_seconds", first.parts[EMBEDDING].cpu_seconds, 0.5),
        Figure("index_first_vs_floor", first.publication.seconds / floor, 1.3),
        Figure("index_unchanged_embed_calls", sum(unchanged.calls), 0),
        Figure("index_unchanged_vs_langchain", turns.ours[FINDING].seconds / usual, 1),
        Figure("index_changed_embed_calls_minus_batches", surplus, 0),
    ]


def _report_first(first: First, floor: float) -> None:
    rows = [
        ["the floor", f"{floor:.3f} s", "", ""],
        _row("publication to a new alias", first.publication, floor),
        _row("the first one of this process", first.earliest, floor),
        *(_row(f"  {name}", taken, floor) for name, taken in first.parts.items()),
    ]
    print(f"\nFirst publication, medians of {ROUNDS} rounds; each part alone, one after the other")
    print(table(("", "time", "of the floor", "client CPU"), rows))


def _row(name: str, taken: Taken, floor: float) -> list[str]:
    return [
        name,
        f"{taken.seconds:.3f} s",
        f"{taken.seconds / floor:.2f}",
        f"{taken.cpu_seconds:.3f} s",
    ]


def _report_calls(counted: list[Embedded], turns: Turns) -> None:
    rows = [[one.name, *map(str, (one.documents, one.batches, *one.calls))] for one in counted]
    print("\nCalls of /api/embed, each publication by new clients")
    print(table(("", "texts", "least calls", "with documents", "about the model"), rows))
    print(f"LangChain's calls for 10 changed documents: {turns.their_calls}")


def _report_turns(turns: Turns) -> None:
    usual = turns.theirs[DEFAULT].seconds
    rows = [
        [name, f"{1000 * one.seconds:.1f} ms", f"{one.seconds / usual:.2f}"]
        for name, one in (turns.ours | turns.theirs).items()
    ]
    print("\nNothing changed")
    print(table(("", "time", "of LangChain's default"), rows))


if __name__ == "__main__":
    sys.exit(main())
