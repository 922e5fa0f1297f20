"""Documenting one connection: cards from its newest snapshot, and what people and a model say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from twd_schema.documentation.cards import Cards
from twd_schema.documentation.describing import Described, LanguageModel, describe_tables
from twd_schema.documentation.facts import Descriptions, facts_of
from twd_schema.documentation.turns import last_moment
from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.models import Snapshot, Table
from twd_shared.schema_model.wording import counted
from twd_shared.store.descriptions import DescriptionStore
from twd_shared.store.documentation import DocumentationStore, StoredCard
from twd_shared.store.snapshots import SnapshotStore


@dataclass(frozen=True, slots=True)
class Documented:
    """The cards of snapshot `version`, and how many of their tables who described.

    `example` is the card of the first table, or '' where there is none.
    `problem` is why the language model described less than it was asked, or ''.
    """

    version: int
    cards: Mapping[TableName, StoredCard]
    example: str
    by_model: int
    by_people: int
    not_described: int
    asked_now: int
    cached: int
    problem: str

    @property
    def content_hash(self) -> str:
        """Fingerprint of all cards."""
        return content_fingerprint(card.content_hash for card in self.cards.values())


def document_connection(
    connection_id: str,
    snapshots: SnapshotStore,
    documentation: DocumentationStore,
    descriptions: DescriptionStore,
    model: LanguageModel | None,
    *,
    verify: bool = False,
) -> Documented:
    """Write the cards of the newest snapshot; with a `model`, ask it about what it has not seen.

    A card stays as long as its table and all that is told of it are as they were, unless `verify`
    asks for each to be compared. What a person wrote of a table or column is told, and never what
    the model says of it. Raises the errors of the stores; a model that fails is told in `problem`.
    """
    until = last_moment()
    while True:
        version, schema = snapshots.load_newest(connection_id)
        # The few values of columns are kept apart, as they change without a new version.
        snapshot = msgspec.structs.replace(schema, statistics=snapshots.statistics(connection_id))
        described, people, told = gathered(connection_id, snapshot, descriptions, model, until)
        newest = snapshots.newest(connection_id)
        if newest is None or newest.version <= version.version:
            break
        # Another run was quicker than the model. What it answered is kept.
    cards = Cards(snapshot, told)
    stored = documentation.replace(
        connection_id, version.version, cards.fingerprints, cards.of, verify=verify
    )
    by_people = sum(_describe(people, table) for table in snapshot.tables)
    return Documented(
        version=version.version,
        cards=stored,
        example=next((cards.of(table).card for table in stored), ""),
        by_model=len(described.texts),
        by_people=by_people,
        not_described=sum(not card.is_described for card in stored.values()),
        asked_now=described.answered + described.malformed,
        cached=described.cached,
        problem=_problem(described),
    )


def gathered(
    connection_id: str,
    snapshot: Snapshot,
    descriptions: DescriptionStore,
    model: LanguageModel | None,
    until: float,
) -> tuple[Described, Descriptions, Descriptions]:
    """What the model says of the snapshot's tables, what people say, and what is told of both.

    A `model` is asked about what it has not seen, `until` that moment. Raises the errors of the
    store.
    """
    described = Described({})
    if model:
        facts = facts_of(snapshot, {})
        tables = [(table, facts[table.schema, table.name]) for table in snapshot.tables]
        described = describe_tables(connection_id, tables, model, descriptions, until)
    # Read last: what a person writes while the model is asked must not wait for the next time.
    people = descriptions.of_people(connection_id)
    told = {
        name: {**described.texts.get(name, {}), **people.get(name, {})}
        for name in described.texts.keys() | people.keys()
    }
    return described, people, told


def _describe(people: Descriptions, table: Table) -> bool:
    names = {"", *(column.name for column in table.columns)}
    return not names.isdisjoint(people.get((table.schema, table.name), ()))


def _problem(described: Described) -> str:
    problems = [described.problem] if described.problem else []
    if described.malformed:
        problems.append(
            "The language model gave a malformed answer twice for "
            f"{counted(described.malformed, 'table')}, which it is asked about again next time. "
            "Another model (TWD_LLM_MODEL) may do better."
        )
    return " ".join(problems)
