"""The application's messages as SQL sees them, whatever the types of their columns are.

Belongs here: in which order a conversation was written, when two ids are one, which errors and
results say nothing. Not here: the queries, and what is made of the messages, which stand in the
domain folder that needs them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

from twd_shared.clients.application import ApplicationDatabase, text_of

WHOLE_NUMBERS = ("smallint", "integer", "bigint")
# What tools write that know whole numbers without nulls alone: 7 as 7.0.
_WITH_FRACTION = ("real", "double precision", "numeric")
ANY_NUMBER = (*WHOLE_NUMBERS, *_WITH_FRACTION)
"""How a number's type begins: a precision may stand behind it."""

ERROR_TYPES = ("text", "character", "json")
"""How the type of a column begins that holds an error; of another type it tells nothing."""

# As PostgreSQL and polars understand them.
_NOTHING = r"(?:null|\{\s*\}|\[\s*\])?"
NO_ERROR = rf"^\s*{_NOTHING}\s*$"
"""A pattern of what says that there was no error, also in JSON, where null is not allowed."""
NO_RESULT = r"""^\s*(?:null|"\s*(?:null)?\s*")?\s*$"""
"""A pattern of what says that there is no result: some write JSON into a string of JSON."""

LONGEST_RESULT = 2_000
"""Bytes as they are stored, compressed; a longer result is not looked into, which takes long."""
MAY_FAIL = r'"(error|errors|success)\\*"\s*:'
"""A pattern of a result that `error_in_result` has to be asked about."""

# A view may have a row for each user of a conversation, whose messages count once all the same.
_ONE_ROW_EACH = """
(select id, min(user_id::text) as user_id from conversations group by id) as conversations
"""
# Where no index says so they are counted: it takes less time than a join each time.
_HAVE_ONE_ROW_EACH = """
select exists (
    select from pg_index join pg_attribute on attrelid = indrelid and attnum = indkey[0]
    where indrelid = to_regclass('conversations') and attname = 'id'
      and indisunique and indisvalid and indnkeyatts = 1 and indpred is null
) or not exists (select from conversations group by id having count(*) > 1)
"""
_LABELS_OF_ROLES = """
select array_agg(enumlabel::text) from pg_enum join pg_attribute on atttypid = enumtypid
where attrelid = to_regclass('messages') and attname = 'role'
"""


def decoded(result: str) -> tuple[str, Any]:
    """A result's JSON without the string that some write it into, and its value.

    The value is None of what is no JSON, as it is of null.
    """
    try:
        value = json.loads(result)
        return (value, json.loads(value)) if isinstance(value, str) else (result, value)
    except (ValueError, RecursionError):
        return result, None


def error_in_result(result: str) -> str | None:
    """The result if it is an object in JSON that tells of an error in the place of rows.

    Given without the string that some write it into. None = it is no error.
    """
    result, value = decoded(result)
    if not isinstance(value, dict):
        return None
    errors = (value.get(name) for name in ("error", "errors"))
    failed = value.get("success") is False or any(
        # Python would go over many blanks anew from each of them.
        error and re.fullmatch(_NOTHING, str(error).strip()) is None
        for error in errors
    )
    return result if failed else None


def labels_of_roles(database: ApplicationDatabase) -> list[str] | None:
    """The values of `messages.role` where it is an enum; None where it is not."""
    return database.fetch(_LABELS_OF_ROLES)[0][0]


def has_role(column: str, *roles: str, labels: Collection[str] | None = None) -> str:
    """SQL of whether a message has one of the roles, which some write USER or User.

    As text: an enum is compared with no word that is none of its `labels`. Where these are known
    it is compared as it is, which costs a fifth of that.
    """
    spellings = [spelt(role) for spelt in (str, str.upper, str.capitalize) for role in roles]
    if labels is None:
        return f"{column}::text in ({', '.join(map(repr, spellings))})"
    known = [spelling for spelling in spellings if spelling in labels]
    return f"{column} in ({', '.join(map(repr, known))})" if known else "false"


def counts_up(id_type: str) -> bool:
    """Whether ids of that type tell which of two messages was written first."""
    return id_type in WHOLE_NUMBERS


def order_of_writing(id_type: str) -> str:
    """What to order a conversation's messages by, in SQL, where their ids are of that type.

    All that was written in one transaction may bear one moment. Ids that count up tell its order;
    with others a question comes before its answer.
    """
    if counts_up(id_type):
        return "created_at, id"
    # Not the role by itself: that of an enum is ordered as its values were declared.
    return f"created_at, ({has_role('role', 'assistant')}), id"


def same_id(one: str, type_of_one: str, other: str, type_of_other: str) -> str:
    """SQL of whether two columns of those types hold the same id."""
    kinds = {type_of_one, type_of_other}
    if len(kinds) > 1 and not all(kind.startswith(ANY_NUMBER) for kind in kinds):
        # Ids in a text column beside numbers or UUIDs: PostgreSQL compares none of them.
        one, other = f"{one}::text", f"{other}::text"
    return f"{one} = {other}"


def plain_id(column: str, kind: str) -> str:
    """SQL of an id as text, as a person would write it, where its column is of that type."""
    if kind.startswith(_WITH_FRACTION):
        return rf"regexp_replace({column}::text, '\.0+$', '')"
    return text_of(column, kind)


def conversations_once(application: ApplicationDatabase) -> str:
    """What to join as `conversations`, in SQL, that has one row a conversation: id and user_id.

    Asks the application's database, and may take a moment there: once a run is enough.
    Raises: as `ApplicationDatabase.fetch`.
    """
    have_one_row = application.fetch(_HAVE_ONE_ROW_EACH)[0][0]
    return "conversations" if have_one_row else _ONE_ROW_EACH
