"""Values of the training set. No I/O and no parsing belongs here."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Literal

Kind = Literal["ddl", "documentation", "question_sql"]
Origin = Literal["user", "messages"]
"""Who taught it: a user on purpose, or a good answer to a user."""
KINDS: tuple[Kind, ...] = ("ddl", "documentation", "question_sql")
LONGEST_TEXT = 100_000
"""Characters of a question or of what is taught; what is longer is rejected."""

# The namespace of our item ids; frozen, as another one would make every item a new one.
_NAMESPACE = uuid.UUID("0b7d4f57-9a0c-5e0e-8f5d-3c1f6b1f7a42")


@dataclass(frozen=True, slots=True)
class Submission:
    """What somebody taught in the application; `source_id` is its id there."""

    source_id: str
    kind: Kind
    question: str | None
    content: str
    source: Origin = "user"


@dataclass(frozen=True, slots=True)
class TrainingItem:
    """A checked submission; `tables` are `schema.table` labels, `names` all that it needs.

    `reason` says why it is not accepted. One that was accepted as it stands (last with the snapshot
    `accepted_version`) and fits no more is in quarantine since the snapshot `quarantined_since`;
    `proposal` is its SQL in today's names, where renames explain what happened.
    """

    item_id: uuid.UUID
    kind: Kind
    question: str | None
    content: str
    content_hash: str
    tables: tuple[str, ...]
    accepted: bool
    reason: str = ""
    names: tuple[str, ...] = ()
    accepted_version: int | None = None
    quarantined_since: int | None = None
    proposal: str = ""
    source: Origin = "user"

    @property
    def is_quarantined(self) -> bool:
        """Whether it was right once, and a change of the schema made it wrong."""
        return self.quarantined_since is not None


def item_id(connection_id: str, source_id: str) -> uuid.UUID:
    """UUIDv5 of (connection, row of the application): an edited row stays the same item."""
    return uuid.uuid5(_NAMESPACE, f"{len(connection_id)}:{connection_id}{source_id}")
