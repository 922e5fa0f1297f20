"""What is told of breaking changes and of their end: messages for people, made purely.

More than `MOST_SINGLE` at once make one message: nobody reads two hundred.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import quote

from twd_schema.drift.changes import Change
from twd_shared.schema_model.wording import counted, flat
from twd_shared.store.alerts import Alert

MOST_SINGLE = 10
MOST_LISTED = 30

_REMEDIES = {
    "table_removed": "Stop using it in queries and training items, or bring it back.",
    "table_renamed": "Use its new name, {after}, in queries and training items.",
    "column_removed": "Stop using it in queries and training items, or bring it back.",
    "column_renamed": "Use its new name, {after}, in queries and training items.",
    "view_unreadable": "Bring back what it reads, or write the view anew.",
    **dict.fromkeys(
        ("column_type_changed", "composite_attribute_type_changed"),
        "Check what compares it, joins on it or casts it.",
    ),
    **dict.fromkeys(
        ("enum_renamed", "domain_renamed", "composite_renamed", "range_renamed"),
        "Use its new name, {after}, where queries cast to it.",
    ),
    "enum_label_removed": "Stop comparing with this label, or bring it back.",
    "enum_label_renamed": "Compare with its new name, {after}.",
}
_REMEDY_OF_OTHERS = "Stop using it in queries, or bring it back."
_REMEDY_OF_LOST_COLUMNS = (
    "Use its new name, {after}, in queries and training items that need what its old name lacks."
)
_REMEDY_OF_MANY = "Correct the queries and training items that use what changed, or undo it."
_UNTIL_ITS_END = " A message follows when it is undone."
_UNTIL_AN_END = " A message follows when one is undone."

_REMEDY_OF_ADAPTED = "What to do: change back what was adapted to it meanwhile."


def change_key(connection_id: str, change: Change, to_version: int, taken: str) -> str:
    """The key of a change's alert: the same however often a sync is tried.

    `taken` says when the version was read: versions begin anew where a history was forgotten.
    """
    # Names may hold whatever separates them here.
    parts = (change.schema, change.name, change.member)
    subject = "/".join(quote(part, safe="") for part in parts)
    return f"breaking-change:{quote(connection_id)}:{change.rule}:{subject}:{to_version}:{taken}"


def breaking_alerts(
    database: str,
    changes: Mapping[str, Change],
    endless: Collection[str],
    consequences: Mapping[Change, str],
    link: str,
) -> tuple[Alert, ...]:
    """The messages of new breaking changes, given by their keys.

    `database` is the partition key; `consequences` says whom a change hits, for those known. That
    the `endless` ones are undone is never told.
    """
    if len(changes) <= MOST_SINGLE:
        return tuple(
            Alert(
                key=key,
                severity="breaking",
                title=flat(f"{database}: breaking schema change of {_both_names(change)}"),
                body=_lines(
                    change.sentence,
                    f"For whom: {consequences[change]}" if change in consequences else "",
                    f"What to do: {_remedy(change)}{'' if key in endless else _UNTIL_ITS_END}",
                ),
                link=link,
                database=database,
            )
            for key, change in changes.items()
        )
    will_end = any(key not in endless for key in changes)
    entries = [
        f"{change.sentence} For whom: {consequences[change]}"
        if change in consequences
        else change.sentence
        for change in changes.values()
    ]
    return (
        Alert(
            key=_key_of_many("breaking-changes", tuple(changes)),
            severity="breaking",
            title=f"{database}: {len(changes)} breaking schema changes",
            body=_lines(
                *_listed(entries),
                f"What to do: {_REMEDY_OF_MANY}{_UNTIL_AN_END if will_end else ''}",
            ),
            link=link,
            database=database,
        ),
    )


def recovery_alerts(
    database: str, changes: Mapping[str, Change], version: int, link: str
) -> tuple[Alert, ...]:
    """The messages of breaking changes that are undone since this version, given by their keys."""
    if len(changes) <= MOST_SINGLE:
        return tuple(
            Alert(
                key=f"recovered:{key}",
                severity="recovered",
                title=flat(f"recovered: {database}: {_old_name(change)}"),
                body=_lines(
                    f"What broke is undone since version {version} of the schema of {database}.",
                    f"It had been told: {change.sentence}",
                    _REMEDY_OF_ADAPTED if change.after else "",
                ),
                link=link,
                database=database,
            )
            for key, change in changes.items()
        )
    return (
        Alert(
            key=_key_of_many("recovered-changes", tuple(changes)),
            severity="recovered",
            title=f"recovered: {database}: {len(changes)} breaking schema changes are undone",
            body=_lines(
                f"What broke is undone since version {version} of the schema. It had been told:",
                *_listed([change.sentence for change in changes.values()]),
            ),
            link=link,
            database=database,
        ),
    )


def _old_name(change: Change) -> str:
    """What a change is about, by the name that SQL knew."""
    if change.rule == "column_renamed":
        return f"{change.label}.{change.before}"
    is_renamed = change.rule == f"{change.object_kind}_renamed"
    return change.before if is_renamed else change.subject


def _both_names(change: Change) -> str:
    old, likely = _old_name(change), "probably " if change.evidence == "similarity" else ""
    if old == change.subject:
        return old
    # Its old name means another table, which lacks them.
    lost = f" ({counted(len(change.columns), 'column')} lost)" if change.columns else ""
    return f"{old}, {likely}renamed to {change.after}{lost}"


def _remedy(change: Change) -> str:
    if change.rule == "table_renamed" and change.columns:
        return _REMEDY_OF_LOST_COLUMNS.replace("{after}", change.after)
    after = change.after or "as above"
    return _REMEDIES.get(change.rule, _REMEDY_OF_OTHERS).replace("{after}", after)


def _listed(entries: Sequence[str]) -> list[str]:
    lines = [f"- {entry}" for entry in entries[:MOST_LISTED]]
    if len(entries) > MOST_LISTED:
        lines.append(f"- … and {len(entries) - MOST_LISTED} more")
    return lines


def _lines(*lines: str) -> str:
    # A name may hold line breaks, or turn the direction of what follows: it must not end its own
    # line, nor change how that is read.
    return "\n".join(flat(line) for line in lines if line)


def _key_of_many(prefix: str, keys: Sequence[str]) -> str:
    digest = hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()
    return f"{prefix}:{digest[:32]}"
