"""The users of the sample application: how many there are, and in which language each asks."""

from __future__ import annotations

from dataclasses import dataclass

from twd_local.application.popularity import Popular
from twd_local.application.questions.question import Language

_NAMES = ("an", "bao", "chi", "dung", "emma", "felix", "grace", "huong", "ivan", "jana", "khoa")
# Mother tongues by rank, over and over: neither the busiest nor the rarest users share one.
_TONGUES: tuple[Language, ...] = (
    *("en", "vi", "en", "vi", "en", "fr", "en", "vi", "en", "ja", "vi", "en"),
    *("vi", "en", "vi", "en", "vi", "fr", "en", "vi", "en", "vi", "en", "en"),
)
# Few colleagues ask all day; more messages are more people rather than busier ones.
_USUAL_MESSAGES = 40
_GROWTH = 0.62


@dataclass(frozen=True, slots=True)
class User:
    """One user: `id` as in `conversations.user_id`, and the language mostly asked in."""

    id: str
    tongue: Language


def population(messages_per_day: int) -> Popular[User]:
    """The users that write so many messages a day: 11 write 40, about 6,000 write a million."""
    count = round(len(_NAMES) * (messages_per_day / _USUAL_MESSAGES) ** _GROWTH)
    users = [
        User(
            f"user-{_NAMES[rank] if rank < len(_NAMES) else f'{rank:05}'}",
            _TONGUES[rank % len(_TONGUES)],
        )
        for rank in range(max(count, len(_NAMES)))
    ]
    return Popular(users, head=1 + len(users) / 50)
