"""Whether the index holds each source's schema as it is, and if not, why: pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from twd_schema.drift.detection import Answer
from twd_shared.store.source_checks import SourceCheck


@dataclass(frozen=True, slots=True)
class Judgement:
    """A source's check, and the wish for a sync: '' = there is none.

    The wish names the schema that is wanted, so that another one does not wait for the failures of
    this one.
    """

    check: SourceCheck
    wish: str


def judge(
    answers: Mapping[str, Answer], held: Mapping[str, str], known: Mapping[str, SourceCheck]
) -> dict[str, Judgement]:
    """A judgement for each answer, by connection id.

    `held` are the fingerprints that the index holds, `known` the checks before. An answer of a
    connection that the index no longer holds is left out.
    """
    return {
        connection_id: _judge(connection_id, answer, held[connection_id], known.get(connection_id))
        for connection_id, answer in answers.items()
        if connection_id in held
    }


def _judge(connection_id: str, answer: Answer, held: str, before: SourceCheck | None) -> Judgement:
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
    if answer.fingerprint == held:
        return Judgement(SourceCheck(connection_id, answer.mark, answer.fingerprint, "fresh"), "")
    return Judgement(
        SourceCheck(
            connection_id,
            answer.mark,
            answer.fingerprint,
            "drifted",
            "Its schema is not the one that the index holds: a sync brings it up to date.",
        ),
        answer.fingerprint,
    )
