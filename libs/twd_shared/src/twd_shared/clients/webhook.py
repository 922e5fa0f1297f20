"""Alerts to a webhook: Slack, Discord or generic JSON, told apart by the address."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx

from twd_shared.errors import PermanentError, TransientError

_TIMEOUT_SECONDS = 10.0
# Said of the address or of the moment, not of one message: any other message fares the same.
_NOT_OF_THE_MESSAGE = frozenset({401, 404, 405, 408, 410, 429})


class WebhookUnavailable(TransientError):
    """The webhook takes no message now."""


class WebhookRefused(PermanentError):
    """The webhook refused this one message."""


def post_alert(url: str, *, title: str, body: str, severity: str, link: str = "") -> None:
    """Send one alert to `url`.

    Raises WebhookUnavailable when no message gets through now, WebhookRefused when the webhook
    refuses this one; neither repeats the address.
    Slack takes `text`, Discord `content`; anything else gets title, body, severity and link.
    """
    text = f"*{title}*\n{body}" + (f"\n{link}" if link else "")
    host = _host(url)
    message: dict[str, Any]
    if host.endswith("slack.com"):
        message = {"text": text}
    elif host.endswith(("discord.com", "discordapp.com")):
        message = {"content": text[:2000]}
    else:
        message = {"title": title, "body": body, "severity": severity, "link": link}
    try:
        httpx.post(url, json=message, timeout=_TIMEOUT_SECONDS).raise_for_status()
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        if 400 <= status < 500 and status not in _NOT_OF_THE_MESSAGE:
            raise WebhookRefused(
                f"The alert webhook at {host} refused the message ({status}). "
                "It stands in twd.alerts."
            ) from None
        raise WebhookUnavailable(
            f"The alert webhook at {host} answered {status}. "
            "If it stays so, check TWD_ALERT_WEBHOOK_URL."
        ) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise WebhookUnavailable(
            f"The alert webhook at {host} cannot be reached ({type(error).__name__}). "
            "Check TWD_ALERT_WEBHOOK_URL."
        ) from None


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "an address without a host"
    except ValueError:
        return "an address that cannot be read"
