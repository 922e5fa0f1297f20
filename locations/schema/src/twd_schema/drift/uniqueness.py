"""Whether a table still forbids the equal rows that a unique index forbade."""

from __future__ import annotations

import re

from twd_shared.schema_model.ddl.names import quote_names
from twd_shared.schema_model.models import Index, Table

_ON = re.compile(r"\bon\b", re.IGNORECASE)
# What a definition says besides which rows are equal. MySQL writes the last three.
_BESIDES = re.compile(
    r" (?:desc|asc|nulls (?:first|last))\b| comment '.*\Z| (?:ignored|invisible)\Z",
    re.IGNORECASE | re.DOTALL,
)


def stays_unique(index: Index, table: Table) -> bool:
    """Whether a key or unique index of the table forbids at least as much as a unique index did.

    A key with a definition of its own may be deferrable.
    """
    keys = ((table.primary_key,) if table.primary_key else ()) + table.unique_constraints
    return (
        _is_of_columns(index)
        and any(key.definition is None and set(key.columns) <= set(index.columns) for key in keys)
    ) or any(other.unique and _forbids_as_much(other, index) for other in table.indexes)


def _forbids_as_much(now: Index, before: Index) -> bool:
    if now.predicate not in (None, before.predicate):
        return False
    if _is_of_columns(now) and _is_of_columns(before):
        return set(now.columns) <= set(before.columns)
    return now.columns == before.columns and _compared(now) == _compared(before)


def _is_of_columns(index: Index) -> bool:
    """Whether it is on nothing but columns, as each is compared: any other may forbid more."""
    listed = f"USING btree ({quote_names(index.columns)})"
    definition = _BESIDES.sub("", index.definition or "")
    return listed in definition and " NULLS NOT DISTINCT" not in definition


def _compared(index: Index) -> str:
    """The definition without the index's name and its condition."""
    told = _ON.split(index.definition or "", maxsplit=1)[-1]
    return _BESIDES.sub("", told.removesuffix(f" WHERE {index.predicate}"))
