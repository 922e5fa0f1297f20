"""Values of the snapshot model from single rows of PostgreSQL's catalogs: pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec

from twd_shared.schema_model.ddl.names import qualified, quote_name, unquoted
from twd_shared.schema_model.keys import upwards
from twd_shared.schema_model.models import (
    Collation,
    Column,
    CompositeType,
    Constraint,
    DomainType,
    EnumType,
    Extension,
    Index,
    Key,
    Namespace,
    ObjectKey,
    RangeType,
    Routine,
    TableStatistics,
)
from twd_shared.schema_model.secret_signs import holds_a_secret, may_name_a_secret

Row = Mapping[str, Any]
Rows = Sequence[Row]

_IDENTITIES = {"a": "always", "d": "by default"}
_PROVIDERS = {"b": "builtin", "c": "libc", "i": "icu"}
# ICU's in PostgreSQL 15 and 16, before 15 where libc has it.
_LOCALES = ("colllocale", "colliculocale", "collcollate")
_ORDERS = {"0": "", "1": " DESC NULLS LAST", "2": " NULLS FIRST", "3": " DESC"}
"""What a server writes of a column's order in an index, by its bits in pg_index.indoption."""
_ROUTINES = {"f": "function", "p": "procedure", "a": "aggregate", "w": "window"}
_OPTION = re.compile(r'("(?:[^"]|"")*"|\S+) (.*)', re.DOTALL)

BETWEEN_WORDS = r"[\x01-\x23\x25-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]+"
"""What no plain name holds: ASCII without letters, digits, _ and $; as servers and Python take it.
"""


class ObjectVanished(Exception):
    """The server could no longer deparse an object that the transaction still sees."""


def constraint_of(row: Row) -> Constraint:
    """A check or exclusion constraint."""
    return Constraint(
        name=row["conname"], definition=there(row["definition"]), comment=row["comment"]
    )


def extensions_of(places: Rows) -> tuple[Extension, ...]:
    """The installed extensions, sorted by schema and name."""
    found = {row["name"]: row for row in places if row["kind"] == "extension"}
    return tuple(
        Extension(
            schema=row["place"],
            name=row["name"],
            version=row["version"],
            comment=row["comment"],
            depends_on=tuple(
                ("extension", found[name]["place"], name)
                for name in sorted(row["needs"])
                if name in found
            ),
        )
        for row in sorted(found.values(), key=lambda row: (row["place"], row["name"]))
    )


def namespaces_of(places: Rows) -> tuple[Namespace, ...]:
    """The schemas, sorted by name."""
    found = (row for row in places if row["kind"] == "namespace")
    return tuple(
        Namespace(name=row["name"], comment=row["comment"])
        for row in sorted(found, key=lambda row: row["name"])
    )


def collation_of(row: Row) -> Collation:
    """A collation, whatever the server's release."""
    of: Mapping[str, Any] = row["attributes"]
    locale = next(of[name] for name in _LOCALES if of.get(name) is not None)
    return Collation(
        schema=row["nspname"],
        name=row["collname"],
        provider=_PROVIDERS[of["collprovider"]],  # pyright: ignore[reportArgumentType]
        locale=locale,
        ctype=None if of["collctype"] == locale else of["collctype"],
        deterministic=of["collisdeterministic"],
        rules=of.get("collicurules"),
        comment=row["comment"],
    )


def range_of(row: Row, needs: tuple[ObjectKey, ...]) -> RangeType:
    """A range type."""
    return RangeType(
        schema=row["nspname"],
        name=row["typname"],
        options=tuple(map(known_type, row["range_options"])),
        comment=row["comment"],
        depends_on=needs,
    )


def unique_key_of(row: Row, names: Mapping[int, str]) -> Key:
    """A primary key or unique constraint."""
    return Key(
        name=row["conname"],
        columns=named_columns(row["columns"], names),
        definition=there(row["definition"]) if row["is_deparsed"] else None,
        comment=row["comment"],
    )


