"""The application's messages as SQL sees them, whatever the types of their columns are.

Belongs here: in which order a conversation was written, and when two ids are one. Not here: the
queries, and what is made of the messages, which stand in the domain folder that needs them.
"""

from __future__ import annotations

ANY_NUMBER = ("smallint", "integer", "bigint", "real", "double precision", "numeric")
"""How a number's type begins: a precision may stand behind it."""

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


def same_id(one: str, type_of_one: str, other: str, type_of_other: str) -> str:
    """SQL of whether two columns of those types hold the same id."""
    kinds = {type_of_one, type_of_other}
    if len(kinds) > 1 and not all(kind.startswith(ANY_NUMBER) for kind in kinds):
        # Ids in a text column beside numbers or UUIDs: PostgreSQL compares none of them.
        one, other = f"{one}::text", f"{other}::text"
    return f"{one} = {other}"
