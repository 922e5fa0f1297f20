"""The card of a table: sentences for people, for search and for a text-to-SQL model.

Pure functions: the same snapshot and descriptions give the same bytes. A card's form is a line
for each thing; no name and no comment can add a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from twd_schema.documentation.facts import Descriptions, TableFacts, facts_of
from twd_schema.documentation.revision import card_revision
from twd_schema.documentation.spelling import Spelling, spelling_of
from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.lengths import LONGEST_COMMENT
from twd_shared.schema_model.models import Column, Snapshot, Table, encode
from twd_shared.schema_model.secrets import without_secrets
from twd_shared.schema_model.wording import flat, relationship, shortened, shown, shown_table
from twd_shared.store.documentation import TableCard

# A table that half the database refers to must not drown in its referrers; nor a column in the
# labels of its type. All referrers stand in the payload of the table's points.
_MOST_REFERRERS = 20
_MOST_READ = 50
_MOST_VALUES = 100

_KIND_WORDS = {
    "table": "table",
    "partitioned_table": "partitioned table",
    "view": "view",
    "materialized_view": "materialized view",
    "foreign_table": "foreign table",
}


class Cards:
    """The cards of a snapshot's tables, each written when it is asked for.

    `fingerprints` are of what they are made of, in the snapshot's order.
    """

    def __init__(self, snapshot: Snapshot, descriptions: Descriptions) -> None:
        """`descriptions` are told if their table and column are there."""
        self._facts = facts_of(snapshot, descriptions)
        self._dialect = snapshot.dialect
        self._tables = {(table.schema, table.name): table for table in snapshot.tables}
        self.fingerprints: dict[TableName, str] = {
            name: content_fingerprint(
                (card_revision(), encode(table).decode(), self._facts[name].as_json(table))
            )
            for name, table in self._tables.items()
        }

    def of(self, name: TableName) -> TableCard:
        """The card of one table."""
        table = without_secrets(self._tables[name], self._dialect)
        facts = self._facts[name]
        text = write_card(table, facts, spelling_of(table))
        names = {"", *(column.name for column in table.columns)}
        return TableCard(
            schema=table.schema,
            table=table.name,
            card=text,
            content_hash=content_fingerprint([text]),
            table_fingerprint=self.fingerprints[name],
            descriptions={
                name: facts.descriptions[name] for name in sorted(facts.descriptions.keys() & names)
            },
            categories={
                name: facts.categories[name] for name in sorted(facts.categories.keys() & names)
            },
        )


def document_tables(snapshot: Snapshot, descriptions: Descriptions) -> list[TableCard]:
    """The card of each table of the snapshot, in the snapshot's order; see `Cards`."""
    cards = Cards(snapshot, descriptions)
    return [cards.of(name) for name in cards.fingerprints]


def write_card(
    table: Table, facts: TableFacts, spelling: Spelling, longest_comment: int = LONGEST_COMMENT
) -> str:
    """Sentences about the table; of a comment at most `longest_comment` characters.

    `spelling` is `spelling_of(table)`.
    """
    lines = [title(table, spelling), *about(table, facts, longest_comment)]
    if table.columns:
        lines.append("Columns:")
        lines += column_lines(table, table.columns, facts, spelling, longest_comment)
    else:
        lines.append("It has no columns.")
    lines += [relationship(table, key) for key in facts.keys]
    lines += surroundings(facts)
    return "\n".join(lines)


def title(table: Table, spelling: Spelling) -> str:
    """The first line of a card: what kind of table it is, its name, and that in words."""
    kind = _KIND_WORDS[table.kind].capitalize()
    name = shown_table(table.schema, table.name)
    return f"{kind} {name}: {spelling.table}."


def about(table: Table, facts: TableFacts, longest_comment: int) -> Iterator[str]:
    """What people, a model and the database itself say of the whole table, a line each."""
    yield from _texts(facts.descriptions.get(""), table.comment, longest_comment)


def column_lines(
    table: Table,
    columns: Iterable[Column],
    facts: TableFacts,
    spelling: Spelling,
    longest_comment: int,
) -> Iterator[str]:
    """A line for each column: name, type, role, name in words, values, description, comment."""
    key = table.primary_key.columns if table.primary_key else ()
    for column in columns:
        notes = [flat(column.type)]
        if column.name in key:
            notes.append("primary key")
        if not column.nullable:
            notes.append("required")
        told_of: list[str] = []
        in_words = spelling.columns[column.name]
        if in_words != column.name:
            told_of.append(in_words)
        if values := facts.values_of(column.name, column.type):
            told_of.append(f"one of {_listed(values)}")
        texts = _texts(facts.descriptions.get(column.name), column.comment, longest_comment)
        told_of += (text.removesuffix(".") for text in texts)
        line = f"- {shown(column.name)} ({', '.join(notes)})"
        yield f"{line}: {'; '.join(told_of)}" if told_of else line


def surroundings(facts: TableFacts) -> Iterator[str]:
    """What refers to the table, and what a view reads."""
    for reference in facts.incoming[:_MOST_REFERRERS]:
        source = shown_table(reference.source.schema, reference.source.name)
        yield f"{source} refers to it through {', '.join(map(shown, reference.key.columns))}."
    if (more := len(facts.incoming) - _MOST_REFERRERS) > 0:
        yield f"{more} more foreign keys refer to it."
    if facts.reads:
        names = [shown_table(*name) for name in facts.reads[:_MOST_READ]]
        more = len(facts.reads) - len(names)
        yield f"It reads {', '.join(names)}{f' and {more} more' if more else ''}."


def _texts(description: str | None, comment: str | None, longest_comment: int) -> Iterator[str]:
    if description:
        yield flat(description)
    if comment and (line := shortened(flat(comment), longest_comment)):
        yield line


def _listed(values: Sequence[str]) -> str:
    listed = ", ".join(_value(value) for value in values[:_MOST_VALUES])
    return listed if len(values) <= _MOST_VALUES else f"{listed} …"


def _value(value: str) -> str:
    line = flat(value)
    is_clear = line == value and line and not any(mark in line for mark in ',;"')
    return line if is_clear else '"' + line.replace('"', '""') + '"'