def not_null_of(row: Row) -> Constraint:
    """The constraint of a column whose NOT NULL is more than that."""
    definition = f"NOT NULL {quote_name(row['attname'])}"
    if row["not_null_no_inherit"]:
        definition += " NO INHERIT"
    if not row["not_null_validated"]:
        definition += " NOT VALID"
    return Constraint(
        name=row["not_null_name"], definition=definition, comment=row["not_null_comment"]
    )


def named_columns(numbers: str, names: Mapping[int, str]) -> tuple[str, ...]:
    """The names of columns whose numbers stand in a text, with commas."""
    return tuple([names[int(number)] for number in numbers.split(",")])


def column_of(row: Row) -> Column:
    """A column."""
    name, type_, not_null = row["attname"], row["type"], row["not_null"]
    if row["is_bare"]:
        # Most columns: what is not given costs as much as what is.
        return Column(name=name, type=type_, nullable=not not_null)
    expression = there(row["expression"]) if row["has_default"] else None
    generated = row["generated"]
    return Column(
        name=name,
        type=type_,
        nullable=not not_null,
        default=None if generated else expression,
        identity=_IDENTITIES.get(row["identity"]),  # pyright: ignore[reportArgumentType]
        generated=expression if generated else None,
        collation=row["collation"],
        comment=row["comment"],
        virtual=generated == "v",
        inherited=row["inherited"],
        not_null_inherited=bool(row["not_null_inherited"]),
        options=options_of(row["options"]),
    )


def index_of(row: Row, names: Mapping[int, str], table: Row) -> Index:
    """An index of the table in row `table`."""
    numbers = row["columns"].split(",")
    columns = tuple(
        [
            # 0 stands for an expression.
            there(expression) if number == "0" else names[int(number)]
            for number, expression in zip(
                numbers, row["expressions"] or [None] * len(numbers), strict=True
            )
        ]
    )
    predicate = there(row["predicate"]) if row["is_partial"] else None
    return Index(
        name=row["relname"],
        columns=columns,
        unique=row["indisunique"],
        definition=there(row["definition"])
        if row["is_deparsed"]
        else plain_index(row, columns, table, predicate),
        predicate=predicate,
        comment=row["comment"],
    )


def plain_index(row: Row, columns: tuple[str, ...], table: Row, predicate: str | None) -> str:
    """A plain B-tree's statement as the server deparses it, from rows of indexes and tables."""
    ordered = [
        quote_name(name) + _ORDERS[order]
        for name, order in zip(columns, row["orders"].split(","), strict=True)
    ]
    return (
        f"CREATE {'UNIQUE ' if row['indisunique'] else ''}INDEX {quote_name(row['relname'])} "
        f"ON {'ONLY ' if table['kind'] == 'p' else ''}"
        f"{qualified(table['nspname'], table['relname'])} USING btree ({', '.join(ordered)})"
        + (f" WHERE {predicate}" if predicate else "")
    )


def enum_of(row: Row) -> EnumType:
    """An enumerated type."""
    return EnumType(
        schema=row["nspname"],
        name=row["typname"],
        labels=tuple(row["labels"] or ()),
        comment=row["comment"],
    )


def domain_of(row: Row, needs: tuple[ObjectKey, ...]) -> DomainType:
    """A domain."""
    constraints = msgspec.json.decode(row["constraints"] or "[]")
    return DomainType(
        schema=row["nspname"],
        name=row["typname"],
        type=known_type(row["base"]),
        nullable=not row["typnotnull"],
        default=row["typdefault"],
        constraints=tuple(
            Constraint(
                name=item["name"], definition=there(item["definition"]), comment=item["comment"]
            )
            for item in constraints
            # Since PostgreSQL 17 a domain's NOT NULL is a constraint with a name.
            if item["kind"] == "c"
            or item["comment"]
            or item["name"] != f"{row['typname']}_not_null"
        ),
        comment=row["comment"],
        collation=row["collation"],
        depends_on=needs,
    )


