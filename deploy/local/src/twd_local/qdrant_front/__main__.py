"""Command line of the vector index: `python -m twd_local.qdrant_front --storage DIR --port N`."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from pathlib import Path

import uvicorn

from twd_local.faults import Faults
from twd_local.listening import refuse_taken_port
from twd_local.qdrant_front.app import build_app
from twd_local.qdrant_front.store import StorageLocked, Store


def main() -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code; 2 when it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m twd_local.qdrant_front")
    parser.add_argument("--storage", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--faults-file", type=Path, help="JSON rules for faults, for tests")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    refuse_taken_port("The vector index", options.port)
    try:
        store = Store(options.storage)
    except StorageLocked as error:
        sys.stderr.write(
            f"The vector index cannot open {error}: another process has it open. "
            "Stop that process or choose another folder with --storage.\n"
        )
        return 2
    # uvicorn raises the signal again once all is closed; by then it has nothing left to end.
    signal.signal(signal.SIGTERM, lambda *_: None)
    uvicorn.run(
        Faults(build_app(store), options.faults_file),
        host="127.0.0.1",
        port=options.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
