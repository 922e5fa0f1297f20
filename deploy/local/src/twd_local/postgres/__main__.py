"""Command line: `python -m twd_local.postgres --data-dir DIR --port N --password-file FILE`.

Becomes the server itself, so a process manager's signals reach it: SIGINT is the fast shutdown.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from twd_local.listening import refuse_taken_port
from twd_local.postgres.cluster import become, prepare, server_command, server_environment
from twd_local.postgres.locations import PostgresError


def main() -> NoReturn:
    """Run the server in place of this process; exits with 2 when it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m twd_local.postgres")
    parser.add_argument("--data-dir", type=Path, required=True, help="data directory, made if new")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument(
        "--password-file", type=Path, required=True, help="file with the superuser's password"
    )
    options = parser.parse_args()
    refuse_taken_port("PostgreSQL", options.port)
    try:
        locations = prepare(options.data_dir, _password(options.password_file))
    except PostgresError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    if locations.data_dir != options.data_dir.absolute():
        sys.stderr.write(f"The data is in {locations.data_dir}.\n")
    command = server_command(locations, options.port)
    become(locations.user)
    os.chdir("/")
    os.execve(command[0], command, server_environment())  # noqa: S606 - no shell is wanted here


def _password(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError as error:
        raise PostgresError(f"Cannot read the password file {file}: {error.strerror}.") from None


if __name__ == "__main__":
    main()
