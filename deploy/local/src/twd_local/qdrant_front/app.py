"""The HTTP side: paths, envelopes, status codes.

Belongs here: which path runs what. Not here: reading bodies, running requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from twd_local.qdrant_front.collection import Collection, batch_of
from twd_local.qdrant_front.errors import ApiError, bad_format, from_engine, unsupported
from twd_local.qdrant_front.groups import query_groups
from twd_local.qdrant_front.store import Store
from twd_local.qdrant_front.updates import READERS, batch

# The release whose API this front speaks; clients of the neighbouring minor releases accept it.
SERVER_VERSION = "1.20.0"
_LARGEST_BODY = 32 * 1024 * 1024  # The server's default limit, in bytes.
_SETTLE_EVERY_SECONDS = 0.5

_log = logging.getLogger("twd_local.qdrant_front")

Handler = Callable[[Store, Request, Any], Any]
OnCollection = Callable[[Collection, Any], Any]


def build_app(store: Store) -> Starlette:
    """Return the ASGI application over an open store; it closes the store when it ends."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        settling = asyncio.create_task(_settle_for_ever(store))
        try:
            yield
        finally:
            settling.cancel()
            store.close()

    collection = "/collections/{name}"
    points = f"{collection}/points"

    def on(path: str, method: str, handler: Handler, *, body: bool = True) -> Route:
        return Route(path, _endpoint(store, handler, body), methods=[method])

    def read(path: str, run: OnCollection) -> Route:
        def handler(s: Store, request: Request, body: Any) -> Any:
            target = _named(s, request)
            target.require_allowed(body)
            return run(target, body)

        return on(path, "POST", handler)

    def write(path: str, kind: str, method: str = "POST") -> Route:
        reader = READERS[kind]

        def handler(s: Store, request: Request, body: Any) -> Any:
            target = _named(s, request)
            return target.apply(reader(body, target.spaces))

        return on(path, method, handler)

    def lacking(path: str, method: str, what: str) -> Route:
        def handler(_s: Store, _request: Request, _body: Any) -> Any:
            raise unsupported(what)

        return on(path, method, handler, body=False)

    routes = [
        Route("/", _root),
        *(Route(path, _healthy) for path in ("/healthz", "/readyz", "/livez")),
        on("/collections", "GET", _list_collections, body=False),
        on("/aliases", "GET", lambda s, _r, _b: {"aliases": s.aliases()}, body=False),
        on("/collections/aliases", "POST", _change_aliases),
        on(collection, "PUT", _create),
        on(collection, "GET", lambda s, r, _b: _named(s, r).info(), body=False),
        on(collection, "PATCH", _change_settings),
        on(collection, "DELETE", lambda s, r, _b: s.delete(_name(r)), body=False),
        on(f"{collection}/exists", "GET", _exists, body=False),
        on(f"{collection}/aliases", "GET", _aliases_of, body=False),
        on(f"{collection}/index", "PUT", _create_index),
        on(f"{collection}/index/{{field:path}}", "DELETE", _delete_index, body=False),
        read(f"{collection}/facet", Collection.facet),
        write(points, "upsert", "PUT"),
        read(points, Collection.retrieve),
        read(f"{points}/scroll", Collection.scroll),
        read(f"{points}/count", Collection.count),
        read(f"{points}/query", lambda c, b: {"points": c.query(c.read_query(b))}),
        read(f"{points}/query/batch", _query_batch),
        read(f"{points}/query/groups", query_groups),
        read(f"{points}/search", lambda c, b: c.query(c.read_search(b))),
        read(f"{points}/search/batch", _search_batch),
        write(f"{points}/delete", "delete"),
        write(f"{points}/payload", "set_payload"),
        write(f"{points}/payload", "overwrite_payload", "PUT"),
        write(f"{points}/payload/delete", "delete_payload"),
        write(f"{points}/payload/clear", "clear_payload"),
        write(f"{points}/vectors", "update_vectors", "PUT"),
        write(f"{points}/vectors/delete", "delete_vectors"),
        read(f"{points}/batch", _batch_update),
        on(f"{points}/{{id}}", "GET", _one, body=False),
        *(
            lacking(path, method, what)
            for path, method, what in (
                (f"{points}/recommend", "POST", "recommendation"),
                (f"{points}/discover", "POST", "discovery"),
                (f"{points}/search/groups", "POST", "the old search groups (use query groups)"),
                (f"{points}/search/matrix/pairs", "POST", "distance matrices"),
                (f"{points}/search/matrix/offsets", "POST", "distance matrices"),
                (f"{collection}/vectors/{{vector}}", "PUT", "new vector names"),
                (f"{collection}/vectors/{{vector}}", "DELETE", "removing vector names"),
                (f"{collection}/snapshots", "GET", "snapshots"),
                (f"{collection}/snapshots", "POST", "snapshots"),
                (f"{collection}/cluster", "GET", "clusters"),
                ("/cluster", "GET", "clusters"),
                ("/snapshots", "GET", "snapshots"),
                ("/snapshots", "POST", "snapshots"),
                ("/telemetry", "GET", "telemetry"),
                ("/metrics", "GET", "metrics"),
            )
        ),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _settle_for_ever(store: Store) -> None:
    while True:
        await asyncio.sleep(_SETTLE_EVERY_SECONDS)
        try:
            store.settle()
        except Exception:
            _log.exception("writing changes to the disk failed; trying again")


def _endpoint(store: Store, handler: Handler, with_body: bool) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        started = time.perf_counter()
        try:
            body = _parse(await request.body()) if with_body else None
            answer: dict[str, Any] = {"result": _run(handler, store, request, body)}
            answer["status"], code = "ok", 200
        except ApiError as error:
            answer, code = {"status": {"error": error.message}}, error.status
            if code >= 500:
                _log.warning("%s %s: %s", request.method, request.url.path, error.message)
        answer["time"] = time.perf_counter() - started
        return Response(orjson.dumps(answer), code, media_type="application/json")

    return endpoint


def _run(handler: Handler, store: Store, request: Request, body: Any) -> Any:
    try:
        return handler(store, request, body)
    except ApiError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        # The engine's own check of argument types.
        raise bad_format(str(error)) from error
    except OSError as error:
        raise ApiError(500, f"Service internal error: {error}") from error
    except Exception as error:
        # The engine knows no exception type but the base class.
        if type(error) is not Exception:
            _log.exception("%s %s failed", request.method, request.url.path)
            raise ApiError(500, f"Service internal error: {error!r}") from error
        raise from_engine(error) from error


def _parse(raw: bytes) -> Any:
    if len(raw) > _LARGEST_BODY:
        raise ApiError(
            400,
            f"Payload error: JSON payload ({len(raw)} bytes) is larger than allowed "
            f"(limit: {_LARGEST_BODY} bytes).",
        )
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise bad_format(str(error)) from None


async def _root(_request: Request) -> Response:
    answer = {"title": "qdrant - vector search engine", "version": SERVER_VERSION}
    return Response(orjson.dumps(answer), media_type="application/json")


async def _healthy(_request: Request) -> Response:
    return PlainTextResponse("healthz check passed")


def _name(request: Request) -> str:
    return request.path_params["name"]


def _named(store: Store, request: Request) -> Collection:
    return store.get(_name(request))


def _list_collections(store: Store, _request: Request, _body: Any) -> Any:
    return {"collections": [{"name": name} for name in store.names()]}


def _create(store: Store, request: Request, body: Any) -> bool:
    store.create(_name(request), body)
    return True


def _change_settings(store: Store, request: Request, body: Any) -> bool:
    _named(store, request).change_settings(body)
    store.save()
    return True


def _exists(store: Store, request: Request, _body: Any) -> Any:
    return {"exists": store.exists(_name(request))}


def _aliases_of(store: Store, request: Request, _body: Any) -> Any:
    _named(store, request)
    return {"aliases": store.aliases(_name(request))}


def _change_aliases(store: Store, _request: Request, body: Any) -> bool:
    store.change_aliases(body)
    return True


def _create_index(store: Store, request: Request, body: Any) -> Any:
    result = _named(store, request).create_index(body)
    store.save()
    return result


def _delete_index(store: Store, request: Request, _body: Any) -> Any:
    result = _named(store, request).delete_index(request.path_params["field"])
    store.save()
    return result


def _one(store: Store, request: Request, _body: Any) -> Any:
    return _named(store, request).one(request.path_params["id"])


def _query_batch(collection: Collection, body: Any) -> Any:
    requests = [collection.read_query(one) for one in batch_of(body, "searches")]
    return [{"points": collection.query(one)} for one in requests]


def _search_batch(collection: Collection, body: Any) -> Any:
    requests = [collection.read_search(one) for one in batch_of(body, "searches")]
    return [collection.query(one) for one in requests]


def _batch_update(collection: Collection, body: Any) -> Any:
    return [collection.apply(one) for one in batch(body, collection.spaces)]
