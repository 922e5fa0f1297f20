"""Days of messages by the hundred thousand, in an application database that only a benchmark uses.

The traffic is the sample application's own (`twd_local.application.messages`), over outcomes that
are made up, so that no source need run. For speed the exchanges of all days are drawn and written
out once, up to a limit, and conversations are put together from these.
Runs in the root environment, which has `twd_local`.
"""

from __future__ import annotations

import gc
import io
import random
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from itertools import islice, product
from typing import Any, NamedTuple, get_args

import psycopg2

from benchmarks.analytics.imagined import ImaginedOutcomes
from twd_local.application import rows, tables
from twd_local.application.exchanges import Said
from twd_local.application.messages import SYSTEM_MESSAGE, Traffic, questions_wanted, timed
from twd_local.application.questions import CORPORA, Language, drawn_questions
from twd_local.application.tables import Connection

_SEED = 20260101
_MOST_EXCHANGES = 130_000
_FEWEST_EXCHANGES = 20  # by database and language
_MESSAGES_AN_EXCHANGE = 2.1
_ROWS_A_BLOCK = 5_000
_DAY_SECONDS = 86_400
_CLOCK = [f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}." for s in range(_DAY_SECONDS)]
_INDEXES = ("messages_day", "messages_conversation", "messages_connection", "conversations_user")


class _Written(NamedTuple):
    """A message as the end of its row, from column `role` on; times as in `Said`."""

    after: float
    clock_error: float
    row: str


# Exchanges by database and the asking user's own language.
_Pools = dict[tuple[str, Language], list[list[_Written]]]


def fill_day(dsn: str, day: date, messages: int, *, seed: int = _SEED) -> int:
    """Add a day of `messages` messages to the application at `dsn`; returns how many.

    The tables and the sample connections are made where they are missing. Less than one in a
    thousand is written after midnight, on the next day. `dsn` must be a superuser's.
    """
    return fill_days(dsn, day, 1, messages, seed=seed)


def fill_days(dsn: str, first: date, days: int, messages_per_day: int, *, seed: int = _SEED) -> int:
    """Add `days` days from `first` on, each with so many messages; returns how many in all.

    The same arguments give the same messages. Otherwise as `fill_day`.
    """
    with _uncollected():
        _fill(dsn, first, days, messages_per_day, seed)
    return days * messages_per_day


def _fill(dsn: str, first: date, days: int, messages_per_day: int, seed: int) -> None:
    wanted = questions_wanted(messages_per_day)
    known = {
        name: ImaginedOutcomes(drawn_questions(corpus, wanted, seed))
        for name, corpus in CORPORA.items()
    }
    traffic = Traffic(known, messages_per_day, seed)
    exchanges = min(_MOST_EXCHANGES, int(days * messages_per_day / _MESSAGES_AN_EXCHANGE))
    pools = _exchanges(traffic, random.Random(f"{seed}/exchanges"), exchanges)
    with tables.session(dsn) as connection:
        tables.create_tables(connection)
        ids = _connection_ids(connection)
        _execute(connection, "SET LOCAL session_replication_role = replica")
        # Made anew for all rows at once by create_tables.
        _execute(connection, *(f"DROP INDEX {name}" for name in _INDEXES))
        for number in range(days):
            day = first + timedelta(days=number)
            draw = random.Random(f"{seed}/{day.isoformat()}")
            _write_day(connection, day, traffic, ids, pools, messages_per_day, draw)
        tables.create_tables(connection)
    with closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        _execute(connection, "VACUUM ANALYZE conversations, messages, database_connections")


@contextmanager
def _uncollected() -> Generator[None]:
    """Without the search for cycles: there are none, and it takes a quarter of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _write_day(
    connection: Connection,
    day: date,
    traffic: Traffic,
    ids: dict[str, int],
    pools: _Pools,
    messages: int,
    draw: random.Random,
) -> None:
    number = _last_conversation(connection)
    conversations: list[tuple[object, ...]] = []
    opening = [[_written(SYSTEM_MESSAGE)]]
    dates = [(day + timedelta(days=n)).isoformat() for n in range(2)]

    def stamp(seconds: float) -> str:
        thousandths = int(seconds * 1000)
        days, second = divmod(thousandths // 1000, _DAY_SECONDS)
        return f"{dates[days]} {_CLOCK[second]}{thousandths % 1000:03}+00"

    def lines() -> Iterator[str]:
        nonlocal number
        while True:
            number += 1
            outline = traffic.outline(draw)
            pool = pools[outline.database, outline.user.tongue]
            exchanges = opening[: outline.has_system_message]
            exchanges += draw.choices(pool, k=outline.exchanges)
            conversations.append((number, outline.user.id, stamp(outline.start)))
            connection_id = str(ids[outline.database]) if outline.is_connected else r"\N"
            for seconds, message in timed(draw, outline, exchanges):
                yield f"{number}\t{stamp(seconds)}\t{connection_id}\t{message.row}\n"

    _copy_stream(connection, islice(lines(), messages))
    rows.copy(connection, "conversations", rows.CONVERSATION_COLUMNS, conversations)
    _execute(
        connection,
        "SELECT setval(pg_get_serial_sequence('conversations', 'id'), max(id)) FROM conversations",
    )


def _exchanges(traffic: Traffic, draw: random.Random, count: int) -> _Pools:
    """About `count` exchanges, all users' and about all databases."""
    pools: _Pools = defaultdict(list)
    while count > 0:
        outline = traffic.outline(draw)
        where = outline.database, outline.user.tongue
        pools[where] += (_drawn(traffic, draw, *where) for _ in range(outline.exchanges))
        count -= outline.exchanges
    for where in product(CORPORA, get_args(Language)):
        lacking = range(len(pools[where]), _FEWEST_EXCHANGES)
        pools[where] += (_drawn(traffic, draw, *where) for _ in lacking)
    return pools


def _drawn(
    traffic: Traffic, draw: random.Random, database: str, tongue: Language
) -> list[_Written]:
    return [_written(message) for message in traffic.exchange(draw, database, tongue)]


def _written(said: Said) -> _Written:
    outcome = said.outcome
    values = (outcome.sql, outcome.result) if outcome else (None, None)
    error = outcome and outcome.error
    row = rows.copied((said.role, said.content, *values, said.latency_ms, error))
    return _Written(said.after, said.clock_error, row)


def _connection_ids(connection: Connection) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO database_connections (name, db_type, connection_string) "
            "VALUES (%s, 'postgresql', 'unused') ON CONFLICT DO NOTHING",
            [(name,) for name in CORPORA],
        )
        cursor.execute(
            "SELECT name, min(id) FROM database_connections WHERE name = ANY(%s) GROUP BY name",
            (list(CORPORA),),
        )
        return dict(cursor.fetchall())


def _last_conversation(connection: Connection) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM conversations")
        row = cursor.fetchone()
    return row[0] if row else 0


def _execute(connection: Connection, *statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


class _Stream(io.RawIOBase):
    """Lines as a file to read, block by block: the server works while the next one is made."""

    def __init__(self, lines: Iterable[str]) -> None:
        super().__init__()
        self._lines = iter(lines)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._rest:
            self._rest = memoryview("".join(islice(self._lines, _ROWS_A_BLOCK)).encode())
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _copy_stream(connection: Connection, lines: Iterable[str]) -> None:
    statement = f"COPY messages ({', '.join(rows.MESSAGE_COLUMNS)}) FROM STDIN"
    with connection.cursor() as cursor:
        cursor.copy_expert(statement, io.BufferedReader(_Stream(lines), 1 << 20), size=1 << 18)