def composite_of(row: Row, needs: tuple[ObjectKey, ...]) -> CompositeType:
    """A composite type."""
    return CompositeType(
        schema=row["nspname"],
        name=row["typname"],
        attributes=tuple(Column(**item) for item in msgspec.json.decode(row["attributes"] or "[]")),
        comment=row["comment"],
        depends_on=needs,
    )


def routine_of(row: Row, needs: tuple[ObjectKey, ...]) -> Routine:
    """A routine with its whole definition."""
    return Routine(
        schema=row["nspname"],
        name=row["proname"],
        kind=_ROUTINES[row["kind"]],  # pyright: ignore[reportArgumentType]
        arguments=row["arguments"],
        definition=there(row["definition"]).rstrip(),
        comment=row["comment"],
        depends_on=needs,
    )


def statistics_of(relations: Rows) -> tuple[TableStatistics, ...]:
    """Estimates of each table; those of a partitioned one are the sums of its partitions."""
    rows_of: dict[int, float] = {}
    sizes: dict[int, int] = {}
    parent_of = {row["oid"]: row["parents"][0] for row in relations if row["relispartition"]}
    for row in relations:
        # -1 = never analyzed; a partitioned table holds no rows of its own.
        if row["row_estimate"] < 0 or row["kind"] in "pvf":
            continue
        root = upwards(row["oid"], parent_of)[-1]
        rows_of[root] = rows_of.get(root, 0) + row["row_estimate"]
        sizes[root] = sizes.get(root, 0) + row["size_bytes"]
    return tuple(
        TableStatistics(
            schema=row["nspname"],
            table=row["relname"],
            row_estimate=round(rows_of[row["oid"]]),
            size_bytes=sizes[row["oid"]],
        )
        for row in relations
        if row["oid"] in rows_of
    )


def needs_by_holder(
    rows: Rows, keys: Mapping[tuple[str, int], ObjectKey]
) -> dict[tuple[str, int], tuple[ObjectKey, ...]]:
    """What each object needs, by (class, oid) of the holder; `keys` knows the objects."""
    found: dict[tuple[str, int], set[ObjectKey]] = {}
    for row in rows:
        holder = (row["holder_class"], row["holder"])
        needed = keys.get((row["needed_class"], row["needed"]))
        if needed is not None and keys.get(holder) not in (None, needed):
            found.setdefault(holder, set()).add(needed)
    return {key: tuple(sorted(needed)) for key, needed in found.items()}


def called_in_texts(routines: Rows) -> dict[int, list[int]]:
    """Ids of the routines whose names are words of a body that is a text of SQL, by its id."""
    ids_of: dict[str, list[int]] = {}
    for row in routines:
        ids_of.setdefault(row["proname"], []).append(row["oid"])
    return {
        row["oid"]: [oid for name in _words_of(row["body"]) for oid in ids_of.get(name, ())]
        for row in routines
        if row["body"]
    }


def _words_of(sql: str) -> set[str]:
    words = re.split(BETWEEN_WORDS, sql)
    return {*words, *map(unquoted, words)}


def grouped(rows: Iterable[Row], key: str, order: str) -> dict[Any, list[Row]]:
    """The rows by their value of `key`, each group sorted by `order`."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    for group in groups.values():
        group.sort(key=itemgetter(order))
    return groups


def options_of(texts: Iterable[str] | None) -> tuple[str, ...]:
    """Options of a foreign table; the values of those that name or hold a secret are left out."""
    if not texts:
        return ()
    parted = (_OPTION.fullmatch(text) for text in texts)
    return tuple(
        f"{name} '…'" if may_name_a_secret(name) or holds_a_secret(value) else f"{name} {value}"
        for name, value in (option.groups() for option in parted if option)
    )


def there(text: Any) -> Any:
    """The text that the server must have given; raises ObjectVanished if it is missing."""
    if text is None:
        raise ObjectVanished
    return text


def known_type(text: str) -> str:
    """A text that ends in a type's name; raises ObjectVanished if the server knew none."""
    if text.endswith("???"):
        raise ObjectVanished
    return text
