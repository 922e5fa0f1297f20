"""The HTTP side: `/metrics` for Prometheus and `/healthz` for who starts the process."""

from __future__ import annotations

from collections.abc import Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.registry import Collector


class _Server(ThreadingMixIn, WSGIServer):
    # A scrape that hangs must not keep the process from ending.
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of a scrape: there is one every few seconds."""


def make_metrics_server(collector: Collector, host: str, port: int) -> WSGIServer:
    """A server that listens on host and port, and answers from `serve_forever` on.

    Raises OSError if the port is taken.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    metrics = make_wsgi_app(registry)

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        match environ.get("PATH_INFO"):
            case "/metrics":
                return metrics(environ, start_response)
            case "/healthz":
                status, body = "200 OK", b"ok\n"
            case _:
                status, body = "404 Not Found", b"/metrics or /healthz\n"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [body]

    return make_server(host, port, application, server_class=_Server, handler_class=_QuietHandler)
