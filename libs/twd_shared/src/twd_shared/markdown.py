"""Markdown that Dagster's UI shows."""

from __future__ import annotations

import re

from twd_shared.schema_model.wording import flat

_MARKS = re.compile(r"[\\`*_|<>\[\]]")


def escaped(text: str) -> str:
    """Somebody's text on one line, as it is: it ends no cell, and makes the UI load nothing."""
    return _MARKS.sub(r"\\\g<0>", flat(text))
