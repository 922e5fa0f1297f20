"""One exchange: a question and what comes of it, its answers, a second try, a question after it.

Belongs here: the random process without clock, user and database. Not here: how exchanges make
conversations and days (`messages.py`).
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import NamedTuple

from twd_local.application import outcomes, small_talk
from twd_local.application.dressing import dressed
from twd_local.application.outcomes import Outcome, Outcomes
from twd_local.application.questions import Language, Question
from twd_local.application.typing_habits import typed

_CHIT_CHAT_SHARE = 0.03
_UNANSWERED_SHARE = 0.02
_FOLLOWED_SHARE = 0.05
_SECOND_TRY_SHARE = 0.3
_SECOND_ANSWER_SHARE = 0.01
_SKEWED_SHARE = 0.004
# How often a question is asked in the own language where there is a wording, and in Vietnamese,
# the language of the place, by others.
_OWN_LANGUAGE_SHARE = 0.75
_VIETNAMESE_SHARE = 0.12
_LATENCY_MEDIAN_MS = {1: 650, 2: 1100, 3: 1900}
_LATENCY_SIGMA = 0.55
# What else than the answer comes of questions of difficulty 1, 2, 3, and how often.
_SHARES: dict[str, tuple[float, float, float]] = {
    outcomes.SYNTAX_ERROR: (0.01, 0.02, 0.035),
    outcomes.UNKNOWN_COLUMN: (0.03, 0.05, 0.08),
    outcomes.UNKNOWN_TABLE: (0.015, 0.025, 0.04),
    outcomes.TYPE_ERROR: (0.006, 0.012, 0.02),
    outcomes.AMBIGUOUS_COLUMN: (0.0, 0.012, 0.02),
    outcomes.NOT_SQL: (0.004, 0.004, 0.006),
    outcomes.TIMEOUT: (0.002, 0.006, 0.02),
    outcomes.NO_SQL: (0.015, 0.02, 0.03),
    outcomes.TWO_STATEMENTS: (0.004, 0.006, 0.008),
}
_NO_SQL = Outcome(outcomes.NO_SQL)
_RUNNING = frozenset({outcomes.ANSWERED, outcomes.TWO_STATEMENTS})
_FOLLOW_UPS = (
    (outcomes.FIRST_ROWS, small_talk.ONLY_THE_FIRST),
    (outcomes.COUNTED, small_talk.HOW_MANY),
)


class Said(NamedTuple):
    """One message of an exchange; `after`: seconds since the one before, or since the start.

    `clock_error`: seconds by which its time of writing is wrong.
    """

    role: str
    content: str
    after: float = 0.0
    outcome: Outcome | None = None
    latency_ms: int | None = None
    clock_error: float = 0.0


def exchange(
    draw: random.Random, question: Question, known: Mapping[Question, Outcomes], tongue: Language
) -> list[Said]:
    """What is said about `question` by somebody whose own language is `tongue`."""
    if draw.random() < _CHIT_CHAT_SHARE:
        return _chit_chat(draw, tongue)
    language = _language(draw, question, tongue)
    wording = question.asked_in(language) or question.english
    # A client whose clock is ahead: its question seems to be younger than the answer.
    ahead = draw.uniform(3, 30) if draw.random() < _SKEWED_SHARE else 0.0
    said = [Said("user", typed(draw, wording, language, tongue), clock_error=ahead)]
    if draw.random() < _UNANSWERED_SHARE:
        return said
    possible = known[question]
    usual = possible[outcomes.usual_kind(question)]
    outcome = possible.get(_kind(draw, question), usual)
    answer = _answer(draw, outcome, question.difficulty, language)
    said.append(answer)
    failed = answer.outcome is not None and answer.outcome.kind not in _RUNNING
    if draw.random() < (_SECOND_TRY_SHARE if failed else _SECOND_ANSWER_SHARE):
        said.append(_answer(draw, usual, question.difficulty, language))
    elif not failed and draw.random() < _FOLLOWED_SHARE:
        next_kind, texts = draw.choice(_FOLLOW_UPS)
        if next_kind in possible:
            said.append(Said("user", typed(draw, texts[language], language, tongue), _pause(draw)))
            said.append(_answer(draw, possible[next_kind], question.difficulty, language))
    return said


def _chit_chat(draw: random.Random, tongue: Language) -> list[Said]:
    latency = _latency_ms(draw, 1)
    reply = small_talk.CHIT_CHAT_REPLIES[tongue]
    return [
        Said("user", draw.choice(small_talk.CHIT_CHAT[tongue])),
        Said("assistant", reply, latency / 1000, _NO_SQL, latency),
    ]


def _language(draw: random.Random, question: Question, tongue: Language) -> Language:
    if tongue != "en" and question.asked_in(tongue) and draw.random() < _OWN_LANGUAGE_SHARE:
        return tongue
    if tongue != "vi" and question.vietnamese and draw.random() < _VIETNAMESE_SHARE:
        return "vi"
    return "en"


def _kind(draw: random.Random, question: Question) -> str:
    left = draw.random()
    for kind, shares in _SHARES.items():
        left -= shares[question.difficulty - 1]
        if left < 0:
            return kind
    return outcomes.ANSWERED


def _answer(draw: random.Random, outcome: Outcome, difficulty: int, language: Language) -> Said:
    latency = _latency_ms(draw, difficulty)
    if outcome.kind == outcomes.TIMEOUT:
        latency += outcomes.STATEMENT_TIMEOUT_MS
    if outcome.sql is not None and outcome.kind != outcomes.NOT_SQL:
        sql = dressed(draw, outcome.sql)
        outcome = Outcome(outcome.kind, sql, outcome.result, outcome.error)
    return Said("assistant", _reply(outcome, language), latency / 1000, outcome, latency)


def _latency_ms(draw: random.Random, difficulty: int) -> int:
    median = _LATENCY_MEDIAN_MS[difficulty]
    return round(draw.lognormvariate(math.log(median), _LATENCY_SIGMA))


def _pause(draw: random.Random) -> float:
    return draw.uniform(10, 240)


def _reply(outcome: Outcome, language: Language) -> str:
    if outcome.kind == outcomes.NO_SQL:
        return small_talk.NOT_UNDERSTOOD[language]
    return (small_talk.ANSWERED if outcome.error is None else small_talk.FAILED)[language]
