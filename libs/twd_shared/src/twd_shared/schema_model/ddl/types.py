"""The statements of what is no table: types, sequences, routines, collations, schemas.

PostgreSQL's alone: no other dialect that is read tells of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from twd_shared.schema_model.ddl.constraints import is_validated, named
from twd_shared.schema_model.ddl.names import comment_on, literal, qualified, quote_name
from twd_shared.schema_model.models import (
    Collation,
    CompositeType,
    DomainType,
    EnumType,
    Extension,
    Namespace,
    OtherObject,
    RangeType,
    Routine,
    Sequence,
    Table,
)


def object_statements(item: OtherObject) -> Iterator[str]:
    """Statements that create the object and its comments; an identity's sequence has none."""
    match item:
        case Namespace():
            name = quote_name(item.name)
            yield f"CREATE SCHEMA IF NOT EXISTS {name}"
            if item.name == "public" and not item.comment:
                # A new database has it with a comment, unlike one that was dropped and made again.
                yield f"COMMENT ON SCHEMA {name} IS NULL"
            yield from _comment(f"SCHEMA {name}", item.comment)
        case Extension():
            name = quote_name(item.name)
            yield f"CREATE EXTENSION IF NOT EXISTS {name} WITH SCHEMA {quote_name(item.schema)}"
            yield from _comment(f"EXTENSION {name}", item.comment)
        case Collation():
            name = qualified(item.schema, item.name)
            yield f"CREATE COLLATION {name} ({', '.join(_collation_options(item))})"
            yield from _comment(f"COLLATION {name}", item.comment)
        case EnumType():
            name = qualified(item.schema, item.name)
            yield f"CREATE TYPE {name} AS ENUM ({', '.join(literal(x) for x in item.labels)})"
            yield from _comment(f"TYPE {name}", item.comment)
        case RangeType():
            name = qualified(item.schema, item.name)
            yield f"CREATE TYPE {name} AS RANGE ({', '.join(item.options)})"
            yield from _comment(f"TYPE {name}", item.comment)
        case CompositeType():
            yield from _composite(item)
        case DomainType():
            yield from _domain(item)
        case Routine():
            yield item.definition
            kind = "AGGREGATE" if item.kind == "aggregate" else "ROUTINE"
            arguments = item.arguments or ("*" if item.kind == "aggregate" else "")
            name = f"{kind} {qualified(item.schema, item.name)}({arguments})"
            yield from _comment(name, item.comment)
        case Sequence():
            if not item.identity:
                name = qualified(item.schema, item.name)
                kind = "UNLOGGED SEQUENCE" if item.unlogged else "SEQUENCE"
                yield f"CREATE {kind} {name} AS {item.type} {sequence_options(item)}"


def ownership_statements(
    item: Sequence, kinds: Mapping[tuple[str, str, str], tuple[str, bool]]
) -> Iterator[str]:
    """Statements that tie a sequence to its column, once the table is there.

    `kinds` is what `identity_kinds` tells of the tables.
    """
    name = qualified(item.schema, item.name)
    if item.owner:
        table = qualified(item.owner.schema, item.owner.table)
        column = quote_name(item.owner.column)
        if item.identity:
            kind, is_unlogged = kinds[item.owner.schema, item.owner.table, item.owner.column]
            yield (
                f"ALTER TABLE {table} ALTER COLUMN {column} ADD GENERATED {kind} AS IDENTITY "
                f"(SEQUENCE NAME {name} {sequence_options(item)})"
            )
            if item.unlogged != is_unlogged:
                # It is made like its table.
                yield f"ALTER SEQUENCE {name} SET {'UNLOGGED' if item.unlogged else 'LOGGED'}"
        else:
            yield f"ALTER SEQUENCE {name} OWNED BY {table}.{column}"
    yield from _comment(f"SEQUENCE {name}", item.comment)


def identity_kinds(tables: Iterable[Table]) -> dict[tuple[str, str, str], tuple[str, bool]]:
    """ALWAYS or BY DEFAULT, and whether the table is unlogged, by (schema, table, column)."""
    return {
        (table.schema, table.name, column.name): (column.identity.upper(), table.unlogged)
        for table in tables
        for column in table.columns
        if column.identity
    }


def sequence_options(item: Sequence) -> str:
    """START, INCREMENT, limits, CACHE and CYCLE of a sequence."""
    return (
        f"START WITH {item.start} INCREMENT BY {item.increment} MINVALUE {item.minimum} "
        f"MAXVALUE {item.maximum} CACHE {item.cache}" + (" CYCLE" if item.cycle else "")
    )


def _collation_options(item: Collation) -> Iterator[str]:
    yield f"provider = {item.provider}"
    if item.ctype is None:
        yield f"locale = {literal(item.locale)}"
    else:
        yield f"lc_collate = {literal(item.locale)}, lc_ctype = {literal(item.ctype)}"
    if not item.deterministic:
        yield "deterministic = false"
    if item.rules is not None:
        yield f"rules = {literal(item.rules)}"


def _composite(item: CompositeType) -> Iterator[str]:
    name = qualified(item.schema, item.name)
    lines = ",\n".join(
        f"    {quote_name(column.name)} {column.type}"
        + (f" COLLATE {column.collation}" if column.collation else "")
        for column in item.attributes
    )
    yield f"CREATE TYPE {name} AS (\n{lines}\n)"
    yield from _comment(f"TYPE {name}", item.comment)
    for column in item.attributes:
        yield from _comment(f"COLUMN {name}.{quote_name(column.name)}", column.comment)


def _domain(item: DomainType) -> Iterator[str]:
    name = qualified(item.schema, item.name)
    parts = [f"CREATE DOMAIN {name} AS {item.type}"]
    if item.collation:
        parts.append(f"COLLATE {item.collation}")
    if item.default is not None:
        parts.append(f"DEFAULT {item.default}")
    if not item.nullable and all(check.definition != "NOT NULL" for check in item.constraints):
        parts.append("NOT NULL")
    checks = [(named(check.name, check.definition), check) for check in item.constraints]
    parts += [text for text, check in checks if is_validated(check.definition)]
    yield "\n    ".join(parts)
    for text, check in checks:
        if not is_validated(check.definition):
            yield f"ALTER DOMAIN {name} ADD {text}"
    yield from _comment(f"DOMAIN {name}", item.comment)
    for check in item.constraints:
        yield from _comment(f"CONSTRAINT {quote_name(check.name)} ON DOMAIN {name}", check.comment)


def _comment(what: str, text: str | None) -> Iterator[str]:
    if text:
        yield comment_on(what, text)
