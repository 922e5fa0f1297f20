"""HTTP API of the sample application.

Belongs here: routes, status codes, error bodies. Not here: rules and SQL (`catalog.py`).
Errors are `{"detail": "…"}`. Nothing is logged about a request's body.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psycopg2
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from twd_local.application import catalog, tables
from twd_local.application.tables import Connection
from twd_local.faults import Faults

T = TypeVar("T")

_PATH = "/text-to-data/connections"


def build_app(dsn: str, faults_file: Path | None = None) -> ASGIApp:
    """The ASGI application over the application's database at `dsn`."""
    routes = _Routes(dsn)
    app = Starlette(
        routes=[
            Route("/healthz", routes.health),
            Route(_PATH, routes.listed, methods=["GET"]),
            Route(_PATH, routes.register, methods=["POST"]),
            Route(_PATH + "/{connection_id:int}", routes.change, methods=["PATCH"]),
            Route(_PATH + "/{connection_id:int}", routes.remove, methods=["DELETE"]),
        ],
        exception_handlers={
            catalog.InvalidConnection: _invalid,
            catalog.DuplicateConnection: _duplicate,
            psycopg2.Error: _unavailable,
        },
    )
    return Faults(app, faults_file)


class _Routes:
    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def health(self, _: Request) -> Response:
        await self._in_database(lambda c: catalog.listed(c, 2**31 - 1))
        return JSONResponse({"status": "ok"})

    async def listed(self, request: Request) -> Response:
        raw = request.query_params.get("since_id", "0")
        try:
            since_id = int(raw)
        except ValueError:
            raise catalog.InvalidConnection("since_id must be an integer") from None
        rows = await self._in_database(lambda c: catalog.listed(c, since_id))
        return JSONResponse({"connections": rows})

    async def register(self, request: Request) -> Response:
        body = await _body(request)
        row, is_new = await self._in_database(lambda c: catalog.register(c, body))
        return JSONResponse(row, 201 if is_new else 200)

    async def change(self, request: Request) -> Response:
        body = await _body(request)
        connection_id = int(request.path_params["connection_id"])
        row = await self._in_database(lambda c: catalog.change(c, connection_id, body))
        return _no_such(connection_id) if row is None else JSONResponse(row)

    async def remove(self, request: Request) -> Response:
        connection_id = int(request.path_params["connection_id"])
        if await self._in_database(lambda c: catalog.remove(c, connection_id)):
            return Response(status_code=204)
        return _no_such(connection_id)

    async def _in_database(self, work: Callable[[Connection], T]) -> T:
        # A connection a request: calls are seconds apart, and a restarted server heals by itself.
        def run() -> T:
            with tables.session(self._dsn) as connection:
                return work(connection)

        return await run_in_threadpool(run)


async def _body(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError):
        raise catalog.InvalidConnection("the body is not valid JSON") from None


async def _invalid(_: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 422)


async def _duplicate(_: Request, error: Exception) -> Response:
    return JSONResponse(
        {"detail": "another connection has this database_name and connection_string already"}, 409
    )


async def _unavailable(_: Request, error: Exception) -> Response:
    # The driver's message may name hosts and users, so only its kind is told.
    sys.stderr.write(f"application: the database failed a request ({type(error).__name__})\n")
    return JSONResponse({"detail": "the application's database is not available"}, 503)


def _no_such(connection_id: int) -> Response:
    return JSONResponse({"detail": f"there is no connection with id {connection_id}"}, 404)
