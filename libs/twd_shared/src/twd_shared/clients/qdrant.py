"""The Qdrant client as this project opens it, and its failures in this project's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from twd_shared.errors import IndexRejected, IndexUnavailable

_TIMEOUT_SECONDS = 30


def open_client(url: str, api_key: str = "") -> QdrantClient:
    """A REST client of the server at `url`; connects at the first call."""
    return QdrantClient(
        url=url,
        # Without a port in the URL the client would add 6333, also behind an HTTPS proxy.
        port=None,
        api_key=api_key or None,
        timeout=_TIMEOUT_SECONDS,
        check_compatibility=False,
    )


@contextmanager
def index_errors() -> Iterator[None]:
    """Turn the client's errors into IndexUnavailable (retried) or IndexRejected (not)."""
    try:
        yield
    except UnexpectedResponse as error:
        status = error.status_code or 0
        detail = bytes(error.content or b"").decode(errors="replace")[:300]
        if status >= 500 or status in (0, 408, 429):
            raise IndexUnavailable(
                f"Qdrant failed ({status} {error.reason_phrase}): {detail}. Look at its log."
            ) from None
        raise IndexRejected(
            f"Qdrant refused the request ({status} {error.reason_phrase}): {detail}"
        ) from None
    except ResponseHandlingException as error:
        raise IndexUnavailable(
            f"Qdrant cannot be reached ({type(error.source).__name__}). "
            "Check that it runs and that QDRANT_URL is right."
        ) from None
