"""Whether a version holds what it was to be made of, told without asking it anything.

Pure functions. What must be there is told from the inputs once more, not by the code that made the
documents: a fault there would else judge itself.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from twd_shared.schema_model.ddl.names import quote_name
from twd_shared.schema_model.keys import keys_of_tables
from twd_shared.schema_model.lengths import LONGEST_DDL
from twd_shared.schema_model.models import Table
from twd_shared.schema_model.wording import relationship
from twd_training.examples.models import TrainingItem
from twd_training.knowledge_base.collections import Stored
from twd_training.knowledge_base.documents import Document
from twd_training.knowledge_base.material import Material

Rule = Literal[
    "documents_missing",
    "text_shortened",
    "content_altered",
    "vectors_foreign",
    "scores_fell",
    "scores_low",
]

SAMPLE = 16
"""Documents whose vectors are compared with what the model gives now."""

_LEAST_COSINE = 0.999
_WORD = re.compile(r"[\w$]+")
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a version: by which rule, and a clause for people."""

    rule: Rule
    text: str


def missing_documents(material: Material, live: Mapping[str, Stored]) -> list[Finding]:
    """Kinds of documents of which some are not there although their inputs are.

    `live` is what the version that is served holds.
    """
    present = {(one.part, one.source, one.text) for one in material.documents}
    texts = {(one.part, one.searchable) for one in material.documents}
    tables = [table for table in material.snapshot.tables if _has_statements(table)]
    described = {
        table for one in material.documents if one.source == "schema" for table in one.tables
    }
    labels = {(table.schema, table.name): table.label for table in material.snapshot.tables}
    without_ddl = [table.label for table in tables if table.label not in described]
    without_card = [
        labels[card.schema, card.table]
        for card in material.cards
        if (card.schema, card.table) in labels
        and ("documentation", "card", card.card) not in present
    ]
    keys = keys_of_tables(material.snapshot)
    sentences = {
        relationship(table, key)
        for table in material.snapshot.tables
        for key in keys[table.schema, table.name]
    }
    without_sentence = [text for text in sentences if ("documentation", text) not in texts]
    # Two pairs may be one text, which is there once.
    taught = {(_part_of(item.kind), _text_of(item)) for item in material.items}
    untaught = [text for part, text in taught if (part, text) not in texts]
    findings = [
        *_missing("the DDL", without_ddl, len(tables), "tables"),
        *_missing("the card", without_card, len(material.cards), "tables"),
        # What a user wrote, and a sentence made of it, is not for the eyes of all.
        *_missing("the sentence", without_sentence, len(sentences), "relationships", named=False),
        *_missing("the document", untaught, len(taught), "accepted items", named=False),
    ]
    cards = sum(one.source == "card" for one in live.values())
    if cards and tables and not material.cards:
        findings.append(
            Finding(
                "documents_missing",
                f"the documentation holds no card of any of {len(tables)} tables, where the "
                f"version that is served has {cards}",
            )
        )
    return findings


def shortened_ddl(material: Material) -> list[Finding]:
    """Tables whose DDL does not name each of their columns.

    A view's text need not, nor one that was cut as it was of megabytes.
    """
    texts: dict[str, list[str]] = defaultdict(list)
    for document in material.documents:
        if document.source == "schema":
            for label in document.tables:
                texts[label].append(document.text)
    dialect = material.snapshot.dialect
    shortened = [
        table.label
        for table in material.snapshot.tables
        if not table.is_view and table.label in texts
        for text in ["\n".join(texts[table.label])]
        if not _may_be_cut(text) and not _names_columns(text, table, dialect)
    ]
    if not shortened:
        return []
    tables = sum(not table.is_view for table in material.snapshot.tables)
    return [
        Finding(
            "text_shortened",
            f"the DDL of {len(shortened)} of {tables} tables lacks columns ({_some(shortened)})",
        )
    ]


