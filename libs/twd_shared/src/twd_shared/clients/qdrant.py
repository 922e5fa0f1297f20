"""The Qdrant client as this project opens it, what it sends past the client's own methods, and its
failures in this project's words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import httpx
import msgspec
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from twd_shared.clients.tls import trusted
from twd_shared.errors import ConfigurationError, IndexRejected, IndexUnavailable

_T = TypeVar("_T")

# Where answers are put that the client does not read; None = it reads them.
_unread: ContextVar[list[bytes] | None] = ContextVar("unread", default=None)

_TIMEOUT_SECONDS = 30
_LONGEST_QUOTE = 300
_QUERIES = 32
_BATCH = 256
_PAGE = 1024
# A vector takes some twenty bytes a number.
_PAGE_OF_VECTORS = 256
# Qdrant refuses requests of more than 32 MiB by default (service.max_request_size_mb).
_BATCH_BYTES = 16 * 2**20
# Answers of less than 500 that pass: the server is slow or busy.
_PASSING = frozenset(
    {0, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INSUFFICIENT_STORAGE}
)
# What the client raises of an answer that is not Qdrant's, such as that of a proxy: also where one
# holds no result, and for endless brackets.
_UNREADABLE = (
    json.JSONDecodeError,
    UnicodeDecodeError,
    QdrantException,
    AssertionError,
    RecursionError,
)
# The operating system's words, which Qdrant passes on with 500.
_FULL = "No space left"


def open_client(url: str, api_key: str = "") -> QdrantClient:
    """A REST client of the server at `url`; connects at the first call.

    Raises ConfigurationError when `url` is no address.
    """
    try:
        client = QdrantClient(
            url=url,
            # Without a port in the URL the client would add 6333, also behind an HTTPS proxy.
            port=None,
            api_key=api_key or None,
            timeout=_TIMEOUT_SECONDS,
            check_compatibility=False,
            verify=trusted(),
        )
    except ValueError:
        # What is wrong with it may be a part of a password.
        raise ConfigurationError(
            "QDRANT_URL is no address, such as http://qdrant.example:6333."
        ) from None
    client.http.client.add_middleware(_leave_unread)
    return client


class ScoredPoint(msgspec.Struct):
    """A point that a search found."""

    score: float
    payload: dict[str, Any] | None = None


class Record(msgspec.Struct):
    """A stored point: of payload and vector what was asked for."""

    id: str | int
    payload: dict[str, Any] | None = None
    vector: Any = None


class _Answer(msgspec.Struct, Generic[_T]):
    result: _T


class _Found(msgspec.Struct):
    points: list[ScoredPoint]


class _Page(msgspec.Struct):
    points: list[Record]
    next_page_offset: str | int | None = None


def send(
    client: QdrantClient, collection: str, method: str, path: str, body: bytes, kind: type[_T]
) -> _T:
    """The result, of type `kind`, of a request whose body is JSON already.

    The client's own methods validate each number of many points, copy those of queries, and read
    answers ten times as slowly: together that takes longer than Qdrant takes.
    Raises IndexUnavailable, IndexRejected.
    """
    answers: list[bytes] = []
    asking = _unread.set(answers)
    try:
        with index_errors(client):
            client.http.client.request(
                type_=dict,
                method=method,
                url=f"/collections/{{name}}/{path}",
                path_params={"name": collection},
                # Only writes wait for anything; a search ignores it.
                params={"wait": "true"},
                headers={"content-type": "application/json"},
                content=body,
            )
        return msgspec.json.decode(answers[-1], type=_Answer[kind]).result
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _unreadable(_server(client)) from None
    finally:
        _unread.reset(asking)


def _leave_unread(
    request: httpx.Request, pass_on: Callable[[httpx.Request], httpx.Response]
) -> httpx.Response:
    """Keep a good answer from the client, and give it to who asks by `send`."""
    response = pass_on(request)
    answers = _unread.get()
    if answers is None or not response.is_success:
        return response
    answers.append(response.content)
    return httpx.Response(response.status_code, content=b"{}", request=request)


def batches(encoded: Iterable[bytes]) -> Iterator[bytes]:
    """JSON lists of these values, each as long as one request may be."""
    batch: list[bytes] = []
    size = 0
    for item in encoded:
        if batch and (len(batch) == _BATCH or size + len(item) > _BATCH_BYTES):
            yield b"[" + b",".join(batch) + b"]"
            batch, size = [], 0
        batch.append(item)
        size += len(item)
    if batch:
        yield b"[" + b",".join(batch) + b"]"


def upsert(client: QdrantClient, collection: str, points: Iterable[Mapping[str, Any]]) -> None:
    """Write points (id, vector, payload); they are durable and searchable when this returns.

    Raises IndexUnavailable, IndexRejected.
    """
    for batch in batches(msgspec.json.encode(point) for point in points):
        send(client, collection, "PUT", "points", b'{"points":' + batch + b"}", dict[str, Any])


def query(
    client: QdrantClient, collection: str, searches: Sequence[Mapping[str, Any]]
) -> Iterator[list[ScoredPoint]]:
    """For each search (a body of Qdrant's points/query) its points, in few requests.

    Raises IndexUnavailable, IndexRejected.
    """
    for start in range(0, len(searches), _QUERIES):
        batch = searches[start : start + _QUERIES]
        body = msgspec.json.encode({"searches": batch})
        found = send(client, collection, "POST", "points/query/batch", body, list[_Found])
        if len(found) != len(batch):
            raise _unreadable(_server(client))
        yield from (one.points for one in found)


def scroll(
    client: QdrantClient, collection: str, request: Mapping[str, Any] | None = None
) -> Iterator[Record]:
    """All points that match `request`, a body of Qdrant's points/scroll without limit and offset.

    With whole payloads and without vectors unless it says otherwise.
    Raises IndexUnavailable, IndexRejected.
    """
    body: dict[str, Any] = {"with_payload": True, **(request or {})}
    body["limit"] = _PAGE_OF_VECTORS if body.get("with_vector") else _PAGE
    while True:
        page = send(client, collection, "POST", "points/scroll", msgspec.json.encode(body), _Page)
        yield from page.points
        if page.next_page_offset is None:
            return
        body["offset"] = page.next_page_offset


def collections_in(client: QdrantClient) -> set[str]:
    """The names of all collections."""
    with index_errors(client):
        return {item.name for item in client.get_collections().collections}


def aliases_in(client: QdrantClient) -> dict[str, str]:
    """Collection by alias, of all that there are."""
    with index_errors(client):
        aliases = client.get_aliases().aliases
    return {item.alias_name: item.collection_name for item in aliases}


@contextmanager
def index_errors(client: QdrantClient) -> Iterator[None]:
    """Turn the client's errors into IndexUnavailable (retried) or IndexRejected (not).

    The messages name its server.
    """
    server = _server(client)
    try:
        yield
    except UnexpectedResponse as error:
        raise _refusal(server, error) from None
    except ResourceExhaustedResponse as error:
        raise IndexUnavailable(
            f"{server} is busy and asks to come back in {error.retry_after_s} s."
        ) from None
    except ResponseHandlingException as error:
        if isinstance(error.source, httpx.ReadTimeout | httpx.WriteTimeout):
            raise IndexUnavailable(
                f"{server} did not answer within {_TIMEOUT_SECONDS} s. "
                "It is overloaded; look at its log."
            ) from None
        if isinstance(error.source, httpx.HTTPError):
            raise IndexUnavailable(
                f"{server} cannot be reached ({type(error.source).__name__}). "
                "Check that it runs and that QDRANT_URL is right."
            ) from None
        raise _unreadable(server) from None
    except _UNREADABLE:
        raise _unreadable(server) from None


def _refusal(server: str, error: UnexpectedResponse) -> IndexUnavailable | IndexRejected:
    status = error.status_code or 0
    detail = bytes(error.content or b"").decode(errors="replace")[:_LONGEST_QUOTE]
    said = f"({status} {error.reason_phrase}): {detail}"
    if status == HTTPStatus.INSUFFICIENT_STORAGE or _FULL in detail:
        return IndexUnavailable(
            f"{server} is full {said}. Free space on its disk; what is served stays as it was."
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _PASSING:
        return IndexUnavailable(f"{server} failed {said}. Look at its log.")
    return IndexRejected(f"{server} refused the request {said}")


def _unreadable(server: str) -> IndexUnavailable:
    return IndexUnavailable(
        f"{server} gave an answer that cannot be read. Look at its log, and at what stands between."
    )


def _server(client: QdrantClient) -> str:
    # Without user and password, which an address may hold.
    address = httpx.URL(client.http.client.host).copy_with(userinfo=b"")
    return f"Qdrant at {str(address).rstrip('/')}"
