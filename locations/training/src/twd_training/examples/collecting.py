"""Collecting the training examples of one connection: read, check, store."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from twd_shared.clients.application import ApplicationDatabase
from twd_shared.clients.catalog import Connection
from twd_shared.errors import TwdError
from twd_shared.garbage import frozen_heap
from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.schema_model.models import Snapshot
from twd_shared.sources.access import SourceAccess
from twd_shared.store.open_questions import normalised_question
from twd_shared.store.snapshots import SnapshotStore
from twd_training.examples.models import TrainingItem
from twd_training.examples.planning import SourcePlanner
from twd_training.examples.store import Outcome, TrainingSet
from twd_training.examples.submissions import Reading, read_submissions
from twd_training.examples.texts import plain

if TYPE_CHECKING:
    from twd_shared.sql.grammar import PostgresGrammar

_Grammar = Callable[[Sequence[str]], set[int]]
"""Gives the places of the statements that are none of the source's."""

_CALLED = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}

_Said = tuple[str, str, tuple[str, ...]]
"""Kind, question and words of an item: those that say the same have the same."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What was read and what became of it; `version` is that of the snapshot checked against.

    `unplanned` says why the source could not be asked, if it was to be; else ''.
    """

    reading: Reading
    items: tuple[TrainingItem, ...]
    outcome: Outcome
    version: int
    unplanned: str = ""
    asked_source: bool = False

    @property
    def fingerprint(self) -> str:
        """Hash of the accepted items: what a knowledge base will hold of them."""
        accepted = sorted((item.content_hash, *item.tables) for item in self.items if item.accepted)
        return content_fingerprint(part for parts in accepted for part in parts)


def collect_examples(
    connection: Connection,
    application: ApplicationDatabase,
    snapshots: SnapshotStore,
    training_set: TrainingSet,
    access: SourceAccess,
    grammar: PostgresGrammar,
) -> Collected:
    """Make the connection's training set what users wrote, checked against its newest snapshot.

    Where the connection's training options allow it, the source is asked about the pairs too,
    within the limits of `access`. If it cannot be asked now, what was not accepted before is not
    accepted either, and the connection is trained again later. Where they do not, `grammar` says
    what of the pairs and proposals PostgreSQL would not parse, and SQLite's own library what SQLite
    would not.

    Raises ApplicationUnavailable, ApplicationRefused, MetadataUnavailable, and UnknownConnection
    when there is no snapshot yet.
    """
    # Here, as the SQL parser takes a third of a second to import and code servers need none.
    from twd_training.examples.checking import check
    from twd_training.examples.healing import settled
    from twd_training.examples.known_tables import KnownTables
    from twd_training.examples.mining import good_answers, read_answers
    from twd_training.examples.past import Past

    connection_id, asks = connection.connection_id, connection.training.explain
    # All is read while the set is held: of two runs at once, the later writes what is newer.
    with training_set.editing(connection_id) as edit, frozen_heap():
        version, snapshot = snapshots.load_newest(connection_id)
        had_some = any(item.source == "user" for item in edit.before.values())
        reading = read_submissions(application, connection_id, had_some=had_some)
        known = KnownTables.of(snapshot)
        past = Past(snapshots, connection_id, version.version, known)
        mined = (
            good_answers(read_answers(application, connection_id), known.names)
            if connection.training.messages
            else []
        )
        checked = [check(one, connection_id, known) for one in (*reading.submissions, *mined)]
        planner, problem = SourcePlanner(access, connection), ""
        refused_by = None if asks else _grammar_of(snapshot, grammar)
        if asks:
            checked, problem = _planned(checked, planner, edit.before)
        elif refused_by:
            checked = _in_grammar(checked, refused_by, known.dialect)
        items = _worth_keeping(
            without_repeats(
                (
                    settled(item, edit.before.get(item.item_id), version.version, known, past)
                    for item in checked
                ),
                known.dialect,
            )
        )
        if asks:
            items, problem = _with_planned_proposals(items, planner, edit.before, problem)
        elif refused_by:
            proposals = (item.proposal for item in items if item.proposal)
            items = _without_proposals(items, _refused(refused_by, proposals))
        # Another marker than the application's: the difference asks for a training.
        marker = f"{reading.marker} unplanned" if problem else reading.marker
        outcome = edit.replace(version.version, items, marker)
    return Collected(reading, items, outcome, version.version, problem, asks)


def _planned(
    items: Sequence[TrainingItem], planner: SourcePlanner, stored: Mapping[UUID, TrainingItem]
) -> tuple[list[TrainingItem], str]:
    """The items with what the source refuses, and why it could not be asked, or ''."""
    asked = [item for item in items if item.kind == "question_sql" and item.accepted]
    problem = ""
    try:
        reasons = planner.refusals(item.content for item in asked)
        refused = {one.item_id: reasons[one.content] for one in asked if one.content in reasons}
    except TwdError as error:
        problem = str(error)
        refused = {item.item_id: _not_asked(item, stored.get(item.item_id)) for item in asked}
    return _without(refused, items), problem


