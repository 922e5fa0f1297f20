"""How sentences show a text that changed: whole if it is short, else where the two differ first."""

from __future__ import annotations

from twd_shared.schema_model.secret_signs import holds_a_secret
from twd_shared.schema_model.wording import flat, shortened

_LONGEST = 80
_CONTEXT = 30
# As much as is looked through for a secret at once, and by how much two of these overlap.
_SEEN, _OVERLAP = 4_000, 1_200


def from_to(before: str, after: str) -> str:
    """` from “…” to “…”`, to go on with a sentence; '' where the texts are better not shown.

    That is where one of them seems to hold a secret, and where only their spaces differ.
    """
    if _may_hold_a_secret(before) or _may_hold_a_secret(after):
        return ""
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


def _may_hold_a_secret(text: str) -> bool:
    return any(
        holds_a_secret(text[at : at + _SEEN]) for at in range(0, len(text), _SEEN - _OVERLAP)
    )
