"""What an index is asked when it is scored: what users asked, then questions made of names."""

from __future__ import annotations

from twd_shared.retrieval.questions import LabelledQuestion, generated_questions, language_of
from twd_shared.schema_model.models import Snapshot
from twd_shared.store.accepted_questions import accepted_questions
from twd_shared.store.database import MetadataDatabase

_MOST = 100


def asked_of(
    database: MetadataDatabase, connection_id: str, snapshot: Snapshot
) -> list[LabelledQuestion]:
    """A hundred questions of the connection at most, each with the tables that answer it.

    Users' accepted ones come first, as far as all their tables are in the snapshot; generated ones
    fill up. Each text is asked once.
    """
    labels = {table.label for table in snapshot.tables}
    asked = {
        item.question: LabelledQuestion(
            item.question,
            frozenset(item.tables),
            "user",
            language_of(item.question),
            item.sql,
        )
        for item in accepted_questions(database, connection_id, _MOST)
        if item.tables and labels.issuperset(item.tables)
    }
    for question in generated_questions(snapshot, _MOST):
        asked.setdefault(question.text, question)
    return list(asked.values())[:_MOST]
