"""Command line of the sample application's API: arguments, tables, uvicorn.

Belongs here: starting the process. Not here: routes (`server.py`), sample rows (`seed.py`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import psycopg2
import uvicorn

from twd_local.application import tables
from twd_local.application.server import build_app
from twd_local.listening import refuse_taken_port


def main() -> None:
    """Create missing tables, then serve on 127.0.0.1 until a signal comes."""
    parser = argparse.ArgumentParser(
        prog="python -m twd_local.application",
        description=f"The sample application's API; its database: {tables.ADMIN_DSN_VARIABLE}.",
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--faults-file", type=Path, help="JSON file with faults to inject")
    options = parser.parse_args()
    dsn = tables.admin_dsn()
    refuse_taken_port("the application's API", options.port)
    try:
        with tables.session(dsn) as connection:
            tables.create_tables(connection)
    except psycopg2.Error as error:
        raise SystemExit(
            f"The application's database failed ({type(error).__name__}). Check that the server "
            f"runs and that {tables.ADMIN_DSN_VARIABLE} names a role that may create tables."
        ) from None
    app = build_app(dsn, options.faults_file)
    # No access log: paths are dull, and nothing of a request belongs into a log here.
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
