"""Differences of a composite type, attribute by attribute, as a table's columns are compared."""

from __future__ import annotations

from collections.abc import Iterator

from twd_schema.drift.changes import Change
from twd_schema.drift.column_types import type_of, widened
from twd_schema.drift.excerpts import from_to, told_comments
from twd_schema.drift.telling import of_object
from twd_shared.schema_model.models import Column, CompositeType, ObjectKey


def attribute_changes(key: ObjectKey, old: CompositeType, new: CompositeType) -> Iterator[Change]:
    """What came, went or changed of its attributes; `old` is in new names.

    The server's ids are not read of attributes: one that was renamed is gone, and another came.
    """
    before = {item.name: item for item in old.attributes}
    after = {item.name: item for item in new.attributes}
    for name, item in before.items():
        if name not in after:
            type_ = type_of(item)
            what = f"lost its attribute {name} (it was {type_})"
            yield of_object(key, "attribute_removed", what, name, type_)
    for name, item in after.items():
        if name not in before:
            type_ = type_of(item)
            what = f"gained an attribute {name} of type {type_}"
            yield of_object(key, "attribute_added", what, name, after=type_)
        else:
            yield from _attribute(key, before[name], item)
    kept = [name for name in before if name in after]
    order = [name for name in after if name in before]
    if kept != order:
        what = f"has its attributes in another order: {', '.join(order)}"
        yield of_object(key, "changed", what, "", ", ".join(kept), ", ".join(order))


def _attribute(key: ObjectKey, old: Column, new: Column) -> Iterator[Change]:
    one, other = type_of(old), type_of(new)
    if one != other:
        if old.collation == new.collation and widened(old.type, new.type):
            what = f"has the wider type {other} for its attribute {new.name} now: it was {one}"
            yield of_object(key, "changed", what, new.name, one, other)
        else:
            what = f"changed the type of its attribute {new.name} from {one} to {other}"
            yield of_object(key, "attribute_type_changed", what, new.name, one, other)
    if old.comment != new.comment:
        comments = told_comments(old.comment, new.comment)
        what = f"changed the comment on its attribute {new.name}{from_to(*comments)}"
        yield of_object(key, "comment_changed", what, new.name, *comments)
