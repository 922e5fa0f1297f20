"""The card of a table: sentences for people, for search and for a text-to-SQL model.

Pure functions: the same snapshot gives the same cards.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from twd_shared.schema_model.ddl import quote_name
from twd_shared.schema_model.fingerprint import content_fingerprint, object_fingerprint
from twd_shared.schema_model.models import Column, EnumType, ForeignKey, Snapshot, Table
from twd_shared.schema_model.wording import relationship, words
from twd_shared.store.documentation import TableCard

# A comment is somebody's text; one of megabytes must not drown the table's own words.
_LONGEST_COMMENT = 500

_KIND_WORDS = {
    "table": "table",
    "partitioned_table": "partitioned table",
    "view": "view",
    "materialized_view": "materialized view",
    "foreign_table": "foreign table",
}

Reference = tuple[Table, ForeignKey]
"""A table and one of its foreign keys."""


def document_tables(snapshot: Snapshot) -> list[TableCard]:
    """The card of each table of the snapshot, in the snapshot's order."""
    incoming = references_to(snapshot.tables)
    labels = enum_labels(snapshot.enums)
    cards: list[TableCard] = []
    for table in snapshot.tables:
        text = write_card(table, table.columns, incoming[table.schema, table.name], labels)
        cards.append(
            TableCard(
                schema=table.schema,
                table=table.name,
                card=text,
                content_hash=content_fingerprint([text]),
                table_fingerprint=object_fingerprint(table),
            )
        )
    return cards


def write_card(
    table: Table,
    columns: Sequence[Column],
    incoming: Iterable[Reference],
    labels: Mapping[str, tuple[str, ...]],
) -> str:
    """Sentences about `table`, telling only of `columns`; `labels` are enum labels by type name."""
    kind = _KIND_WORDS[table.kind]
    lines = [f"{kind.capitalize()} {table.label}: {words(table.name)}."]
    if table.comment:
        lines.append(_comment(table.comment))
    if columns:
        lines.append("Columns:")
        lines += [column_line(table, column, labels) for column in columns]
    else:
        lines.append("It has no columns.")
    shown = {column.name for column in columns}
    lines += [relationship(table, key) for key in table.foreign_keys if shown & set(key.columns)]
    lines += [
        f"{source.label} refers to it through {_names(key.columns)}." for source, key in incoming
    ]
    return "\n".join(lines)


def column_line(table: Table, column: Column, labels: Mapping[str, tuple[str, ...]]) -> str:
    """One column in a card: name, type, role, the name in words, labels, comment."""
    notes = [column.type]
    if table.primary_key and column.name in table.primary_key.columns:
        notes.append("primary key")
    if not column.nullable:
        notes.append("required")
    line = f"- {column.name} ({', '.join(notes)}): {words(column.name)}"
    if column.type in labels:
        line += f"; one of {', '.join(labels[column.type][:20])}"
    if column.comment:
        line += f"; {_comment(column.comment)}"
    return line


def references_to(tables: Iterable[Table]) -> defaultdict[tuple[str, str], list[Reference]]:
    """The foreign keys of other tables that point to each (schema, table)."""
    incoming: defaultdict[tuple[str, str], list[Reference]] = defaultdict(list)
    for table in tables:
        for key in table.foreign_keys:
            target = (key.referenced_schema, key.referenced_table)
            if target != (table.schema, table.name):
                incoming[target].append((table, key))
    return incoming


def enum_labels(enums: Iterable[EnumType]) -> dict[str, tuple[str, ...]]:
    """Labels by the type name as columns spell it: qualified, and quoted where needed."""
    return {
        f"{quote_name(enum.schema)}.{quote_name(enum.name)}": enum.labels
        for enum in enums
        if enum.labels
    }


def _comment(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST_COMMENT else flat[:_LONGEST_COMMENT].rstrip() + " …"


def _names(names: Iterable[str]) -> str:
    return ", ".join(names)
