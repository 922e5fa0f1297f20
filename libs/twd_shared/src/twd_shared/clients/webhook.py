"""Alerts to a webhook: Slack, Discord or generic JSON, told apart by the address."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx

from twd_shared.errors import TransientError

_TIMEOUT_SECONDS = 10.0


class WebhookUnavailable(TransientError):
    """The webhook did not take a message."""


def post_alert(url: str, *, title: str, body: str, severity: str, link: str = "") -> None:
    """Send one alert to `url`; raises WebhookUnavailable, which never repeats the address.

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
        raise WebhookUnavailable(
            f"The alert webhook at {host} answered {error.response.status_code}."
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
