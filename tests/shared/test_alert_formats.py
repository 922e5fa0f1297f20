"""Alerts in the formats of chat services: within their limits, and no name pings or formats."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from twd_shared.clients.webhook_formats import WebhookMessage, content_of, style_of
from twd_shared.errors import ConfigurationError
from twd_shared.settings import ALERT_FORMAT, ALERT_FORMATS, ALERT_STYLES, AlertStyle, value_of

MOMENT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
NASTY = "<!channel> @everyone & <@U1> *bold* _it_ ~no~ `code` [a](http://x) | > quote # head \\"


def message(
    title: str = "title", body: str = "body", link: str = "http://ui.example.org/runs/1?a=1&b=2"
) -> WebhookMessage:
    return WebhookMessage("key", "breaking", title, body, link, "shop", MOMENT)


def slack_texts(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Every text object of the message's blocks."""
    blocks = content["blocks"]
    return [text for b in blocks for text in ([b["text"]] if "text" in b else b["elements"])]


# --- which format ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "style"),
    [
        ("https://hooks.slack.com/services/T/B/x", "slack"),
        ("https://hooks.slack-gov.com/services/T/B/x", "slack"),
        ("https://discord.com/api/webhooks/1/x", "discord"),
        ("https://ptb.discord.com/api/webhooks/1/x", "discord"),
        ("https://discordapp.com/api/webhooks/1/x", "discord"),
        ("https://discord.com/api/webhooks/1/x/slack", "slack"),
        ("https://evilslack.com/x", "json"),
        ("https://slack.com.example.org/x", "json"),
        ("https://chat.example.org/hooks/x", "json"),
        ("http://[broken", "json"),
    ],
)
def test_the_format_goes_by_the_address(address: str, style: AlertStyle) -> None:
    assert style_of(address, "auto") == style


def test_a_format_that_is_named_wins_over_the_address() -> None:
    assert style_of("https://mattermost.example.org/hooks/x", "slack") == "slack"
    assert style_of("https://hooks.slack.com/services/T/B/x", "json") == "json"


def test_the_setting_takes_the_formats_that_there_are_and_no_other() -> None:
    read = {value_of({"TWD_ALERT_FORMAT": name}, ALERT_FORMAT) for name in ALERT_FORMATS}
    assert read == {*ALERT_FORMATS}
    assert value_of({}, ALERT_FORMAT) == "auto"
    with pytest.raises(ConfigurationError, match="TWD_ALERT_FORMAT must be one of auto, slack"):
        value_of({"TWD_ALERT_FORMAT": "teams"}, ALERT_FORMAT)


# --- generic JSON ---------------------------------------------------------------------------


def test_generic_json_has_every_field_as_it_is() -> None:
    assert content_of(message(NASTY, NASTY), "json") == {
        "key": "key",
        "severity": "breaking",
        "title": NASTY,
        "body": NASTY,
        "link": "http://ui.example.org/runs/1?a=1&b=2",
        "database": "shop",
        "raised_at": "2026-03-04T05:06:07+00:00",
    }


# --- Slack ----------------------------------------------------------------------------------


def test_slack_gets_title_body_link_and_what_it_is_about() -> None:
    content = content_of(message("a title", "one\ntwo"), "slack")
    title, body, link, about = slack_texts(content)
    assert (title["type"], title["text"]) == ("plain_text", "a title")
    assert (body["type"], body["text"]) == ("plain_text", "one\ntwo")
    assert link == {
        "type": "mrkdwn",
        "text": "<http://ui.example.org/runs/1?a=1&amp;b=2|Open it in Dagster>",
    }
    assert about["text"] == "breaking · shop · 2026-03-04 05:06:07 UTC"
    assert content["text"] == "a title\none\ntwo\nhttp://ui.example.org/runs/1?a=1&amp;b=2"


def test_no_name_is_markup_for_slack() -> None:
    content = content_of(message(NASTY, NASTY), "slack")
    texts = slack_texts(content)
    # Only the link that is ours may be formatted.
    assert [text["type"] for text in texts] == ["plain_text", "plain_text", "mrkdwn", "plain_text"]
    assert content["mrkdwn"] is False
    for text in (texts[0]["text"], texts[1]["text"], content["text"]):
        assert "&lt;!channel&gt;" in text
        assert "<" not in text
        assert "@everyone" not in text
        assert "@\u200beveryone &amp; " in text


def test_a_long_message_keeps_slacks_limits_and_loses_no_line_that_fits() -> None:
    lines = [f"- line {number} <{'&' * 50}>" for number in range(200)]
    content = content_of(message("T&" * 300, "\n".join(lines)), "slack")
    blocks, texts = content["blocks"], slack_texts(content)
    assert len(blocks) <= 50
    assert max(len(text["text"]) for text in texts) <= 3000
    assert len(texts[0]["text"]) <= 150
    assert len(content["text"]) <= 15_000
    shown = "\n".join(text["text"] for text in texts[1:-2])
    assert (
        shown.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">").split("\n") == lines
    )


def test_a_message_that_is_longer_than_slack_takes_says_where_the_rest_stands() -> None:
    content = content_of(message(body="\n".join("x" * 2900 for _ in range(100))), "slack")
    assert len(content["blocks"]) == 50
    assert slack_texts(content)[-3]["text"] == "… The rest stands in twd.alerts."


