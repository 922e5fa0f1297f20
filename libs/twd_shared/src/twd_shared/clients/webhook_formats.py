"""Alerts as chat services and programs take them. Pure functions.

Names of tables and columns are a source's own: none may ping a channel, format the text or end it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from twd_shared.settings import ALERT_STYLES, AlertStyle

_SLACK_HOSTS = ("slack.com", "slack-gov.com")
_DISCORD_HOSTS = ("discord.com", "discordapp.com")

# What the services allow, in characters: a longer message is refused as a whole.
_SLACK_TEXT, _SLACK_HEADER, _SLACK_SECTION, _SLACK_BLOCKS = 15_000, 150, 3000, 50
_DISCORD_TITLE, _DISCORD_DESCRIPTION, _DISCORD_FOOTER = 256, 4096, 200
# Rocket.Chat's default. Mattermost takes three times as much.
_MARKDOWN_TEXT = 5000
_LINK = 2048

_COLOURS = {"breaking": 0xD32F2F, "failure": 0xF57C00, "recovered": 0x2E7D32}
_COLOUR_OF_OTHERS = 0x607D8B

_REST = "… The rest stands in twd.alerts."


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """One alert as it is sent; `body` is lines of plain text, `link` may be empty."""

    key: str
    severity: str
    title: str
    body: str
    link: str
    database: str
    raised_at: datetime


def style_of(url: str, wanted: str) -> AlertStyle:
    """The format that a webhook at `url` takes; `wanted` is auto or a format by name.

    auto goes by the address; Discord's own address for Slack's format (…/slack) is one too.
    """
    for style in ALERT_STYLES:
        if wanted == style:
            return style
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "json"
    if _is_of(host, _SLACK_HOSTS):
        return "slack"
    if _is_of(host, _DISCORD_HOSTS):
        return "slack" if parts.path.rstrip("/").endswith("/slack") else "discord"
    return "json"


def content_of(message: WebhookMessage, style: AlertStyle) -> dict[str, Any]:
    """The message as the JSON object that a service of this style takes, within its limits."""
    return _STYLES[style](message)


def _is_of(host: str, domains: Sequence[str]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def _generic(message: WebhookMessage) -> dict[str, Any]:
    return {
        "key": message.key,
        "severity": message.severity,
        "title": message.title,
        "body": message.body,
        "link": message.link,
        "database": message.database,
        "raised_at": message.raised_at.isoformat(),
    }


def _slack(message: WebhookMessage) -> dict[str, Any]:
    title = " ".join(message.title.split())
    # The header and the sections are plain text: what stands in them is never formatted.
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(_fitted([title], _slack_escaped, _SLACK_HEADER)[0])}
    ]
    texts = _fitted(message.body.splitlines(), _slack_escaped, _SLACK_SECTION)
    room = _SLACK_BLOCKS - 3
    if len(texts) > room:
        texts = [*texts[: room - 1], _REST]
    blocks += [{"type": "section", "text": _plain(text)} for text in texts if text.strip()]
    if message.link:
        link = f"<{_slack_address(message.link)}|Open it in Dagster>"
        if len(link) <= _SLACK_SECTION:
            blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": link}})
    blocks.append({"type": "context", "elements": [_plain(_slack_escaped(_about(message)))]})
    # Shown in notifications, and by servers that take Slack's format without its blocks.
    lines = [title, *message.body.splitlines(), *([message.link] if message.link else [])]
    text = _fitted(lines, _slack_escaped, _SLACK_TEXT)[0]
    return {"text": text, "mrkdwn": False, "unfurl_links": False, "blocks": blocks}


def _discord(message: WebhookMessage) -> dict[str, Any]:
    title = " ".join(message.title.split())
    lines = message.body.splitlines()
    is_taken = _discord_takes(message.link)
    link = "" if is_taken else message.link
    embed: dict[str, Any] = {
        "title": _fitted([title], _discord_escaped, _DISCORD_TITLE)[0],
        "description": _with_link(lines, link, _discord_escaped, _DISCORD_DESCRIPTION),
        "color": _COLOURS.get(message.severity, _COLOUR_OF_OTHERS),
        "timestamp": message.raised_at.isoformat(),
        # A footer is never formatted.
        "footer": {"text": _about(message)[:_DISCORD_FOOTER]},
    }
    if is_taken:
        embed["url"] = message.link
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def _discord_takes(link: str) -> bool:
    """Whether it may be an embed's link: Discord refuses a message that links to a bare name."""
    try:
        host = urlsplit(link).hostname or ""
    except ValueError:
        return False
    is_whole = link.startswith(("http://", "https://")) and len(link) <= _LINK
    return is_whole and ("." in host or ":" in host)


