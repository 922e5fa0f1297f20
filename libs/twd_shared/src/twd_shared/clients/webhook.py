"""The alert webhook: one message at a time, within a time limit, and never naming its address."""

from __future__ import annotations

import logging
import math
import queue
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

import httpx

from twd_shared.clients.tls import trusted
from twd_shared.clients.webhook_formats import WebhookMessage, content_of, style_of
from twd_shared.errors import PermanentError, TransientError
from twd_shared.schema_model.wording import flat
from twd_shared.settings import ALERT_FORMAT, ALERT_WEBHOOK_URL, AlertStyle

# Timeout, too early, too many requests: the same message may be taken in a moment.
_OF_THE_MOMENT = frozenset({408, 425, 429})
# In what an error says, before what the webhook itself said.
_REFUSED, _SAID = "refused the message", " It said: "
LONGEST_ASKED_WAIT_SECONDS = 3600.0
"""A webhook that asks for a longer wait is not followed."""
_MOST_READ_BYTES, _MOST_QUOTED = 4096, 200
_ANSWER_SECONDS = 1.0
_UNCOMPRESSED = {"accept-encoding": "identity"}
# They write the address of every request, and a webhook's address is its password.
_LOGGERS_OF_HTTP = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy")


class WebhookUnavailable(TransientError):
    """The webhook takes no message now; `wait_seconds` is what it asked for, None = nothing."""

    def __init__(self, message: str, wait_seconds: float | None = None) -> None:
        """`wait_seconds` is limited to an hour: a wrong clock must not silence alerts."""
        super().__init__(message)
        self.wait_seconds = wait_seconds and min(wait_seconds, LONGEST_ASKED_WAIT_SECONDS)


class WebhookRefused(PermanentError):
    """The webhook refused the message, or refuses all: what others fare tells."""


class Webhook:
    """The address that alerts go to and the format that it takes."""

    def __init__(self, url: str, wanted_format: str = "auto") -> None:
        """`wanted_format` is auto (told by the address) or a style."""
        self._style: AlertStyle = style_of(url, wanted_format)
        self._url = _waiting(url) if self._style == "discord" else url
        self._host = _host(url)
        self._secrets = _secrets(url)

    def send(self, message: WebhookMessage, seconds: float = 10.0) -> None:
        """Send one message; gives up after `seconds`, however slowly the other side answers.

        Raises WebhookUnavailable when no message gets through now, WebhookRefused when the webhook
        refuses this one; neither repeats the address. A message that was given up may arrive.
        """
        outcome: queue.SimpleQueue[httpx.Response | str] = queue.SimpleQueue()
        said: queue.SimpleQueue[str] = queue.SimpleQueue()
        deadline = time.monotonic() + seconds
        client = httpx.Client(verify=trusted(), timeout=seconds)

        # In a thread: the client limits each wait, but not their sum, nor that for a name server.
        def post() -> None:
            try:
                with _address_kept_out_of_logs(), client:
                    content = content_of(message, self._style)
                    with client.stream(
                        "POST", self._url, json=content, headers=_UNCOMPRESSED
                    ) as response:
                        outcome.put(response)
                        said.put("" if response.is_success else _beginning(response))
            # A host with an empty label (hooks..example) is a UnicodeError of the name server's.
            except (
                httpx.HTTPError,
                httpx.InvalidURL,
                RuntimeError,
                OSError,
                UnicodeError,
            ) as error:
                outcome.put(type(error).__name__)

        threading.Thread(target=post, name="twd-webhook", daemon=True).start()
        try:
            answer = outcome.get(timeout=seconds)
        except queue.Empty:
            client.close()
            answer = f"no answer within {seconds:.0f} s"
        if isinstance(answer, str):
            raise WebhookUnavailable(
                f"The alert webhook at {self._host} cannot be reached ({answer}). "
                f"Check {ALERT_WEBHOOK_URL.name}."
            )
        if answer.is_success:
            return
        try:
            text = said.get(timeout=max(0.0, min(_ANSWER_SECONDS, deadline - time.monotonic())))
        except queue.Empty:
            client.close()
            text = ""
        self._judge(answer, self._quoted(text))

    def _judge(self, response: httpx.Response, quoted: str) -> None:
        status = response.status_code
        wait = _asked_wait(response.headers.get("retry-after", ""))
        if wait is None and 400 <= status < 500 and status not in _OF_THE_MOMENT:
            raise WebhookRefused(
                f"The alert webhook at {self._host} {_REFUSED} ({status}), which was "
                f"written for {self._style}. If it refuses all, check {ALERT_WEBHOOK_URL.name} "
                f"and {ALERT_FORMAT.name}.{quoted}"
            )
        raise WebhookUnavailable(
            f"The alert webhook at {self._host} answered {status}. "
            f"If it stays so, check {ALERT_WEBHOOK_URL.name}.{quoted}",
            wait,
        )

    def _quoted(self, text: str) -> str:
        """What the webhook said as a sentence of one line, without anything of its address."""
        for secret in self._secrets:
            text = re.sub(re.escape(secret), "…", text, flags=re.IGNORECASE)
        line = flat(text)
        if len(line) > _MOST_QUOTED:
            line = f"{line[: _MOST_QUOTED - 1]}…"
        return f"{_SAID}{line}" if line else ""


def tells_refusal(error: str) -> bool:
    """Whether the text of an error is that of WebhookRefused."""
    return _REFUSED in error.partition(_SAID)[0]


def _beginning(response: httpx.Response) -> str:
    """The first words of an answer, all of them whole: half a secret would not be found."""
    read = b""
    for chunk in response.iter_raw():
        read += chunk
        if len(read) >= _MOST_READ_BYTES:
            return re.sub(r"\S*$", "", read[:_MOST_READ_BYTES].decode("utf-8", "replace"))
    return read.decode("utf-8", "replace")


def _asked_wait(text: str) -> float | None:
    """Seconds that Retry-After asks for, given as a number or as a date; None = nothing."""
    try:
        seconds = float(text)
        return None if math.isnan(seconds) else max(0.0, seconds)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # no date at all, or one with endless digits
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


@contextmanager
def _address_kept_out_of_logs() -> Iterator[None]:
    """Let the HTTP client log nothing of what this thread does."""
    own = threading.get_ident()

    def of_others(record: logging.LogRecord) -> bool:
        return record.thread != own

    loggers = [logging.getLogger(name) for name in _LOGGERS_OF_HTTP]
    for logger in loggers:
        logger.addFilter(of_others)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(of_others)


def _waiting(url: str) -> str:
    """The address with the wish for an answer only after the message is kept, unless it says so.

    Else Discord says yes to a message that it then drops.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if "wait" in parse_qs(parts.query, keep_blank_values=True):
        return url
    query = f"{parts.query}&wait=true" if parts.query else "wait=true"
    return urlunsplit(parts._replace(query=query))


def _secrets(url: str) -> list[str]:
    """What stands in the address but its host, whole and in pieces, longest first."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return []
    whole = [parts.username or "", parts.password or "", parts.path, parts.query]
    whole += [unquote(text) for text in whole]
    pieces = {piece for text in whole for piece in (text, *re.split(r"[/&=]", text))}
    return sorted((piece for piece in pieces if len(piece) > 3), key=len, reverse=True)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "an address without a host"
    except ValueError:
        return "an address that cannot be read"