@pytest.mark.parametrize("character", ["&", "<", "x", "é", "@a"])
def test_one_endless_line_is_cut_outside_of_an_escape(character: str) -> None:
    content = content_of(message(body=character * 20_000), "slack")
    text = slack_texts(content)[1]["text"]
    assert len(text) <= 3000
    assert text.endswith("…")
    for entity in ("&amp;", "&lt;"):
        text = text.replace(entity, "")
    assert "&" not in text


def test_an_empty_body_makes_no_empty_block() -> None:
    content = content_of(message("", "\n\n", link=""), "slack")
    assert all(text["text"].strip() for text in slack_texts(content))


# --- Discord --------------------------------------------------------------------------------


def test_discord_gets_an_embed_coloured_by_severity() -> None:
    content = content_of(message("a title", "one\ntwo"), "discord")
    assert content == {
        "embeds": [
            {
                "title": "a title",
                "description": "one\ntwo",
                "color": 0xD32F2F,
                "timestamp": "2026-03-04T05:06:07+00:00",
                "footer": {"text": "breaking · shop · 2026-03-04 05:06:07 UTC"},
                "url": "http://ui.example.org/runs/1?a=1&b=2",
            }
        ],
        "allowed_mentions": {"parse": []},
    }


@pytest.mark.parametrize("host", ["ui.example.org", "10.0.0.7:3000", "[fd00::7]:3000"])
def test_discord_gets_the_link_that_it_takes_as_that_of_the_embed(host: str) -> None:
    [embed] = content_of(message(link=f"http://{host}/runs/1"), "discord")["embeds"]
    assert (embed["url"], embed["description"]) == (f"http://{host}/runs/1", "body")


# Discord answers 400 to an embed that links to a host without a dot.
@pytest.mark.parametrize("host", ["localhost:3000", "dagster-webserver:3000", "[broken"])
@pytest.mark.parametrize("body", ["body", "", "x" * 9000])
def test_discord_gets_a_link_that_it_would_refuse_as_a_line(host: str, body: str) -> None:
    link = f"http://{host}/runs/1_2"
    [embed] = content_of(message(body=body, link=link), "discord")["embeds"]
    assert "url" not in embed
    assert embed["description"].split("\n")[-1] == link
    assert len(embed["description"]) <= 4096


def test_no_name_is_markup_for_discord_and_nobody_is_pinged() -> None:
    content = content_of(message(NASTY, NASTY), "discord")
    [embed] = content["embeds"]
    assert content["allowed_mentions"] == {"parse": []}
    for text in (embed["title"], embed["description"]):
        unescaped = text.replace("\\\\", "")
        for character in "<>@*_~`[]|#":
            assert unescaped.count(character) == unescaped.count(f"\\{character}"), character
        assert text.replace("\\\\", "\0").replace("\\", "").replace("\0", "\\") == NASTY


@pytest.mark.parametrize("line", ["_" * 300, "- a line of the list\n" * 1000, "_x" * 9000])
def test_a_long_message_keeps_discords_limits(line: str) -> None:
    [embed] = content_of(message(line, line), "discord")["embeds"]
    assert len(embed["title"]) <= 256
    assert len(embed["description"]) <= 4096
    assert sum(len(embed[name]) for name in ("title", "description")) + 200 <= 6000
    assert not embed["title"].rstrip("…").endswith("\\")


# --- Markdown -------------------------------------------------------------------------------


def test_markdown_is_one_text_of_code_and_the_link() -> None:
    content = content_of(message("a title", "one\n- two\n\nthree"), "markdown")
    assert content == {
        "text": "`a title`\n`breaking · shop · 2026-03-04 05:06:07 UTC`\n"
        "`one`\n- `two`\n\n`three`\nhttp://ui.example.org/runs/1?a=1&b=2"
    }


def test_no_name_leaves_the_code_that_it_stands_in_and_nobody_is_pinged() -> None:
    text = content_of(message(NASTY, f"{NASTY}\n- {NASTY}", link=""), "markdown")["text"]
    for line in text.split("\n"):
        assert line.startswith(("`", "- `"))
        assert line.endswith("`")
        assert line.count("`") == 2
    assert "@everyone" not in text
    assert text.count("[a](http://x)") == 3


@pytest.mark.parametrize("body", ["é" * 20_000, "- a line `of` the list\n" * 1000, "@a" * 9000])
def test_a_long_message_keeps_the_limit_of_rocket_chat_and_says_where_the_rest_stands(
    body: str,
) -> None:
    text = content_of(message(body, body), "markdown")["text"]
    assert len(text) <= 5000
    assert text.count("`") % 2 == 0
    assert text.endswith("… The rest stands in twd.alerts.\nhttp://ui.example.org/runs/1?a=1&b=2")


@pytest.mark.parametrize("style", ALERT_STYLES)
@pytest.mark.parametrize("text", ["", "\n", "Việt 数据 🚀", "a" * 100_000])
def test_any_text_makes_a_message_in_every_format(style: AlertStyle, text: str) -> None:
    assert json.loads(json.dumps(content_of(message(text, text), style)))
