"""The application's messages as SQL sees them, whatever the types of their columns are.

Belongs here: in which order a conversation was written. Not here: the queries, and what is made of
the messages, which stand in the domain folder that needs them.
"""

from __future__ import annotations

_COUNTING = ("smallint", "integer", "bigint")


def counts_up(id_type: str) -> bool:
    """Whether ids of that type tell which of two messages was written first."""
    return id_type in _COUNTING


def order_of_writing(id_type: str) -> str:
    """What to order a conversation's messages by, in SQL, where their ids are of that type.

    All that was written in one transaction may bear one moment. Ids that count up tell its order;
    with others a question comes before its answer.
    """
    if counts_up(id_type):
        return "created_at, id"
    # Not the role by itself: that of an enum is ordered as its values were declared.
    return "created_at, (role = 'assistant'), id"
