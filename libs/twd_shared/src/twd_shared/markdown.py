"""Markdown that Dagster's UI shows."""

from __future__ import annotations

import base64
import re

from twd_shared.schema_model.wording import flat

_MARKS = re.compile(r"[\\`*_|<>\[\]]")


def escaped(text: str) -> str:
    """Somebody's text on one line, as it is: it ends no cell, and makes the UI load nothing."""
    return _MARKS.sub(r"\\\g<0>", flat(text))


def picture(svg: str, title: str) -> str:
    """The picture as markdown shows it, without a file."""
    data = base64.b64encode(svg.encode()).decode()
    return f"![{title}](data:image/svg+xml;base64,{data})"
