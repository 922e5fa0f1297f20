"""The generator of sample messages: repeatable, varied as in life, and true to the sources."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, date, timedelta
from typing import Any

import psycopg2
import pytest

from benchmarks.analytics.imagined import ImaginedOutcomes
from twd_local.application import messages, outcomes, small_talk, users
from twd_local.application.messages import SampleConversation, SampleMessage
from twd_local.application.outcomes import Outcome, Outcomes
from twd_local.application.questions import CORPORA, Question, drawn_questions
from twd_shared.sql.parsing import parsed, unfenced

MONDAY = date(2026, 3, 2)
KINDS = {
    *(outcomes.ANSWERED, outcomes.REFUSED, outcomes.NO_SQL, outcomes.TIMEOUT, outcomes.NOT_SQL),
    *(outcomes.SYNTAX_ERROR, outcomes.UNKNOWN_COLUMN, outcomes.UNKNOWN_TABLE),
    *(outcomes.TYPE_ERROR, outcomes.AMBIGUOUS_COLUMN, outcomes.TWO_STATEMENTS),
    *(outcomes.FIRST_ROWS, outcomes.COUNTED),
}


def imagined(messages_per_day: int) -> dict[str, ImaginedOutcomes]:
    wanted = messages.questions_wanted(messages_per_day)
    return {
        name: ImaginedOutcomes(drawn_questions(corpus, wanted, 1))
        for name, corpus in CORPORA.items()
    }


def talks_of(
    known: Mapping[str, Mapping[Question, Outcomes]], day: date = MONDAY, per_day: int = 20_000
) -> list[SampleConversation]:
    return list(messages.conversations_of_day(day, known, messages_per_day=per_day, seed=1))


@pytest.fixture(scope="module")
def talks() -> list[SampleConversation]:
    """A busy day over outcomes without a database."""
    return talks_of(imagined(20_000))


@pytest.fixture(scope="module")
def said(talks: list[SampleConversation]) -> list[SampleMessage]:
    return [message for talk in talks for message in talk.messages]


@pytest.fixture(scope="module")
def answers(said: list[SampleMessage]) -> list[Outcome]:
    return [message.outcome for message in said if message.outcome is not None]


def test_the_same_day_seed_and_outcomes_give_the_same_messages() -> None:
    assert talks_of(imagined(400), per_day=400) == talks_of(imagined(400), per_day=400)
    assert talks_of(imagined(400), per_day=400) != talks_of(
        imagined(400), MONDAY + timedelta(days=1), per_day=400
    )


def test_more_questions_begin_with_the_same_ones() -> None:
    for corpus in CORPORA.values():
        few, many = drawn_questions(corpus, 50, 1), drawn_questions(corpus, 3000, 1)
        assert few == many[: len(few)]
        assert few[: len(corpus.questions)] == corpus.questions
        assert len(set(many)) == len(many) > 2900


def test_every_kind_of_outcome_appears_and_most_answers_are_good(answers: list[Outcome]) -> None:
    kinds = Counter(outcome.kind for outcome in answers)
    assert set(kinds) == KINDS
    shares = {kind: count / len(answers) for kind, count in kinds.items()}
    assert 0.75 < shares.pop(outcomes.ANSWERED) < 0.9
    for kind, share in shares.items():
        assert 0.001 < share < 0.06, kind
    empty = sum('"row_count": 0,' in (outcome.result or "") for outcome in answers)
    assert 0.01 < empty / len(answers) < 0.15
    for outcome in answers:
        assert (outcome.sql is None) == (outcome.kind == outcomes.NO_SQL)
        if outcome.sql is not None:
            assert (outcome.error is None) != (outcome.result is None)


def test_assistants_write_sql_in_many_ways(answers: list[Outcome]) -> None:
    texts = [outcome.sql for outcome in answers if outcome.sql is not None]
    for sign in (r"^```sql\n", r";$", r"^(--|/\*)", r"\bselect\b", r"\nFROM", r"; SELECT"):
        assert 0.002 < sum(bool(re.search(sign, text)) for text in texts) / len(texts) < 0.5, sign
    assert max(map(len, texts)) > 20_000
    assert len(set(texts)) > 3000


def test_many_texts_share_a_shape_and_shapes_have_a_long_tail(answers: list[Outcome]) -> None:
    good = [o.sql for o in answers if o.kind == outcomes.ANSWERED and o.sql is not None]
    literals = re.compile(r"'(?:[^']|'')*'|\b\d[\d.]*\b(?:, \d+)*")
    shapes = Counter(literals.sub("?", " ".join(unfenced(sql).lower().split())) for sql in good)
    assert len(shapes) > 300
    assert len(set(good)) > 2 * len(shapes)
    assert sum(count == 1 for count in shapes.values()) > len(shapes) / 10


def test_people_ask_in_several_languages_with_their_habits(said: list[SampleMessage]) -> None:
    asked = [message.content for message in said if message.role == "user"]
    for sign, least in {
        r"[ぁ-んァ-ヶ]": 0.005,
        r"\b(Quel|combien|Combien|quels|Bonjour|merci)\b": 0.003,
        r"[ạ-ỹơư]": 0.1,
        r"\b(khach hang|bao nhieu|doanh thu|Nhung|nhung)\b": 0.005,
        r"^(Cho|Bạn|Em|Nhờ) .*\b(Which|What|How|List)\b": 0.002,
        r"^(Which|What|How)\b": 0.1,
        r"^(which|what|how)\b": 0.02,
        r"(\?\?|\.\.\.|\?!)$": 0.01,
        r"  |\n$|[^ ] $": 0.01,
    }.items():
        assert sum(bool(re.search(sign, text)) for text in asked) / len(asked) > least, sign
    chat = {text for texts in small_talk.CHIT_CHAT.values() for text in texts}
    assert 0.01 < sum(text in chat for text in asked) / len(asked) < 0.06


def test_few_users_and_questions_make_much_of_the_traffic(
    talks: list[SampleConversation], said: list[SampleMessage]
) -> None:
    by_user = Counter(talk.user_id for talk in talks)
    assert len(by_user) > 300
    assert 0.3 < sum(n for _, n in by_user.most_common(len(by_user) // 10)) / len(talks) < 0.8
    by_text = Counter(message.content for message in said if message.role == "user")
    assert len(by_text) > 3000
    assert 0.005 < by_text.most_common(1)[0][1] / by_text.total() < 0.05
    assert sum(count == 1 for count in by_text.values()) > len(by_text) / 2


def test_users_grow_with_the_messages() -> None:
    assert len(users.population(40).ranked) == 11
    counts = [len(users.population(10**power).ranked) for power in range(7)]
    assert counts == sorted(counts)
    assert 2_000 < counts[-1] < 20_000
    assert len({user.id for user in users.population(10**6).ranked}) == counts[-1]


def test_conversations_are_as_odd_as_in_life(talks: list[SampleConversation]) -> None:
    roles = ["".join(message.role[0] for message in talk.messages) for talk in talks]
    for odd in ("^s", "uaa", "uu", "ua.*ua.*ua", "^ua$"):
        assert any(re.search(odd, role) for role in roles), odd
    assert not any(re.search("^a|.s|^s?$", role) for role in roles)
    assert 0.45 < sum(role.count("a") for role in roles) / sum(map(len, roles)) < 0.52
    assert 0.01 < sum(talk.database is None for talk in talks) / len(talks) < 0.06
    backwards = sum(
        later.created_at < earlier.created_at
        for talk in talks
        for earlier, later in zip(talk.messages, talk.messages[1:], strict=False)
    )
    assert 0 < backwards < len(talks) / 50
    days = Counter(m.created_at.astimezone(UTC).date() for talk in talks for m in talk.messages)
    assert set(days) == {MONDAY, MONDAY + timedelta(days=1)}
    assert days[MONDAY] > 0.99 * days.total()
    assert all(talk.messages[0].created_at.date() == MONDAY for talk in talks)


@pytest.fixture(scope="module")
def observed(services: Any) -> dict[str, dict[Question, Outcomes]]:
    return {
        name: outcomes.observe(corpus, services.source(name), drawn_questions(corpus, 400, 1))
        for name, corpus in CORPORA.items()
    }


@pytest.fixture
def cursors(services: Any) -> Iterator[dict[str, Any]]:
    with (
        closing(psycopg2.connect(services.source("pagila"))) as pagila,
        closing(psycopg2.connect(services.source("chinook"))) as chinook,
        closing(psycopg2.connect(services.source("northwind"))) as northwind,
    ):
        open_ones = {"pagila": pagila, "chinook": chinook, "northwind": northwind}
        for connection in open_ones.values():
            connection.set_session(readonly=True, autocommit=True)
        yield {name: connection.cursor() for name, connection in open_ones.items()}


@pytest.mark.integration
def test_every_answer_says_what_the_source_says(
    observed: dict[str, dict[Question, Outcomes]], cursors: dict[str, Any]
) -> None:
    """However the SQL is written down: its result was one, and its error is this one."""
    seen: set[tuple[str, str]] = set()
    for talk in talks_of(observed, per_day=6_000):
        for message in talk.messages:
            outcome = message.outcome
            if talk.database is None or outcome is None or outcome.sql is None:
                continue
            if outcome.kind == outcomes.TIMEOUT or (talk.database, outcome.sql) in seen:
                continue
            seen.add((talk.database, outcome.sql))
            cursor, error = cursors[talk.database], None
            try:
                cursor.execute(unfenced(outcome.sql))
            except psycopg2.Error as raised:
                error = raised.diag.message_primary
            assert error == outcome.error, outcome.sql
            if error is None:
                assert f'"row_count": {cursor.rowcount},' in (outcome.result or "")
    assert len(seen) > 1000


@pytest.mark.integration
def test_errors_are_of_the_kind_that_was_meant(
    observed: dict[str, dict[Question, Outcomes]],
) -> None:
    words = {
        outcomes.SYNTAX_ERROR: r"^syntax error at or near",
        outcomes.UNKNOWN_COLUMN: r"^column .* does not exist$",
        outcomes.UNKNOWN_TABLE: r"^relation .* does not exist$",
        outcomes.TYPE_ERROR: r"^function .* does not exist|^invalid input|out of range",
        outcomes.AMBIGUOUS_COLUMN: r"^column reference .* is ambiguous$",
        outcomes.NOT_SQL: r"^syntax error at or near",
        outcomes.REFUSED: r"in a read-only transaction$|^permission denied for table pg_authid$",
    }
    for variants in (v for known in observed.values() for v in known.values()):
        for kind, outcome in variants.items():
            if kind in words:
                assert re.search(words[kind], outcome.error or ""), outcome
            elif kind not in {outcomes.TIMEOUT, outcomes.NO_SQL}:
                assert outcome.error is None, outcome
    refused = {
        (variants[outcomes.REFUSED].error or "").split()[0]
        for known in observed.values()
        for variants in known.values()
        if outcomes.REFUSED in variants
    }
    assert refused == {"cannot", "permission"}


@pytest.mark.integration
def test_imagined_errors_are_worded_as_observed_ones(
    observed: dict[str, dict[Question, Outcomes]],
) -> None:
    same = total = 0
    for known in observed.values():
        made = ImaginedOutcomes(list(known))
        for question, variants in known.items():
            assert set(made[question]) == set(variants)
            for kind, outcome in variants.items():
                assert (made[question][kind].error is None) == (outcome.error is None)
                assert made[question][kind].sql == outcome.sql
                same += made[question][kind].error == outcome.error
                total += 1
    assert same > 0.95 * total


@pytest.mark.integration
def test_good_sql_parses(observed: dict[str, dict[Question, Outcomes]]) -> None:
    for known in observed.values():
        for variants in known.values():
            sql = variants[outcomes.ANSWERED].sql if outcomes.ANSWERED in variants else None
            assert sql is None or parsed(sql, "postgresql"), sql
