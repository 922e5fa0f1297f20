"""The exporter: `python -m twd_shared.metrics --help`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping

from twd_shared import settings
from twd_shared.errors import ConfigurationError
from twd_shared.metrics.collector import DatabaseCollector
from twd_shared.metrics.reading import Reader
from twd_shared.metrics.server import make_metrics_server

DEFAULT_PORT = 9464


def main(arguments: list[str] | None = None) -> int:
    """Serve until ended; 2 = it is not configured, or the port is taken."""
    parser = argparse.ArgumentParser(
        prog="twd_shared.metrics",
        description="Serves /metrics for Prometheus, read from the metadata database.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="port (%(default)s)")
    chosen = parser.parse_args(arguments)
    try:
        collector = collector_of(os.environ)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        server = make_metrics_server(collector, chosen.host, chosen.port)
    except OSError as error:
        print(
            f"The exporter cannot listen on {chosen.host}:{chosen.port}: {error.strerror}. "
            "Choose another port with --port.",
            file=sys.stderr,
        )
        return 2
    print(f"http://{chosen.host}:{chosen.port}/metrics", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    return 0


def collector_of(environment: Mapping[str, str]) -> DatabaseCollector:
    """The collector as the environment configures it; raises ConfigurationError."""
    reader = Reader(
        settings.value_of(environment, settings.METADATA_DSN),
        settings.Settings.from_environment(environment).timezone,
        settings.whole_number(environment, settings.FRESHNESS_SECONDS),
    )
    return DatabaseCollector(
        reader, has_webhook=bool(settings.value_of(environment, settings.ALERT_WEBHOOK_URL))
    )


if __name__ == "__main__":
    sys.exit(main())
