"""The processes that write to the database and the index: none may, while both are replaced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from twd_local.backup.database import session
from twd_local.backup.servers import Servers
from twd_local.stack.errors import FORESEEN, StackError, explained
from twd_local.stack.home import Home
from twd_local.stack.interruptions import uninterrupted
from twd_local.stack.names import LOCATIONS, STAND_INS
from twd_local.stack.plan import Say, Stack, started_stack
from twd_local.stack.supervision import Supervisor

_IN_FLIGHT = """
select run_id, pipeline_name from public.runs
where status in ('STARTING', 'STARTED', 'CANCELING') order by id
"""
# A daemon reports every half minute. When it did is in the report itself too; the column beside it
# has it in the zone of the daemon's session, which may be another than ours.
_REPORTED = """
select (extract(epoch from now()) - max(reported))::int
from public.daemon_heartbeats, lateral (select (body::jsonb ->> 'timestamp')::float8 as reported) r
having max(reported) > extract(epoch from now()) - 60
"""


@contextmanager
def writers_stopped(home: Home, servers: Servers, say: Say) -> Iterator[None]:
    """Stop all of this stack but the servers themselves, and start it again at the end.

    Raises: StackError, and they go on, when runs are in flight; also when a daemon of another
    machine uses the database.
    """
    supervisor = Supervisor(home)
    if not supervisor.is_running():
        _require_no_daemon(servers)
        _require_no_runs(servers)
        yield
        return
    stack = started_stack(home)
    users = [one.name for one in stack.services if one.name not in STAND_INS]
    say(f"Stopping {', '.join(users)}.")
    try:
        # It starts runs: when it has ended, no more of them can begin.
        supervisor.stop(["daemon"])
        _require_no_runs(servers)
        supervisor.stop(users)
        yield
    except FORESEEN as error:
        try:
            _start_again(stack, supervisor, users, say)
        except StackError as second:
            # Both are to be told: what made the first fail may be why the second did.
            raise StackError(f"{explained(error)}\n{second}") from error
        raise
    except BaseException:
        _start_again(stack, supervisor, users, say)
        raise
    _start_again(stack, supervisor, users, say)


def _start_again(stack: Stack, supervisor: Supervisor, users: list[str], say: Say) -> None:
    say("Starting them again.")
    # The others ask the code servers for what there is to run.
    for group in (LOCATIONS, [name for name in users if name not in LOCATIONS]):
        with uninterrupted():
            for name in group:
                supervisor.start_process(name)
        for name in group:
            stack.wait(supervisor, name)
    # What the daemon reported before it was stopped is taken for a sign that it runs.
    if ended := [name for name in users if not supervisor.pid_if_alive(name)]:
        raise StackError(f"Started again, but ended at once: {', '.join(ended)}. See: make logs")


def _require_no_runs(servers: Servers) -> None:
    rows = _asked(servers, _IN_FLIGHT, "public.runs")
    if rows:
        named = ", ".join(f"{run_id[:8]} ({job})" for run_id, job in rows[:5])
        raise StackError(
            f"{len(rows)} runs are in flight: {named}. Nothing was changed. Wait until they have "
            "ended, or end them in the UI (Terminate; Force, if their processes are gone)."
        )


def _require_no_daemon(servers: Servers) -> None:
    rows = _asked(servers, _REPORTED, "public.daemon_heartbeats")
    if rows:
        raise StackError(
            f"A Dagster daemon that uses {servers.metadata_place} reported {rows[0][0]} s ago. "
            "Nothing was changed. Stop it, the webserver and the code servers where they run, and "
            "try again a minute later."
        )


def _asked(servers: Servers, question: str, table: str) -> list[tuple[str, str]]:
    """Rows of an answer; none where there is no such database or table yet."""
    with session(servers.admin) as cursor:
        cursor.execute("select 1 from pg_database where datname = %s", (servers.metadata.database,))
        if cursor.fetchone() is None:
            return []
    with session(servers.metadata) as cursor:
        cursor.execute("select to_regclass(%s)", (table,))
        if cursor.fetchone()[0] is None:
            return []
        cursor.execute(question)
        return cursor.fetchall()