def altered_content(
    expected: Mapping[str, dict[str, Any]], found: Mapping[str, dict[str, Any]], part: str
) -> list[Finding]:
    """Points of a part that are not, to the letter, what was written; both by the point's id."""
    altered = sum(found.get(key) != payload for key, payload in expected.items())
    foreign = len(found.keys() - expected.keys())
    if not altered and not foreign:
        return []
    return [
        Finding(
            "content_altered",
            f"of {len(expected)} documents in part {part}, {altered} are not read back as they "
            f"were written, and {foreign} are there that were not",
        )
    ]


def vector_sample(documents: Iterable[Document], taken_over: Iterable[str]) -> list[Document]:
    """At most `SAMPLE` documents, the same for the same content, in turn from each kind.

    Those with a hash in `taken_over` are kinds of their own, so that old vectors are always in it.
    """
    old = frozenset(taken_over)
    kinds: dict[tuple[bool, str, str], list[Document]] = defaultdict(list)
    for document in sorted(documents, key=lambda one: one.content_hash):
        kinds[document.content_hash in old, document.part, document.source].append(document)
    chosen: list[Document] = []
    place = 0
    while len(chosen) < SAMPLE and any(len(of_kind) > place for of_kind in kinds.values()):
        chosen += [kinds[key][place] for key in sorted(kinds) if len(kinds[key]) > place]
        place += 1
    return chosen[:SAMPLE]


def foreign_vectors(
    stored: Sequence[Sequence[float] | None], given: Sequence[Sequence[float]]
) -> list[Finding]:
    """Whether stored vectors are what the model gives now for the same texts, in their order."""
    cosines = [_cosine(one, other) for one, other in zip(stored, given, strict=True)]
    foreign = [value for value in cosines if value < _LEAST_COSINE]
    if not foreign:
        return []
    return [
        Finding(
            "vectors_foreign",
            f"{len(foreign)} of {len(cosines)} vectors that were looked at are not what the model "
            f"gives now for their texts (cosine down to {min(foreign):.3f})",
        )
    ]


def duplicate_vectors(given: Sequence[Sequence[float]]) -> list[Finding]:
    """Whether the model gives one vector for all of several different texts."""
    if len(given) < 2 or min(_cosine(given[0], one) for one in given) < 1 - 1e-6:
        return []
    return [Finding("vectors_foreign", f"the model gives one vector for {len(given)} texts")]


def sources_of(documents: Iterable[Document | Stored]) -> Counter[str]:
    """How many documents there are of each source."""
    return Counter(document.source for document in documents)


def _missing(
    what: str, missing: Sequence[str], total: int, of: str, named: bool = True
) -> list[Finding]:
    if not missing:
        return []
    some = f" ({_some(missing)})" if named else ""
    return [
        Finding("documents_missing", f"{what} of {len(missing)} of {total} {of} is missing{some}")
    ]


def _some(names: Sequence[str]) -> str:
    more = ", …" if len(names) > _MOST_NAMED else ""
    return ", ".join(sorted(names)[:_MOST_NAMED]) + more


def _has_statements(table: Table) -> bool:
    # A view whose text was not shown to the role that reads has none.
    return not table.is_view or table.definition is not None


def _may_be_cut(text: str) -> bool:
    # Between words, of which the last may be a long one.
    return len(text) > LONGEST_DDL // 2 and text.endswith(" …")


def _names_columns(text: str, table: Table, dialect: str) -> bool:
    words = frozenset(_WORD.findall(text))
    return all(
        # Whole words: `id` also stands in `customer_id`.
        column.name in words
        if _WORD.fullmatch(column.name)
        else quote_name(column.name, dialect) in text
        for column in table.columns
    )


def _text_of(item: TrainingItem) -> str:
    """What readers are to be shown of an item; of a pair as Vanna 0.7.9 words it."""
    if item.kind != "question_sql":
        return item.content
    return f"Question: {item.question}\n\nSQL: {item.content}"


def _part_of(kind: str) -> str:
    return "sql" if kind == "question_sql" else kind


def _cosine(one: Sequence[float] | None, other: Sequence[float]) -> float:
    if one is None or len(one) != len(other):
        return 0.0
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / ((math.hypot(*one) * math.hypot(*other)) or 1.0)
