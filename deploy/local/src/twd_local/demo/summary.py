"""What the demo ends with: what was built, how long it took, what can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from rich.console import Console
from rich.table import Table

from twd_local.demo.progress import AssetState, Known
from twd_local.demo.samples import QUESTIONS
from twd_local.stack.plan import Stack
from twd_shared import settings
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.qdrant import open_client
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.retrieval.search import retrieve_tables

SEARCHABLE = "schema/schema_embeddings"
TRAINED = "training/trained_model"

_BUILT = (
    ("tables", "schema/raw_schema_metadata", "table_count"),
    ("vectors", SEARCHABLE, "embedded_tables"),
    ("training items", TRAINED, "total_training_items"),
)


def print_built(
    console: Console,
    known: Mapping[str, Known],
    registered: Mapping[str, float | None],
    states: Mapping[tuple[str, str], AssetState],
    first_done: Mapping[tuple[str, str], float],
) -> None:
    """A row a database: what was built, and the seconds from registration to each step."""
    table = Table(title="Built", title_justify="left")
    columns = ("database", *(label for label, _, _ in _BUILT), "seen", "searchable", "trained")
    for column in columns:
        table.add_column(column, justify="left" if column == "database" else "right")
    for name, connection in known.items():
        counts = [
            str((states[name, asset].numbers or {}).get(key, "-")) for _, asset, key in _BUILT
        ]
        since = registered[name]
        moments = (
            connection.first_seen,
            first_done[name, SEARCHABLE],
            first_done[name, TRAINED],
        )
        times = [f"{moment - since:.1f} s" if since is not None else "before" for moment in moments]
        table.add_row(name, *counts, *times)
    console.print(table)
    console.print("Times count from the registration in the application.", style="dim")


def print_questions(console: Console, stack: Stack, ids: Mapping[str, int]) -> None:
    """A question a database, with the tables that retrieval finds for it."""
    value = partial(settings.value_of, stack.environment)
    ollama = Ollama(
        value(settings.OLLAMA_BASE_URL), value(settings.EMBED_MODEL), value(settings.LLM_MODEL)
    )
    qdrant = open_client(value(settings.QDRANT_URL), value(settings.QDRANT_API_KEY))
    index = SchemaIndex(qdrant, value(settings.INDEX_ALIAS))
    console.print("\nThree questions, and the tables that are found for them:")
    for name, identifier in ids.items():
        found = retrieve_tables(
            QUESTIONS[name], connection_id=str(identifier), index=index, ollama=ollama, limit=3
        )
        console.print(f"  {name}: {QUESTIONS[name]}", soft_wrap=True)
        names = ", ".join(f"{table.label} ({table.score:.2f})" for table in found.tables)
        console.print(f"    {names or 'nothing'}", style="green", soft_wrap=True)