def _markdown(message: WebhookMessage) -> dict[str, Any]:
    lines = [" ".join(message.title.split()), _about(message), *message.body.splitlines()]
    return {"text": _with_link(lines, message.link, _as_code, _MARKDOWN_TEXT)}


_STYLES: dict[AlertStyle, Callable[[WebhookMessage], dict[str, Any]]] = {
    "slack": _slack,
    "discord": _discord,
    "markdown": _markdown,
    "json": _generic,
}


def _about(message: WebhookMessage) -> str:
    moment = message.raised_at.strftime("%Y-%m-%d %H:%M:%S %Z")
    return " · ".join(
        part for part in (message.severity, message.database[:100], moment.strip()) if part
    )


def _fitted(lines: Sequence[str], escape: Callable[[str], str], limit: int) -> list[str]:
    """The escaped lines in texts of at most `limit` characters; at least one, maybe empty.

    A text ends between two lines. A line that is too long alone is cut, never inside an escape.
    """
    texts = [""]
    for line in lines:
        escaped = escape(line)
        if len(escaped) > limit:
            escaped = _cut(line, escape, limit)
        joined = f"{texts[-1]}\n{escaped}" if texts[-1] else escaped
        if len(joined) <= limit:
            texts[-1] = joined
        else:
            texts.append(escaped)
    return texts


def _with_link(lines: Sequence[str], link: str, escape: Callable[[str], str], limit: int) -> str:
    """What fits of the escaped lines, where the rest stands, and the link as it is."""
    link = link if len(link) <= _LINK else ""
    texts = _fitted(lines, escape, limit - len(_REST) - len(link) - 2)
    return "\n".join(part for part in (texts[0], _REST if texts[1:] else "", link) if part)


def _cut(line: str, escape: Callable[[str], str], limit: int) -> str:
    kept = line[: limit - 1]
    while len(escape(kept)) > limit - 1:
        # Halving what is over ends soon, and loses at most a few characters that would have fit.
        kept = kept[: len(kept) - max(1, (len(escape(kept)) - limit + 1) // 6)]
    return escape(kept) + "…"


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text or "…", "emoji": False}


def _slack_escaped(text: str) -> str:
    return _unpinged(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def _slack_address(link: str) -> str:
    escaped = link.replace("|", "%7C").replace("<", "%3C").replace(">", "%3E").replace(" ", "%20")
    return escaped.replace("&", "&amp;")


def _discord_escaped(text: str) -> str:
    # A dash at a line's start stays: it makes the list that it looks like.
    return re.sub(r"([\\`*_~|<>#\[\]@])", r"\\\1", text)


def _as_code(line: str) -> str:
    # Dialects of Markdown escape different characters, Rocket.Chat's none; code is code in all.
    mark, text = ("- ", line[2:]) if line.startswith("- ") else ("", line)
    return f"{mark}`{_unpinged(text.replace('`', 'ˋ'))}`" if text.strip() else ""


def _unpinged(text: str) -> str:
    # Servers that speak Slack's format ping whoever an @ names; the space is of no width.
    return re.sub(r"@(?=\w)", "@\u200b", text)
