"""Whether the index holds each source's schema as it is, and if not, why: pure functions."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from twd_schema.drift.detection import Answer
from twd_schema.drift.store import Synced
from twd_shared.store.connections import RegisteredConnection, Status
from twd_shared.store.source_checks import SourceCheck

_NOT_HELD = "A run is writing its index, or the last one that did has failed."

# Worst first.
STATES = ("unreadable", "given up", "not imported", "drifted", "fresh", "paused")


class FreshnessRecord(NamedTuple):
    """A database as the UI shows it; `since` is '' where that is not known."""

    database: str
    freshness: str
    since: str
    cause: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """A source's check, and the wish for a sync: '' = there is none.

    The wish names the schema that is wanted, so that another one does not wait for the failures of
    this one.
    """

    check: SourceCheck
    wish: str


def judge(
    answers: Mapping[str, Answer], held: Mapping[str, Synced], known: Mapping[str, SourceCheck]
) -> dict[str, Judgement]:
    """A judgement for each answer, by connection id.

    `held` is what the index holds, `known` the checks before. An answer of a connection that the
    index no longer holds is left out.
    """
    return {
        connection_id: _judge(connection_id, answer, held[connection_id], known.get(connection_id))
        for connection_id, answer in answers.items()
        if connection_id in held
    }


def _judge(
    connection_id: str, answer: Answer, held: Synced, before: SourceCheck | None
) -> Judgement:
    if answer.error:
        # What it is known by stays true: the answer says nothing new about it.
        signal, fingerprint = (before.signal, before.fingerprint) if before else ("", "")
        return Judgement(
            SourceCheck(connection_id, signal, fingerprint, "unreadable", answer.error), ""
        )
    if answer.fingerprint is None:
        return Judgement(
            SourceCheck(
                connection_id,
                "",
                "",
                "drifted",
                "Its catalogs were written to, and it is too large to be compared between two "
                "ticks: a sync reads it.",
            ),
            answer.mark,
        )
    if answer.fingerprint != held.fingerprint:
        cause = "Its schema is not the one that the index holds: a sync brings it up to date."
    elif not held.is_newest:
        cause = (
            "Its schema is what the index holds again, but a sync of another one ended half-way: "
            "a sync stores what is there now, and takes back what was told of the other."
        )
    else:
        return Judgement(SourceCheck(connection_id, answer.mark, answer.fingerprint, "fresh"), "")
    return Judgement(
        SourceCheck(connection_id, answer.mark, answer.fingerprint, "drifted", cause),
        answer.fingerprint,
    )


def given_up(
    judged: Mapping[str, Judgement], has_ended: Callable[[str, str], bool], tries: int
) -> dict[str, Judgement]:
    """The same judgements, but for wishes that are not tried again.

    `has_ended` says of a connection's wish that all of its `tries` have been made and are over.
    """
    return {
        key: replace(
            one,
            check=replace(
                one.check,
                freshness="given_up",
                cause=f"Its schema has changed, and {tries} syncs have not brought the index up to "
                "date. Look at the last failed run; the daily verification tries again.",
            ),
        )
        if one.wish and has_ended(key, one.wish)
        else one
        for key, one in judged.items()
    }


def changed_statuses(
    checks: Iterable[SourceCheck], known: Mapping[str, RegisteredConnection]
) -> dict[str, tuple[Status, str]]:
    """Status and reason by connection id, of those that the registry has otherwise.

    A source that has drifted keeps its status: the sync will tell whether it can be read.
    """
    changed: dict[str, tuple[Status, str]] = {}
    for check in checks:
        before = (known[check.connection_id].status, known[check.connection_id].status_reason)
        if check.freshness == "unreadable" and before != ("failing", check.cause):
            changed[check.connection_id] = ("failing", check.cause)
        elif check.freshness == "fresh" and before[0] != "ok":
            changed[check.connection_id] = ("ok", "")
    return changed


def freshness_records(
    connections: Iterable[RegisteredConnection],
    checks: Mapping[str, SourceCheck],
    held: Container[str],
) -> list[FreshnessRecord]:
    """What the UI shows of each database, worst first.

    `held` are the connections whose schema the index holds completely.
    """
    records = [
        _record(item, checks.get(item.connection_id), item.connection_id in held)
        for item in connections
    ]
    return sorted(records, key=lambda record: (STATES.index(record.freshness), record.database))


def _record(
    item: RegisteredConnection, check: SourceCheck | None, is_held: bool
) -> FreshnessRecord:
    if not item.is_active:
        return FreshnessRecord(
            item.partition_key, "paused", "", "The application does not list it as active."
        )
    if check is None:
        cause = item.status_reason or "Its first import has not ended."
        return FreshnessRecord(item.partition_key, "not imported", "", cause)
    since = check.since.isoformat(" ", "seconds") if check.since else ""
    if not is_held:
        return FreshnessRecord(item.partition_key, "drifted", "", item.status_reason or _NOT_HELD)
    freshness = check.freshness.replace("_", " ")
    return FreshnessRecord(item.partition_key, freshness, since, check.cause)
