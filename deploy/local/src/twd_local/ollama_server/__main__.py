"""Command line of the Ollama-protocol server: arguments, port check, uvicorn.

Belongs here: starting the process. Does not: routes (`server.py`), vectors (`lexical.py`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import uvicorn

from twd_local.listening import refuse_taken_port
from twd_local.ollama_server.server import Pace, build_app


def main() -> None:
    """Parse the arguments and serve on 127.0.0.1 until a signal comes."""
    parser = argparse.ArgumentParser(
        prog="python -m twd_local.ollama_server",
        description="Ollama-protocol server with two lexical embedding models and no LLM.",
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--faults-file", type=Path, help="JSON file with faults to inject")
    parser.add_argument("--delay-call-ms", type=float, default=0.0, help="least time a call takes")
    parser.add_argument("--delay-text-ms", type=float, default=0.0, help="added for every text")
    parser.add_argument("--parallel", type=int, default=4, help="calls computed at the same time")
    options = parser.parse_args()
    if options.parallel < 1 or options.delay_call_ms < 0 or options.delay_text_ms < 0:
        parser.error("--parallel must be at least 1 and delays must not be negative")
    refuse_taken_port("the Ollama-protocol server", options.port)
    pace = Pace(options.delay_call_ms / 1000, options.delay_text_ms / 1000, options.parallel)
    app = build_app(pace=pace, faults_file=options.faults_file)
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
