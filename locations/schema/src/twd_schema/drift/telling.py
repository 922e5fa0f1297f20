"""Changes from what they are about: each with the severity of its rule and a whole sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from twd_schema.drift.changes import RULES, Change, Evidence
from twd_shared.schema_model.models import ObjectKey, Table

WORDS: dict[str, str] = {
    "table": "Table",
    "partition": "Partition",
    "enum": "Enum",
    "domain": "Domain",
    "composite": "Composite type",
    "range": "Range type",
    "sequence": "Sequence",
    "routine": "Routine",
    "extension": "Extension",
    "namespace": "Schema",
    "collation": "Collation",
}


def of_table(
    table: Table, rule: str, sentence: str, part: str = "", before: str = "", after: str = ""
) -> Change:
    """A change of a table as a whole, or of a constraint or index in it (`part`)."""
    return Change(
        rule=rule,
        severity=RULES[rule],
        object_kind="table",
        schema=table.schema,
        name=table.name,
        subject=f"{table.label}.{part}" if part else table.label,
        sentence=sentence,
        before=before,
        after=after,
    )


def of_column(
    table: Table,
    column: str,
    rule: str,
    what: str,
    before: str | None = "",
    after: str | None = "",
    evidence: Evidence | Literal[""] = "",
) -> Change:
    """A change of a table's column; `what` goes on with the sentence that names it."""
    return Change(
        rule=rule,
        severity=RULES[rule],
        object_kind="table",
        schema=table.schema,
        name=table.name,
        subject=f"{table.label}.{column}",
        sentence=f"Column {table.label}.{before if evidence else column} {what}.",
        member=column,
        before=before or "",
        after=after or "",
        evidence=evidence,
    )


def of_object(
    key: ObjectKey,
    verb: str,
    what: str,
    member: str = "",
    before: str = "",
    after: str = "",
    evidence: Evidence | Literal[""] = "",
) -> Change:
    """A change of any other object, or of a label in it; `what` goes on with the sentence."""
    kind, schema, name = key
    rule = f"{kind}_{verb}"
    label = label_of(key)
    return Change(
        rule=rule,
        severity=RULES[rule],
        object_kind=kind,  # pyright: ignore[reportArgumentType]
        schema=schema,
        name=name,
        subject=label,
        sentence=f"{WORDS[kind]} {before if evidence and not member else label} {what}.",
        member=member,
        before=before,
        after=after,
        evidence=evidence,
    )


def label_of(key: ObjectKey) -> str:
    """How people call an object: schema.name, and a schema by its name alone."""
    kind, schema, name = key
    return name if kind == "namespace" else f"{schema}.{name}"


def joined(words: Sequence[str]) -> str:
    """The words as a sentence lists them: "a, b and c"."""
    return " and ".join([", ".join(words[:-1]), *words[-1:]] if len(words) > 1 else words)


def renamed_to(name: str, evidence: Evidence) -> str:
    """What is said of something that got another name."""
    if evidence == "similarity":
        return f"was probably renamed to {name}, which looks like it"
    return f"was renamed to {name}"


def written_before(name: str) -> str:
    """What is said of something whose name only has letters in another case."""
    return f"was written {name} before: SQL finds it by both names"
