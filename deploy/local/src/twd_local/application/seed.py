"""Sample data in the application's database: tables, training data, months of messages.

Belongs here: writing rows, once each. Not here: what the rows say (`messages.py`, `questions/`).
Run as `python -m twd_local.application.seed`, after the sample connections were registered
through the API; messages and training data refer to them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import psycopg2
from psycopg2.extras import execute_values

from twd_local.application import messages, outcomes, rows, tables
from twd_local.application.messages import SampleConversation
from twd_local.application.questions import CORPORA, Question, drawn_questions
from twd_local.application.tables import Connection

_SEED_LOCK = 7_302_115
_DEFAULT_SEED = 20260101
_DEFAULT_PER_DAY = 40
_TRAINING_TIME = datetime(2026, 1, 1, tzinfo=UTC)
_ASKED_AND_TAUGHT = 3


@dataclass(frozen=True)
class Seeded:
    """What one call of `seed` added, and for which databases."""

    databases: tuple[str, ...]
    days: int
    conversations: int
    messages: int
    training_items: int


def sample_connections(connection: Connection) -> dict[str, int]:
    """Registered connections that are named after a sample database: name → id, the oldest one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, min(id) FROM database_connections WHERE name = ANY(%s) GROUP BY name",
            (list(CORPORA),),
        )
        return dict(cursor.fetchall())


def seed(
    dsn: str,
    today: date,
    *,
    connections: Mapping[str, int] | None = None,
    messages_per_day: int = _DEFAULT_PER_DAY,
    random_seed: int = _DEFAULT_SEED,
) -> Seeded:
    """Create the tables and add the sample data that is missing, in one transaction.

    `connections` maps sample databases (`pagila`, `chinook`, `northwind`) to their ids in
    `database_connections`; None looks them up by name. Messages are written for the days from
    2026-01-01 to the day before `today` that have none yet, so a later run continues. The
    questions' SQL is run on the registered databases, read only, for true results and errors.

    Raises: outcomes.SourceUnreachable, psycopg2.Error, ValueError for an unknown database name
    or no messages a day.
    """
    if messages_per_day < 1:
        raise ValueError("messages_per_day must be at least 1")
    with tables.session(dsn) as connection:
        tables.create_tables(connection)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_SEED_LOCK,))
        ids = sample_connections(connection) if connections is None else dict(connections)
        unknown = sorted(set(ids) - set(CORPORA))
        if unknown:
            raise ValueError(f"there is no sample data for: {', '.join(unknown)}")
        if not ids:
            return Seeded((), 0, 0, 0, 0)
        training = sum(_add_training(connection, name, ids[name]) for name in sorted(ids))
        days = _missing_days(connection, today)
        conversation_count = message_count = 0
        if days:
            wanted = messages.questions_wanted(messages_per_day)
            asked = {name: drawn_questions(CORPORA[name], wanted, random_seed) for name in ids}
            observed = {
                name: _observe(connection, name, ids[name], asked[name]) for name in sorted(ids)
            }
            for day in days:
                talks = list(
                    messages.conversations_of_day(
                        day, observed, messages_per_day=messages_per_day, seed=random_seed
                    )
                )
                message_count += _write_day(connection, day, talks, ids)
                conversation_count += len(talks)
        return Seeded(tuple(sorted(ids)), len(days), conversation_count, message_count, training)


def _observe(
    connection: Connection, name: str, connection_id: int, asked: Sequence[Question]
) -> dict[Question, outcomes.Outcomes]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT connection_string FROM database_connections WHERE id = %s", (connection_id,)
        )
        row = cursor.fetchone()
    if row is None:
        raise ValueError(f"there is no connection with id {connection_id} for {name!r}")
    return outcomes.observe(CORPORA[name], row[0], asked)


def _missing_days(connection: Connection, today: date) -> list[date]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT day FROM sample_data_days")
        there = {row[0] for row in cursor.fetchall()}
    span = (today - messages.FIRST_DAY).days
    every = (messages.FIRST_DAY + timedelta(days=n) for n in range(span))
    return [day for day in every if day not in there]


