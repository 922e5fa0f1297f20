"""How sentences show a text that changed: whole if it is short, else where the two differ first."""

from __future__ import annotations

from twd_shared.schema_model.secret_comments import comment_without_secrets
from twd_shared.schema_model.secret_literals import without_secret_literals
from twd_shared.schema_model.wording import flat, shortened

_LONGEST = 80
_CONTEXT = 30


def told_comments(before: str | None, after: str | None) -> tuple[str, str]:
    """Two comments without what looks like a secret, as all that is told of a change."""
    return comment_without_secrets(before or ""), comment_without_secrets(after or "")


def told_sql(
    before: str | None, after: str | None, dialect: str, column: str = ""
) -> tuple[str, str]:
    """Two texts of SQL without what looks like a secret; `column` gets the value of them."""
    return (
        without_secret_literals(before or "", dialect, column),
        without_secret_literals(after or "", dialect, column),
    )


def from_to(before: str, after: str) -> str:
    """` from “…” to “…”`, to go on with a sentence, of texts that are without secrets.

    '' where only their spaces differ, or what was left out of them.
    """
    one, other = flat(before), flat(after)
    if one == other:
        return ""
    start = _start(one, other) if max(len(one), len(other)) > _LONGEST else 0
    return f" from {_shown(one, start)} to {_shown(other, start)}"


def _start(one: str, other: str) -> int:
    """Where a word begins, shortly before the first difference."""
    pairs = enumerate(zip(one, other, strict=False))
    differing = (place for place, (a, b) in pairs if a != b)
    start = next(differing, min(len(one), len(other))) - _CONTEXT
    if start <= 0:
        return 0
    space = one.find(" ", start, start + _CONTEXT)
    return start if space < 0 else space + 1


def _shown(text: str, start: int) -> str:
    return f"“{'… ' if start else ''}{shortened(text[start:], _LONGEST)}”" if text else "none"
