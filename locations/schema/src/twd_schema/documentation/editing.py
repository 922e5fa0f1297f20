"""What a person says of a table or column, which is told instead of what a model says."""

from __future__ import annotations

from twd_shared.errors import ConfigurationError, UnknownConnection
from twd_shared.schema_model.models import Snapshot, Table
from twd_shared.schema_model.wording import flat, shown, shown_table
from twd_shared.store.connections import RegisteredConnection
from twd_shared.store.descriptions import DescriptionStore
from twd_shared.store.snapshots import SnapshotStore

LONGEST_TEXT = 2_000
"""Characters of a person's description."""


def edit_description(
    registered: RegisteredConnection,
    label: str,
    column: str,
    text: str,
    snapshots: SnapshotStore,
    descriptions: DescriptionStore,
) -> str:
    """Keep the text as the description of a column, or of the table where `column` is ''.

    `label` is `schema.table` of the newest snapshot. An empty text removes what was kept. Gives a
    sentence on what happens next; raises ConfigurationError if there is no such table or column,
    or the text is too long or no UTF-8, UnknownConnection if the connection is paused, removed or
    never read.
    """
    text = flat(text)
    if len(text) > LONGEST_TEXT:
        raise ConfigurationError(
            f"A description has at most {LONGEST_TEXT} characters; this one has {len(text)}."
        )
    if not _is_utf8(text):
        raise ConfigurationError(
            "The description holds bytes that are no UTF-8. Set the terminal's encoding to UTF-8."
        )
    if not registered.is_active:
        # What was read of it may be forgotten already, and no sync would write the text.
        raise UnknownConnection(
            f"{registered.partition_key} was paused or removed in the application, and is not "
            "documented any more. Activate it there; one that is added again has a name of its own."
        )
    _, snapshot = snapshots.load_newest(registered.connection_id)
    table = _table(registered.partition_key, snapshot, label)
    known = {item.name for item in table.columns}
    if column and column not in known:
        raise ConfigurationError(
            f"{label} has no column {column!r}. It has: {', '.join(sorted(known)) or 'none'}."
        )
    descriptions.edit(registered.connection_id, (table.schema, table.name), column, text)
    what = shown_table(table.schema, table.name) + (f".{shown(column)}" if column else "")
    done = f"{what} is described" if text else f"The description of {what} is removed"
    return (
        f"{done}. The next sync of {registered.partition_key} writes it into the documentation, "
        "and the schema index and the knowledge base follow."
    )


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _table(partition_key: str, snapshot: Snapshot, label: str) -> Table:
    found = [table for table in snapshot.tables if table.label == label]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigurationError(
            f"{label} is the name of {len(found)} tables of {partition_key}, as a dot is part of a "
            "name. Rename one of them in the source."
        )
    # A name without its schema is the usual mistake.
    near = [table.label for table in snapshot.tables if table.name == label.rpartition(".")[2]]
    hint = f" Did you mean {' or '.join(near[:3])}?" if near else " Write it as schema.table."
    raise ConfigurationError(f"{partition_key} has no table {label!r}.{hint}")
