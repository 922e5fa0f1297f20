"""Waiting until a session of a PostgreSQL database waits for a lock of another one."""

from __future__ import annotations

import time
from contextlib import closing

import psycopg2


def wait_for_a_waiting_session(dsn: str) -> None:
    """Return once a session waits for a lock on a table; fails when none does for 30 seconds."""
    deadline = time.monotonic() + 30
    with closing(psycopg2.connect(dsn)) as watching, watching.cursor() as cursor:
        watching.autocommit = True
        while True:
            cursor.execute(
                "select from pg_locks where locktype = 'relation' and not granted"
                " and database = (select oid from pg_database where datname = current_database())"
            )
            if cursor.rowcount:
                return
            assert time.monotonic() < deadline, "nobody waits for a lock"
            time.sleep(0.01)
