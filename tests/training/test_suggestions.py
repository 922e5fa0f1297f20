"""Questions that nobody could answer are suggested until they are taught."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from twd_shared.clients.catalog import Connection
from twd_shared.store.analytics_tables import daily_open_questions, measured_days
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.open_questions import (
    SUGGESTED_DAYS,
    as_read,
    normalised_question,
    question_hash,
    suggestions,
)
from twd_shared.store.small_talk import SMALL_TALK
from twd_shared.store.tables import training_items
from twd_training.suggestions_command import DONE, FAILED, main

from ..closed_output import run_unread

pytestmark = pytest.mark.integration
Ask = Callable[..., None]
TODAY = datetime.now(UTC).date()


@pytest.fixture
def metadata(metadata_dsn: str) -> Iterator[MetadataDatabase]:
    database = MetadataDatabase(metadata_dsn)
    ConnectionRegistry(database).register([Connection("7", "shop", "postgresql", True, "")])
    yield database
    database.close()


@pytest.fixture
def ask(metadata: MetadataDatabase) -> Ask:
    """A question was asked in vain, some days ago."""

    def _ask(
        question: str, days_ago: int = 1, unanswered: int = 1, *, is_kept: bool = True, **more: Any
    ) -> None:
        day = TODAY - timedelta(days=days_ago)
        text = question if is_kept else ""
        values = {"connection_id": "7", "question": text, "failed": 0, "language": "en"}
        with metadata.begin() as transaction:
            transaction.execute(
                sa.insert(daily_open_questions).values(
                    day=day,
                    question_hash=question_hash(question),
                    unanswered=unanswered,
                    **(values | more),
                )
            )

    return _ask


def teach(metadata: MetadataDatabase, question: str, *, accepted: bool = True) -> None:
    with metadata.begin() as transaction:
        transaction.execute(
            sa.insert(training_items).values(
                connection_id="7",
                item_id=sa.func.gen_random_uuid(),
                kind="question_sql",
                source="user",
                question=question,
                content="select 1",
                content_hash="h",
                tables=[],
                accepted=accepted,
                snapshot_version=1,
            )
        )


def test_what_was_asked_in_vain_most_is_suggested_first(
    metadata: MetadataDatabase, ask: Ask
) -> None:
    ask("which films are lost")
    ask("who pays late", days_ago=3, unanswered=2, failed=1)
    ask("who pays late", days_ago=2)
    ask("asked long ago", days_ago=31)
    ask("of another source", connection_id="8")
    found = suggestions(metadata, "7")
    assert [(one.question, one.asked) for one in found] == [
        ("who pays late", 4),
        ("which films are lost", 1),
    ]
    assert found[0].last_day == TODAY - timedelta(days=2)


def test_a_question_is_suggested_until_it_is_taught(metadata: MetadataDatabase, ask: Ask) -> None:
    ask(normalised_question("Which films are LOST?"))
    teach(metadata, "which films are lost", accepted=False)
    assert len(suggestions(metadata, "7")) == 1
    teach(metadata, "Which  films are lost?!")
    assert suggestions(metadata, "7") == []


def test_a_very_long_question_can_be_taught_too(metadata: MetadataDatabase, ask: Ask) -> None:
    question = "Which of these films are lost? " + "Academy Dinosaur, " * 600
    ask(normalised_question(as_read(question)))
    assert len(suggestions(metadata, "7")) == 1
    teach(metadata, question)
    assert suggestions(metadata, "7") == []


def test_what_is_said_out_of_politeness_is_not_suggested(
    metadata: MetadataDatabase, ask: Ask
) -> None:
    for said in ("Hello!", "thanks", "Cảm ơn", "¿Por qué?", "1", "👍"):
        ask(normalised_question(said), unanswered=9)
    ask(normalised_question("xin chào"), is_kept=False)
    ask("hello world records")
    assert [one.question for one in suggestions(metadata, "7")] == ["hello world records"]


def test_small_talk_is_written_as_questions_are_compared() -> None:
    assert {normalised_question(said) for said in SMALL_TALK} == SMALL_TALK


def _measure(metadata: MetadataDatabase, measure: str, days_ago: int) -> None:
    day = TODAY - timedelta(days=days_ago)
    with metadata.begin() as transaction:
        transaction.execute(
            measured_days.insert().values(
                day=day, measure=measure, timezone="UTC", source_state="0:0"
            )
        )


def test_the_command_lists_them(
    metadata_dsn: str,
    metadata: MetadataDatabase,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TWD_METADATA_DSN", metadata_dsn)
    assert main(["shop"]) == DONE
    assert "none of the last 30 days was measured yet" in capsys.readouterr().out
    _measure(metadata, "accuracy", SUGGESTED_DAYS + 1)
    _measure(metadata, "usage", 1)
    assert main(["shop"]) == DONE
    assert "measured yet" in capsys.readouterr().out
    _measure(metadata, "accuracy", 1)
    assert main(["shop"]) == DONE
    assert "no question was asked in vain" in capsys.readouterr().out
    ask("phim nào bị mất", language="vi")
    ask("kept as a hash", is_kept=False)
    assert main(["shop"]) == DONE
    out = capsys.readouterr().out
    assert "vi  phim nào bị mất" in out
    assert "its text is not kept" in out
    assert main(["shop", "--json"]) == DONE
    assert json.loads(capsys.readouterr().out)[0]["asked"] == 1


def test_what_a_user_asked_does_not_steer_the_terminal(
    metadata_dsn: str,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ask("who \x1b[2Jpays?")
    monkeypatch.setenv("TWD_METADATA_DSN", metadata_dsn)
    assert main(["shop"]) == DONE
    assert "who �[2Jpays" in capsys.readouterr().out


def test_a_source_that_is_not_known_is_named(
    metadata_dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TWD_METADATA_DSN", metadata_dsn)
    assert main(["nowhere"]) == FAILED
    assert "nowhere" in capsys.readouterr().err


def test_a_reader_of_the_list_that_has_seen_enough_is_no_failure(
    metadata_dsn: str, ask: Ask
) -> None:
    environment = os.environ | {"TWD_METADATA_DSN": metadata_dsn}
    done = run_unread("-m", "twd_training.suggestions_command", "shop", environment=environment)
    assert (done.returncode, done.stderr) == (DONE, b"")
