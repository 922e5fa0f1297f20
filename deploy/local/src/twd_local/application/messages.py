"""Sample conversations: who asks which question when, and what the assistant answers.

Belongs here: the random process, pure and repeatable: the same seed, day and outcomes give the
same rows. Not here: SQL results (`outcomes.py`), writing (`seed.py`).
Shape of the traffic: a working week with two peaks a day and slow growth; few users and few
questions make most of it (Zipf); latency is log-normal with timeouts as its far tail.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar

from twd_local.application import outcomes
from twd_local.application.outcomes import Outcome, Outcomes
from twd_local.application.questions import CORPORA, Question

T = TypeVar("T")

FIRST_DAY = date(2026, 1, 1)
_USERS = ("an", "bao", "chi", "dung", "emma", "felix", "grace", "huong", "ivan", "jana", "khoa")
_WEEKDAY_SHARE = (1.15, 1.2, 1.1, 1.1, 0.95, 0.4, 0.3)
# Share of a day's conversations that begin in each hour (UTC); none so late as to pass midnight.
_HOUR_WEIGHTS = (0, 0, 1, 2, 3, 4, 5, 7, 10, 12, 11, 7, 5, 9, 11, 10, 8, 5, 3, 3, 2, 1, 0, 0)
_MEAN_QUESTIONS = 2.5
_LONGEST_CONVERSATION = 8
_NO_CONNECTION_SHARE = 0.03
_UNANSWERED_SHARE = 0.02
_LATENCY_MEDIAN_MS = {1: 650, 2: 1100, 3: 1900}
_LATENCY_SIGMA = 0.55
# Kinds of failure and how often each meets a question of difficulty 1, 2, 3.
_FAILURE_SHARE: dict[str, tuple[float, float, float]] = {
    outcomes.SYNTAX_ERROR: (0.01, 0.02, 0.035),
    outcomes.UNKNOWN_COLUMN: (0.03, 0.05, 0.08),
    outcomes.UNKNOWN_TABLE: (0.015, 0.025, 0.04),
    outcomes.TIMEOUT: (0.002, 0.006, 0.02),
    outcomes.NO_SQL: (0.015, 0.02, 0.03),
}


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


def conversations_of_day(
    day: date,
    observed: Mapping[str, Mapping[Question, Outcomes]],
    *,
    messages_per_day: int,
    seed: int,
) -> Iterator[SampleConversation]:
    """Conversations of one day over the databases in `observed`, about `messages_per_day` messages.

    `observed` maps a database to its questions' outcomes (`outcomes.observe`); weekends have
    fewer messages than `messages_per_day`, later months more.
    """
    if messages_per_day <= 0 or not observed:
        return
    draw = random.Random(f"{seed}/{day.isoformat()}")
    databases = sorted(observed)
    popular = {name: _by_popularity(observed[name], seed, name) for name in databases}
    growth = 0.8 + 0.4 * min(1.0, max(0, (day - FIRST_DAY).days) / 365)
    wanted = messages_per_day * _WEEKDAY_SHARE[day.weekday()] * growth * draw.uniform(0.8, 1.2)
    written = 0
    while written < wanted:
        database = _zipf(draw, databases)
        conversation = _conversation(draw, day, database, popular[database], observed[database])
        written += len(conversation.messages)
        yield conversation


def _conversation(
    draw: random.Random,
    day: date,
    database: str,
    popular: Sequence[Question],
    known: Mapping[Question, Outcomes],
) -> SampleConversation:
    user = _zipf(draw, _USERS)
    # Every other user mostly asks in Vietnamese where there is a wording for it.
    vietnamese = draw.random() < (0.7 if _USERS.index(user) % 2 else 0.15)
    hour = draw.choices(range(24), weights=_HOUR_WEIGHTS)[0]
    now = datetime.combine(day, time(hour, tzinfo=UTC)) + timedelta(seconds=draw.uniform(0, 3600))
    messages: list[SampleMessage] = []
    asked = min(_LONGEST_CONVERSATION, 1 + int(draw.expovariate(1 / (_MEAN_QUESTIONS - 0.5))))
    for _ in range(asked):
        question = _zipf(draw, popular)
        wording = question.wordings[-1 if vietnamese else 0]
        messages.append(SampleMessage("user", wording, now))
        if draw.random() < _UNANSWERED_SHARE:
            now += timedelta(seconds=draw.uniform(30, 90))
            continue
        outcome = known[question][_kind(draw, question)]
        latency = _latency_ms(draw, question, outcome)
        now += timedelta(milliseconds=latency)
        messages.append(
            SampleMessage("assistant", _reply(outcome, vietnamese), now, outcome, latency)
        )
        now += timedelta(seconds=draw.uniform(10, 240))
    unchosen = draw.random() < _NO_CONNECTION_SHARE
    return SampleConversation(f"user-{user}", None if unchosen else database, tuple(messages))


def _kind(draw: random.Random, question: Question) -> str:
    left = draw.random()
    for kind, shares in _FAILURE_SHARE.items():
        left -= shares[question.difficulty - 1]
        if left < 0:
            return kind
    return outcomes.ANSWERED


def _latency_ms(draw: random.Random, question: Question, outcome: Outcome) -> int:
    median = _LATENCY_MEDIAN_MS[question.difficulty]
    latency = round(draw.lognormvariate(math.log(median), _LATENCY_SIGMA))
    return latency + (outcomes.STATEMENT_TIMEOUT_MS if outcome.kind == outcomes.TIMEOUT else 0)


def _reply(outcome: Outcome, vietnamese: bool) -> str:
    if outcome.kind == outcomes.NO_SQL:
        return (
            "Tôi chưa hiểu câu hỏi. Bạn có thể nói rõ hơn không?"
            if vietnamese
            else "I could not turn this into a query. Can you say it in other words?"
        )
    if outcome.error is not None:
        return "Truy vấn bị lỗi." if vietnamese else "The query failed."
    return "Đây là kết quả." if vietnamese else "Here is the result."


def _by_popularity(known: Mapping[Question, Outcomes], seed: int, database: str) -> list[Question]:
    # A shuffle of its own, so that popular questions stay popular from day to day.
    ranked = [question for question in CORPORA[database].questions if question in known]
    random.Random(f"{seed}/{database}").shuffle(ranked)
    return ranked


def _zipf(draw: random.Random, ranked: Sequence[T]) -> T:
    return draw.choices(ranked, weights=[1 / (rank + 1) for rank in range(len(ranked))])[0]
