"""`python -m twd_local.sql_session`: psql on the metadata database of the stack (`make sql`).

Its password is on no command line, which everybody on this machine could read.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from twd_local.backup.database import unseen_login
from twd_local.sources.load import psql_path
from twd_local.stack.entry import run_command
from twd_local.stack.errors import FORESEEN, explained
from twd_local.stack.plan import chosen_home
from twd_local.stack.status import served_environment
from twd_shared.clients.dsn import postgresql_url
from twd_shared.settings import METADATA_DSN


def main() -> int:
    """Run psql until it ends; its exit status, or 1 if there is no stack to ask."""
    try:
        environment = served_environment(chosen_home(os.environ))
        url = postgresql_url(environment[METADATA_DSN.name], METADATA_DSN.name)
        with unseen_login(url) as (address, variables):
            # psql ends the statement that it waits for, and goes on.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            return subprocess.call(
                [psql_path(), "--no-password", "--dbname", address], env=variables
            )
    except FORESEEN as error:
        print(f"error: {explained(error)}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    run_command(main)