def _add_training(connection: Connection, name: str, connection_id: int) -> int:
    corpus = CORPORA[name]
    # Some taught questions are asked too, as in life.
    pairs = (*corpus.taught, *corpus.questions[:_ASKED_AND_TAUGHT])
    items: list[tuple[str, str | None, str]] = [
        ("question_sql", wording, question.sql)
        for question in pairs
        for wording in question.wordings
    ]
    items += [("documentation", None, text) for text in corpus.documentation]
    with connection.cursor() as cursor:
        added = execute_values(
            cursor,
            "INSERT INTO training_data (connection_id, kind, question, content, created_at, "
            "updated_at) SELECT new.* FROM (VALUES %s) AS new "
            "(connection_id, kind, question, content, created_at, updated_at) "
            "WHERE NOT EXISTS (SELECT FROM training_data AS old WHERE "
            "old.connection_id = new.connection_id AND old.kind = new.kind "
            "AND old.question IS NOT DISTINCT FROM new.question "
            "AND (old.content = new.content OR old.question IS NOT NULL)) RETURNING id",
            [(connection_id, *row, _TRAINING_TIME, _TRAINING_TIME) for row in items],
            template="(%s, %s, %s::text, %s, %s, %s)",
            fetch=True,
        )
        return len(added)


def _write_day(
    connection: Connection,
    day: date,
    talks: Sequence[SampleConversation],
    ids: Mapping[str, int],
) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('conversations', 'id')) "
            "FROM generate_series(1, %s)",
            (len(talks),),
        )
        numbered = [(row[0], talk) for row, talk in zip(cursor.fetchall(), talks, strict=True)]
    rows.copy(
        connection,
        "conversations",
        rows.CONVERSATION_COLUMNS,
        ((number, talk.user_id, talk.messages[0].created_at) for number, talk in numbered),
    )
    written = [
        (
            number,
            message.created_at,
            None if talk.database is None else ids[talk.database],
            message.role,
            message.content,
            message.outcome and message.outcome.sql,
            message.outcome and message.outcome.result,
            message.latency_ms,
            message.outcome and message.outcome.error,
        )
        for number, talk in numbered
        for message in talk.messages
    ]
    rows.copy(connection, "messages", rows.MESSAGE_COLUMNS, written)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO sample_data_days VALUES (%s, %s)", (day, len(written)))
    return len(written)


def main() -> None:
    """Command line of `seed`."""
    parser = argparse.ArgumentParser(
        prog="python -m twd_local.application.seed",
        description=f"Add missing sample data. {tables.ADMIN_DSN_VARIABLE} names the database.",
    )
    parser.add_argument("--today", type=date.fromisoformat, default=datetime.now(UTC).date())
    parser.add_argument("--messages-per-day", type=int, default=_DEFAULT_PER_DAY)
    options = parser.parse_args()
    if options.messages_per_day < 1:
        parser.error("--messages-per-day must be at least 1")
    try:
        done = seed(tables.admin_dsn(), options.today, messages_per_day=options.messages_per_day)
    except outcomes.SourceUnreachable as error:
        raise SystemExit(f"No sample data was written: {error}.") from None
    except psycopg2.Error as error:
        raise SystemExit(
            f"No sample data was written: the application's database failed "
            f"({type(error).__name__}). Check that it runs and may be written to."
        ) from None
    if not done.databases:
        sys.stdout.write(
            "The tables are there. No sample connection is registered yet, so there is nothing "
            "to refer to: register pagila, chinook or northwind through the API and seed again.\n"
        )
        return
    sys.stdout.write(
        f"Added {done.messages} messages in {done.conversations} conversations over {done.days} "
        f"days and {done.training_items} training items for {', '.join(done.databases)}.\n"
    )


if __name__ == "__main__":
    main()
