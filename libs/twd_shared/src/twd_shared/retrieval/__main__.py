"""`python -m twd_shared.retrieval --database NAME QUESTION`: its tables, and SQL."""

from __future__ import annotations

import argparse
import os
import re
import sys
from contextlib import closing
from functools import partial

from twd_shared import settings
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.qdrant import open_client
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.clients.token_budget import SQL_ANSWER_TOKENS, WRITING_CONTEXT_TOKENS
from twd_shared.command_output import write_output
from twd_shared.errors import TwdError
from twd_shared.retrieval.explaining import explain
from twd_shared.retrieval.prompt import sql_prompt
from twd_shared.retrieval.search import MOST_TABLES, retrieve_tables
from twd_shared.schema_model.wording import printable
from twd_shared.store.connections import ConnectionRegistry, RegisteredConnection
from twd_shared.store.database import MetadataDatabase


def main(arguments: list[str]) -> int:
    """Run the command line; 0 = answered, 1 = nothing found, 2 = it failed with a message."""
    parser = argparse.ArgumentParser(prog="ask", description="Which tables is a question about?")
    parser.add_argument("--database", required=True, help="partition key of the connection")
    parser.add_argument("--limit", type=_at_least_one, default=MOST_TABLES, help="most tables")
    parser.add_argument("question")
    options = parser.parse_args(arguments)
    try:
        return _answer(options.database, options.question, options.limit)
    except TwdError as error:
        print(error, file=sys.stderr)
        return 2


def _at_least_one(text: str) -> int:
    if not re.fullmatch("0*[1-9][0-9]{0,5}", text):
        raise argparse.ArgumentTypeError(f"a whole number from 1 to 999999, not {text!r}")
    return int(text)


def _answer(database: str, question: str, limit: int) -> int:
    value = partial(settings.value_of, os.environ)
    model = value(settings.LLM_MODEL)
    ollama = Ollama(value(settings.OLLAMA_BASE_URL), value(settings.EMBED_MODEL), model)
    with (
        closing(MetadataDatabase(value(settings.METADATA_DSN))) as metadata,
        closing(open_client(value(settings.QDRANT_URL), value(settings.QDRANT_API_KEY))) as qdrant,
    ):
        registry = ConnectionRegistry(metadata)
        connection = registry.by_partition(database)
        answer = retrieve_tables(
            question,
            connection_id=connection.connection_id,
            index=SchemaIndex(qdrant, value(settings.INDEX_ALIAS)),
            ollama=ollama,
            limit=limit,
        )
        if not answer.tables:
            print(_why_nothing(connection, registry))
            return 1
    if answer.note:
        print(answer.note, file=sys.stderr)
    lines = [
        f"{table.score:.2f}  {table.label}: {explain(table.explanation)}" for table in answer.tables
    ]
    if answer.joins:
        lines += ["", "Joined by:", *(f"  {one.condition}" for one in answer.joins)]
    write_output("\n".join(map(printable, lines)))
    if model:
        prompt = sql_prompt(question, answer, connection.db_type)
        sql = ollama.generate(
            prompt, context_tokens=WRITING_CONTEXT_TOKENS, answer_tokens=SQL_ANSWER_TOKENS
        )
        lines = sql.strip().expandtabs().splitlines()
        write_output("\n".join(["", *map(printable, lines)]))
    return 0


def _why_nothing(connection: RegisteredConnection, registry: ConnectionRegistry) -> str:
    if connection.is_active:
        why = f" {connection.status_reason}" if connection.status == "failing" else ""
        return f"The schema index holds nothing of {connection.partition_key} yet.{why}"
    # A connection that is added again is another one, with a partition key of its own.
    namesakes = ", ".join(
        item.partition_key
        for item in registry.known()
        if item.is_active and item.database_name == connection.database_name
    )
    return (
        f"{connection.partition_key} was paused or removed in the application, and is no longer in "
        "the schema index." + (f" Connected by that name now: {namesakes}." if namesakes else "")
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
