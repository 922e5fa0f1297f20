"""The command line of the stack: `python -m twd_local.stack --help`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

from twd_local.stack.connect import connect
from twd_local.stack.entry import run_command
from twd_local.stack.errors import FORESEEN, StackError, explained
from twd_local.stack.home import Home
from twd_local.stack.lifecycle import clean, down, up
from twd_local.stack.names import ORDER
from twd_local.stack.plan import chosen_home, started_stack
from twd_local.stack.status import served_environment, status_lines
from twd_shared.command_output import write_output


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 = done, 1 = it could not be done and stderr says why and what to do.

    Of `run` that is 2: 1 is said by commands that were run, and may be no failure of theirs.
    """
    parser = argparse.ArgumentParser(prog="twd_local.stack", description="The stack on one machine")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start what is not running")
    commands.add_parser("down", help="stop everything, keep the data")
    commands.add_parser("clean", help="stop everything, delete the data")
    commands.add_parser("status", help="processes, addresses, memory")
    logs = commands.add_parser("logs", help="follow the logs")
    logs.add_argument("service", nargs="?", choices=ORDER)
    run = commands.add_parser("run", help="run a command in the environment of the stack")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="-- command")
    commands.add_parser("connect", help="register the database NAME at DSN (from the environment)")
    chosen = parser.parse_args(arguments)
    try:
        home = chosen_home(os.environ)
        match chosen.command:
            case "up":
                stack = up(home, os.environ)
                print(f"Dagster UI: {stack.ui_url}    (make status, make logs, make down)")
            case "down":
                down(home)
            case "clean":
                clean(home)
            case "status":
                write_output("\n".join(status_lines(home)))
            case "logs":
                follow(home, chosen.service)
            case "run":
                words = chosen.words[1:] if chosen.words[:1] == ["--"] else chosen.words
                execute(words, {**os.environ, **served_environment(home)})
            case _:
                print(connect(served_environment(home), os.environ))
    except FORESEEN as error:
        print(f"error: {explained(error)}", file=sys.stderr)
        return 2 if chosen.command == "run" else 1
    except KeyboardInterrupt:
        return 130
    return 0


def execute(words: list[str], environment: dict[str, str]) -> None:
    """Become the command `words`; raises StackError if there is no such command."""
    if not words:
        raise StackError("usage: python -m twd_local.stack run -- command …")
    try:
        os.execvpe(words[0], words, environment)  # noqa: S606
    except FileNotFoundError:
        raise StackError(f"There is no command {words[0]}. Install it, or name its path.") from None


def follow(home: Home, service: str | None) -> None:
    """Show the end of the logs and what is added to them, until interrupted."""
    started_stack(home)
    names = [service] if service else ORDER
    files = [file for name in names if (file := home.logs / f"{name}.log").exists()]
    if not files:
        raise StackError(
            f"There is no log of {', '.join(names)} in {home.logs}: it was not started here. "
            "See: make status"
        )
    # -F goes on when a log is rotated.
    tail = subprocess.Popen(["tail", "-n", "20", "-F", *files])
    try:
        while tail.poll() is None:
            time.sleep(0.2)
    finally:
        tail.terminate()


if __name__ == "__main__":
    run_command(main)