def _without(refused: Mapping[UUID, str], items: Iterable[TrainingItem]) -> list[TrainingItem]:
    """The items, of which those are not accepted that there is a reason for."""
    return [
        replace(item, accepted=False, reason=refused[item.item_id])
        if refused.get(item.item_id)
        else item
        for item in items
    ]


def _grammar_of(snapshot: Snapshot, grammar: PostgresGrammar) -> _Grammar | None:
    """What says which statements the source would not parse; None = nothing of ours does."""
    if snapshot.dialect == "sqlite":
        # Here, as above.
        from twd_shared.sql.sqlite_grammar import refused_by_sqlite

        return refused_by_sqlite
    if snapshot.dialect != "postgresql":
        return None

    def refused(statements: Sequence[str]) -> set[int]:
        with grammar:
            return grammar.refused(statements, snapshot.server_version)

    return refused


def _in_grammar(
    items: Sequence[TrainingItem], refused_by: _Grammar, dialect: str
) -> list[TrainingItem]:
    """The items with what the source's grammar refuses; our parser takes more."""
    asked = [item for item in items if item.kind == "question_sql" and item.accepted]
    refused = _refused(refused_by, (item.content for item in asked))
    reason = f"{_CALLED[dialect]} cannot parse it"
    return _without({one.item_id: reason for one in asked if one.content in refused}, items)


def _refused(refused_by: _Grammar, statements: Iterable[str]) -> frozenset[str]:
    asked = tuple(dict.fromkeys(statements))
    return frozenset(asked[place] for place in refused_by(asked)) if asked else frozenset()


def _worth_keeping(items: Iterable[TrainingItem]) -> tuple[TrainingItem, ...]:
    """All that users taught, and of their messages' answers those that are or were right."""
    return tuple(
        item
        for item in items
        if item.source == "user" or item.accepted or item.accepted_version is not None
    )


def _not_asked(item: TrainingItem, stored: TrainingItem | None) -> str:
    """Why an item is not accepted while its source cannot be asked; '' if it was accepted."""
    if stored is None or stored.content_hash != item.content_hash:
        return "the source could not be asked yet"
    return stored.reason


def _with_planned_proposals(
    items: tuple[TrainingItem, ...],
    planner: SourcePlanner,
    stored: Mapping[UUID, TrainingItem],
    problem: str,
) -> tuple[tuple[TrainingItem, ...], str]:
    """The items without the proposals that the source refuses, and why it could not be asked.

    `problem` is why it could not be asked before, or ''. Until it can, a proposal that is `stored`
    stays: it may be of a version that is kept no more.
    """
    proposals = {item.proposal for item in items if item.proposal}
    try:
        refused = frozenset() if problem else planner.refusals(proposals).keys()
    except TwdError as error:
        problem = str(error)
        refused = frozenset()
    if problem:
        refused = proposals - {item.proposal for item in stored.values()}
    return _without_proposals(items, refused), problem


def _without_proposals(
    items: Iterable[TrainingItem], refused: Container[str]
) -> tuple[TrainingItem, ...]:
    return tuple(replace(item, proposal="") if item.proposal in refused else item for item in items)


def without_repeats(items: Iterable[TrainingItem], dialect: str) -> Iterator[TrainingItem]:
    """The items, whose SQL is of `dialect`, of those that say the same only the first accepted.

    None of them is, while one is in quarantine: what is known to be wrong is wrong for all. Nor is
    an answer to a question that a user taught: whoever taught it may have been given a wrong one.
    """
    judged = [(item, _said(item, dialect)) for item in items]
    quarantined = {said for item, said in judged if item.is_quarantined}
    seen: set[_Said] = set()
    # Users' own come before what their messages' answers teach.
    taught: set[str] = set()
    for item, said in judged:
        _, asked, _ = said
        reason = ""
        if said in quarantined:
            reason = "one that says the same is in quarantine"
        elif said in seen:
            reason = "an earlier one says the same"
        elif item.source == "messages" and asked in taught:
            reason = "a user taught what answers its question"
        if item.accepted and reason:
            # It is right all the same: what breaks the other one later breaks it too.
            is_right = item.source == "user" and said not in quarantined
            right_in = item.accepted_version if is_right else None
            yield replace(item, accepted=False, reason=reason, accepted_version=right_in)
            continue
        if item.accepted:
            seen.add(said)
            if item.kind == "question_sql" and item.source == "user":
                taught.add(asked)
        yield item


def _said(item: TrainingItem, dialect: str) -> _Said:
    # Here, as above.
    from twd_shared.sql.canonical import words_of

    is_prose = item.kind == "documentation"
    words = plain(item.content).split() if is_prose else words_of(item.content, dialect)
    return item.kind, normalised_question(item.question or ""), tuple(words)
