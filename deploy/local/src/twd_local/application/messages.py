"""Sample conversations: who asks which question when, and what the assistant answers.

Belongs here: the random process, pure and repeatable: the same seed, day and outcomes give the
same rows. Not here: what is said (`exchanges.py`), SQL results (`outcomes.py`), writing it down
(`seed.py`).
Shape of the traffic: a working week with two peaks a day and slow growth; few users and few
questions make most of it (Zipf); latency is log-normal with timeouts as its far tail.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol, TypeVar

from twd_local.application import small_talk
from twd_local.application.exchanges import Said, exchange
from twd_local.application.outcomes import Outcome, Outcomes
from twd_local.application.popularity import Popular
from twd_local.application.questions import CORPORA, Language, Question
from twd_local.application.users import User, population

FIRST_DAY = date(2026, 1, 1)
_WEEKDAY_SHARE = (1.15, 1.2, 1.1, 1.1, 0.95, 0.4, 0.3)
# Share of a day's conversations that begin in each hour (UTC); the last ones may pass midnight.
_HOUR_WEIGHTS = (1, 1, 1, 2, 3, 4, 5, 7, 10, 12, 11, 7, 5, 9, 11, 10, 8, 5, 3, 3, 2, 1, 1, 1)
_MEAN_EXCHANGES = 2.5
_LONGEST_CONVERSATION = 8
_NO_CONNECTION_SHARE = 0.03
_SYSTEM_SHARE = 0.1
_PAUSE_SECONDS = (10, 240)
# The head of popularity: the most popular question is asked a third more often than the second.
_QUESTIONS_HEAD = 3.0
_FEWEST_QUESTIONS = 80
SYSTEM_MESSAGE = Said("system", small_talk.SYSTEM)


class Timed(Protocol):
    """What has a place in time after another, and perhaps a wrong clock."""

    @property
    def after(self) -> float: ...
    @property
    def clock_error(self) -> float: ...


TTimed = TypeVar("TTimed", bound=Timed)


@dataclass(frozen=True)
class SampleMessage:
    """One row of `messages` without ids."""

    role: str
    content: str
    created_at: datetime
    outcome: Outcome | None = None
    latency_ms: int | None = None


@dataclass(frozen=True)
class SampleConversation:
    """One conversation of a user about one database; None when no connection was chosen."""

    user_id: str
    database: str | None
    messages: tuple[SampleMessage, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """A conversation before anything is said; `start`: seconds since midnight UTC.

    Questions are about `database` even where no connection was chosen for it.
    """

    user: User
    database: str
    is_connected: bool
    has_system_message: bool
    start: float
    exchanges: int


class Traffic:
    """What happens on days with so many messages: users, databases and questions by popularity."""

    def __init__(
        self, observed: Mapping[str, Mapping[Question, Outcomes]], messages_per_day: int, seed: int
    ) -> None:
        """`observed` maps a database to its questions' outcomes, the popular questions first."""
        self._observed = observed
        self._users = population(messages_per_day)
        self._databases = Popular(sorted(observed))
        self._questions = {
            name: Popular(_by_popularity(known, seed, name), _QUESTIONS_HEAD)
            for name, known in observed.items()
        }

    def outline(self, draw: random.Random) -> Outline:
        """A conversation of a day: whose, about what, when."""
        hour = draw.choices(range(24), weights=_HOUR_WEIGHTS)[0]
        asked = 1 + int(draw.expovariate(1 / (_MEAN_EXCHANGES - 0.5)))
        return Outline(
            self._users.pick(draw),
            self._databases.pick(draw),
            draw.random() >= _NO_CONNECTION_SHARE,
            draw.random() < _SYSTEM_SHARE,
            hour * 3600 + draw.uniform(0, 3600),
            min(_LONGEST_CONVERSATION, asked),
        )

    def exchange(self, draw: random.Random, database: str, tongue: Language) -> list[Said]:
        """A question about `database` and what comes of it."""
        question = self._questions[database].pick(draw)
        return exchange(draw, question, self._observed[database], tongue)


def questions_wanted(messages_per_day: int) -> int:
    """How many questions a database has besides the common ones: more messages, more of them."""
    return _FEWEST_QUESTIONS + round(messages_per_day**0.77)


def conversations_of_day(
    day: date,
    observed: Mapping[str, Mapping[Question, Outcomes]],
    *,
    messages_per_day: int,
    seed: int,
) -> Iterator[SampleConversation]:
    """Conversations of one day over the databases in `observed`, about `messages_per_day` messages.

    `observed` maps a database to its questions' outcomes (`outcomes.observe`); weekends have
    fewer messages than `messages_per_day`, later months more. The last conversations of a day
    may end after midnight.
    """
    if messages_per_day <= 0 or not observed:
        return
    draw = random.Random(f"{seed}/{day.isoformat()}")
    traffic = Traffic(observed, messages_per_day, seed)
    growth = 0.8 + 0.4 * min(1.0, max(0, (day - FIRST_DAY).days) / 365)
    wanted = messages_per_day * _WEEKDAY_SHARE[day.weekday()] * growth * draw.uniform(0.8, 1.2)
    written = 0
    while written < wanted:
        outline = traffic.outline(draw)
        exchanges = [[SYSTEM_MESSAGE]] if outline.has_system_message else []
        exchanges += (
            traffic.exchange(draw, outline.database, outline.user.tongue)
            for _ in range(outline.exchanges)
        )
        said = timed(draw, outline, exchanges)
        written += len(said)
        yield SampleConversation(
            outline.user.id,
            outline.database if outline.is_connected else None,
            tuple(_at(day, seconds, message) for seconds, message in said),
        )


def timed(
    draw: random.Random, outline: Outline, exchanges: Iterable[Sequence[TTimed]]
) -> list[tuple[float, TTimed]]:
    """The messages of a conversation, each with its time in seconds since midnight."""
    now = outline.start
    messages: list[tuple[float, TTimed]] = []
    for said in exchanges:
        for message in said:
            now += message.after
            messages.append((now + message.clock_error, message))
        now += draw.uniform(*_PAUSE_SECONDS)
    return messages


def _at(day: date, seconds: float, said: Said) -> SampleMessage:
    moment = datetime.combine(day, time(), UTC) + timedelta(seconds=seconds)
    return SampleMessage(said.role, said.content, moment, said.outcome, said.latency_ms)


def _by_popularity(known: Mapping[Question, Outcomes], seed: int, database: str) -> list[Question]:
    # A shuffle of its own, so that popular questions stay popular from day to day.
    common = [question for question in CORPORA[database].questions if question in known]
    random.Random(f"{seed}/{database}").shuffle(common)
    return list(dict.fromkeys((*common, *known)))
