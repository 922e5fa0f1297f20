"""What of a type or routine is nothing to SQL: comments, names of constraints, planner's hints."""

from __future__ import annotations

import re

import msgspec

from twd_schema.drift.changes import RULES, Change
from twd_schema.drift.excerpts import from_to, told_comments
from twd_schema.drift.keys import matched
from twd_schema.drift.telling import of_object
from twd_shared.schema_model.models import (
    Constraint,
    DomainType,
    ObjectKey,
    Routine,
    SchemaObject,
)

_with = msgspec.structs.replace

_HINT = r" (?:PARALLEL \w+|LEAKPROOF|COST \S+|ROWS \S+|SUPPORT \S+)"
# The server writes all options on one line behind the language, or no such line.
_OPTIONS = re.compile(
    rf"^( LANGUAGE [^\n]+\n)((?:{_HINT}| WINDOW| IMMUTABLE| STABLE| STRICT| SECURITY DEFINER)+\n)",
    re.MULTILINE,
)


def formal_changes(
    key: ObjectKey, old: SchemaObject, new: SchemaObject
) -> tuple[list[Change], SchemaObject]:
    """What differs and is nothing to SQL, and the old object with that as it is in the new one."""
    changes: list[Change] = []
    if f"{key[0]}_comment_changed" in RULES and old.comment != new.comment:
        comments = told_comments(old.comment, new.comment)
        what = f"changed its comment{from_to(*comments)}"
        changes.append(of_object(key, "comment_changed", what, "", *comments))
        old = _with(old, comment=new.comment)
    if isinstance(old, DomainType) and isinstance(new, DomainType):
        pairs, gone, _ = matched(old.constraints, new.constraints)
        alike: list[Constraint] = []
        for one, other in pairs:
            changes += _constraint(key, one, other)
            alike.append(_with(one, name=other.name, comment=other.comment))
        constraints = sorted((*alike, *gone), key=lambda item: item.name)
        old = _with(old, constraints=tuple(constraints))
    if isinstance(old, Routine) and isinstance(new, Routine) and _are_hints(old, new):
        what = "changed its costs, or what else it tells the planner"
        changes.append(of_object(key, "hints_changed", what))
        old = _with(old, definition=new.definition)
    return changes, old


def _constraint(key: ObjectKey, old: Constraint, new: Constraint) -> list[Change]:
    changes: list[Change] = []
    if old.name != new.name:
        what = f"has its constraint {old.name} renamed to {new.name}"
        changes.append(of_object(key, "constraint_renamed", what, "", old.name, new.name))
    if old.comment != new.comment:
        comments = told_comments(old.comment, new.comment)
        what = f"changed the comment on its constraint {new.name}{from_to(*comments)}"
        changes.append(of_object(key, "comment_changed", what, "", *comments))
    return changes


def _are_hints(old: Routine, new: Routine) -> bool:
    """Whether only what the planner reads differs in the two definitions."""
    one, other = old.definition, new.definition
    return one != other and _unhinted(one) == _unhinted(other)


def _unhinted(definition: str) -> str:
    """A routine's statement without what only the planner reads."""

    def bare(found: re.Match[str]) -> str:
        options = re.sub(_HINT, "", found[2])
        return found[1] + (options if options.strip() else "")

    return _OPTIONS.sub(bare, definition, count=1)
