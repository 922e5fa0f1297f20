"""A snapshot from the rows of PostgreSQL's catalogs; no connection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import Any

import msgspec

from twd_shared.schema_model.ddl.names import qualified, quote_name
from twd_shared.schema_model.fingerprint import key_of
from twd_shared.schema_model.models import (
    Column,
    ColumnReference,
    CompositeType,
    Constraint,
    DomainType,
    EnumType,
    Extension,
    ForeignKey,
    Index,
    Key,
    Namespace,
    ObjectKey,
    PartitionOf,
    RangeType,
    Routine,
    Snapshot,
    Table,
    TableKind,
    TableStatistics,
)
from twd_shared.schema_model.models import Sequence as SequenceObject

Row = Mapping[str, Any]
Rows = Sequence[Row]

_KINDS: Mapping[str, TableKind] = {
    "r": "table",
    "p": "partitioned_table",
    "v": "view",
    "m": "materialized_view",
    "f": "foreign_table",
}
_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_IDENTITIES = {"a": "always", "d": "by default"}
_ORDERS = {"0": "", "1": " DESC NULLS LAST", "2": " NULLS FIRST", "3": " DESC"}
"""What a server writes of a column's order in an index, by its bits in pg_index.indoption."""
_ROUTINES = {"f": "function", "p": "procedure", "a": "aggregate", "w": "window"}


_SECRET_OPTION = re.compile(r"pass|secret|token|credential|api_?key|private", re.IGNORECASE)


class ObjectVanished(Exception):
    """The server could no longer deparse an object that the transaction still sees."""


TAKEN_AFTER: Mapping[str, tuple[str, ...]] = {
    "tables": (),
    "columns": (),
    "constraints": ("tables", "columns"),
    "indexes": ("tables", "columns"),
    "dependencies": ("tables",),
}
"""Which answers must be taken before which: keys and indexes give columns by their numbers."""


class SnapshotBuilder:
    """Takes the answers as they come, in the order of TAKEN_AFTER, and makes a snapshot of them.

    What is taken can be dropped: values are made at once, while the server works on the next.
    """

    def __init__(self, places: Rows, types: Rows, routines: Rows) -> None:
        """The answers to what there is little of."""
        self._places, self._types, self._routines = places, types, routines
        self._tables: Rows = ()
        self._table_names: dict[int, tuple[str, str]] = {}
        self._row_of: dict[int, Row] = {}
        self._columns: dict[int, tuple[Column, ...]] = {}
        self._column_names: dict[int, dict[int, str]] = {}
        self._constraints: dict[int, _Constraints] = {}
        self._indexes: dict[int, tuple[Index, ...]] = {}
        self._index_names: dict[int, tuple[str, str]] = {}
        self._needs: Mapping[tuple[str, int], tuple[ObjectKey, ...]] = {}

    def has_changed(self, written: Rows) -> bool:
        """Whether what was written during the reading can show in a text that was taken.

        `written` is the answer to CHANGED_SINCE. A relation that has kept its name and place is
        as it was for all texts: so its row is after a TRUNCATE, whatever else was written of it
        is a column's, a type's or another relation's row.
        """
        names = self._table_names | self._index_names
        types = {row["oid"] for row in self._types}
        routines = {row["oid"] for row in self._routines}
        schemas = {row["oid"] for row in self._places if row["kind"] == "namespace"}
        for row in written:
            kind, oid = row["kind"], row["oid"]
            if kind == "r" and oid in names:
                if (row["schema"], row["name"]) != names[oid]:
                    return True
            elif (
                (kind == "a" and oid in self._table_names)
                or (kind == "t" and oid in types)
                or (kind == "p" and oid in routines)
                or (kind == "n" and oid in schemas)
            ):
                return True
        return False

    def take(self, name: str, rows: Rows) -> None:
        """Take the answer to the statement of that name; see TAKEN_AFTER for the order."""
        getattr(self, f"_take_{name}")(rows)

    def _take_tables(self, rows: Rows) -> None:
        # Sorted here: for the server it costs more.
        self._tables = sorted(rows, key=lambda row: (row["nspname"], row["relname"]))
        self._table_names = {row["oid"]: (row["nspname"], row["relname"]) for row in rows}
        self._row_of = {row["oid"]: row for row in rows}

    def _take_columns(self, rows: Rows) -> None:
        for oid, group in _grouped(rows, "attrelid", "attnum").items():
            self._columns[oid] = tuple([_column(row) for row in group])
            self._column_names[oid] = {row["attnum"]: row["attname"] for row in group}
            named = [_not_null(row) for row in group if row["not_null_name"]]
            if named:
                self._constraints[oid] = _Constraints(others=named)

    def _take_constraints(self, rows: Rows) -> None:
        for oid, group in _grouped(rows, "conrelid", "conname").items():
            names = self._column_names.get(oid, {})
            made = self._constraints.setdefault(oid, _Constraints())
            for row in group:
                match row["kind"]:
                    case "p":
                        made.primary_key = _key(row, names)
                    case "u":
                        made.unique.append(_key(row, names))
                    case "f":
                        made.foreign.append(self._foreign_key(row, names))
                    case _:
                        made.others.append(_constraint(row))
            made.others.sort(key=attrgetter("name"))

    def _take_indexes(self, rows: Rows) -> None:
        for oid, group in _grouped(rows, "indrelid", "relname").items():
            names, table = self._column_names[oid], self._row_of[oid]
            for row in group:
                self._index_names[row["indexrelid"]] = (table["nspname"], row["relname"])
            self._indexes[oid] = tuple([_index(row, names, table) for row in group])

    def _take_dependencies(self, rows: Rows) -> None:
        keys = self._keys()
        self._needs = _needs(rows, keys)
        # What only a routine needs that nothing kept needs is not kept either.
        kept: set[ObjectKey] = set()
        oids = {key: oid for (kind, oid), key in keys.items() if kind == "p"}
        waiting = [key for (kind, _), needs in self._needs.items() if kind != "p" for key in needs]
        while waiting:
            key = waiting.pop()
            if key in oids and key not in kept:
                kept.add(key)
                waiting += self._needs.get(("p", oids[key]), ())
        self._routines = [row for row in self._routines if keys["p", row["oid"]] in kept]

    def snapshot(self) -> Snapshot:
        """What all the answers make; raises ObjectVanished if the schema changed meanwhile."""
        relations = [row for row in self._tables if row["kind"] != "S"]
        tables = [self._table(row) for row in relations]
        server = next(row for row in self._places if row["kind"] == "server")
        types = [(row, self._needs_of("t", row["oid"])) for row in self._types]
        return Snapshot(
            dialect="postgresql",
            database_name=server["name"],
            server_version=server["version"],
            tables=tuple(table for table in tables if table.partition_of is None),
            partitions=tuple(table for table in tables if table.partition_of is not None),
            enums=tuple(_enum(row) for row, _ in types if row["kind"] == "e"),
            domains=tuple(_domain(row, needs) for row, needs in types if row["kind"] == "d"),
            composites=tuple(
                _composite(row, self._needs_of("r", row["typrelid"]))
                for row, _ in types
                if row["kind"] == "c"
            ),
            ranges=tuple(_range(row, needs) for row, needs in types if row["kind"] == "r"),
            sequences=tuple(self._sequence(row) for row in self._tables if row["kind"] == "S"),
            routines=tuple(
                sorted(
                    (_routine(row, self._needs_of("p", row["oid"])) for row in self._routines),
                    key=key_of,
                )
            ),
            extensions=_extensions(self._places),
            namespaces=_namespaces(self._places),
            statistics=_statistics(relations),
        )

    def _needs_of(self, kind: str, oid: int) -> tuple[ObjectKey, ...]:
        return self._needs.get((kind, oid), ())

    def _table(self, row: Row) -> Table:
        oid = row["oid"]
        parents = tuple([self._table_names[parent] for parent in row["parents"] or ()])
        bound = _there(row["bound"]) if row["relispartition"] else None
        constraints = self._constraints.get(oid, _NO_CONSTRAINTS)
        return Table(
            schema=row["nspname"],
            name=row["relname"],
            kind=_KINDS[row["kind"]],
            columns=self._columns.get(oid, ()),
            primary_key=constraints.primary_key,
            unique_constraints=tuple(constraints.unique),
            foreign_keys=tuple(constraints.foreign),
            constraints=tuple(constraints.others),
            indexes=self._indexes.get(oid, ()),
            definition=_there(row["definition"]) if row["kind"] in "vm" else None,
            partition_key=_there(row["partition_key"]) if row["kind"] == "p" else None,
            comment=row["comment"],
            partition_of=PartitionOf(schema=parents[0][0], table=parents[0][1], bound=bound)
            if bound is not None
            else None,
            inherits=() if bound is not None else parents,
            unlogged=row["unlogged"],
            storage=tuple(row["storage"] or ()),
            server=(row["server"], row["wrapper"]) if row["server"] else None,
            options=_options(row["options"]),
            depends_on=self._needs_of("r", oid),
        )

    def _sequence(self, row: Row) -> SequenceObject:
        owner = self._table_names.get(row["owner"])
        return SequenceObject(
            schema=row["nspname"],
            name=row["relname"],
            type=row["type"],
            start=row["seqstart"],
            increment=row["seqincrement"],
            minimum=row["seqmin"],
            maximum=row["seqmax"],
            cache=row["seqcache"],
            cycle=row["seqcycle"],
            owner=ColumnReference(
                schema=owner[0],
                table=owner[1],
                column=self._column_names[row["owner"]][row["owner_column"]],
            )
            if owner
            else None,
            identity=bool(row["is_identity"]),
            unlogged=row["unlogged"],
            comment=row["comment"],
        )

    def _foreign_key(self, row: Row, names: Mapping[int, str]) -> ForeignKey:
        referenced = self._column_names.get(row["confrelid"], {})
        return ForeignKey(
            name=row["conname"],
            columns=_named(row["columns"], names),
            referenced_schema=row["foreign_schema"],
            referenced_table=row["foreign_table"],
            referenced_columns=tuple(
                row["foreign_column_names"] or _named(row["foreign_columns"], referenced)
            ),
            on_update=_ACTIONS[row["on_update"]],
            on_delete=_ACTIONS[row["on_delete"]],
            deferrable=row["condeferrable"],
            initially_deferred=row["condeferred"],
            definition=_there(row["definition"]) if row["is_deparsed"] else None,
            comment=row["comment"],
        )

    def _keys(self) -> dict[tuple[str, int], ObjectKey]:
        """The key of every object that another can need, by (class, oid) as asked for."""
        keys: dict[tuple[str, int], ObjectKey] = {}
        for row in self._tables:
            kind = "partition" if row["relispartition"] else "table"
            kind = "sequence" if row["kind"] == "S" else kind
            keys["r", row["oid"]] = (kind, row["nspname"], row["relname"])
        kinds = {"e": "enum", "d": "domain", "r": "range", "c": "composite"}
        for row in self._types:
            key = (kinds[row["kind"]], row["nspname"], row["typname"])
            keys["t", row["oid"]] = key
            if row["kind"] == "c":
                keys["r", row["typrelid"]] = key
        for row in self._routines:
            name = f"{row['proname']}({row['arguments']})"
            keys["p", row["oid"]] = ("routine", row["nspname"], name)
        return keys


@dataclass(slots=True)
class _Constraints:
    """Constraints of one table, each kind sorted by name."""

    primary_key: Key | None = None
    unique: list[Key] = field(default_factory=list)
    foreign: list[ForeignKey] = field(default_factory=list)
    others: list[Constraint] = field(default_factory=list)


_NO_CONSTRAINTS = _Constraints()


def _constraint(row: Row) -> Constraint:
    return Constraint(
        name=row["conname"], definition=_there(row["definition"]), comment=row["comment"]
    )


def _extensions(places: Rows) -> tuple[Extension, ...]:
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


def _namespaces(places: Rows) -> tuple[Namespace, ...]:
    found = (row for row in places if row["kind"] == "namespace")
    return tuple(
        Namespace(name=row["name"], comment=row["comment"])
        for row in sorted(found, key=lambda row: row["name"])
    )


def _range(row: Row, needs: tuple[ObjectKey, ...]) -> RangeType:
    return RangeType(
        schema=row["nspname"],
        name=row["typname"],
        options=tuple(row["range_options"]),
        comment=row["comment"],
        depends_on=needs,
    )


def _key(row: Row, names: Mapping[int, str]) -> Key:
    return Key(
        name=row["conname"],
        columns=_named(row["columns"], names),
        definition=_there(row["definition"]) if row["is_deparsed"] else None,
        comment=row["comment"],
    )


def _not_null(row: Row) -> Constraint:
    definition = f"NOT NULL {quote_name(row['attname'])}"
    if row["not_null_no_inherit"]:
        definition += " NO INHERIT"
    if not row["not_null_validated"]:
        definition += " NOT VALID"
    return Constraint(
        name=row["not_null_name"], definition=definition, comment=row["not_null_comment"]
    )


def _named(numbers: str, names: Mapping[int, str]) -> tuple[str, ...]:
    return tuple([names[int(number)] for number in numbers.split(",")])


def _column(row: Row) -> Column:
    name, type_, not_null = row["attname"], row["type"], row["not_null"]
    if row["is_bare"]:
        # Most columns: what is not given costs as much as what is.
        return Column(name=name, type=type_, nullable=not not_null)
    expression = _there(row["expression"]) if row["has_default"] else None
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
        options=_options(row["options"]),
    )


def _index(row: Row, names: Mapping[int, str], table: Row) -> Index:
    numbers = row["columns"].split(",")
    columns = tuple(
        [
            expression or names[int(number)]
            for number, expression in zip(
                numbers, row["expressions"] or [None] * len(numbers), strict=True
            )
        ]
    )
    return Index(
        name=row["relname"],
        columns=columns,
        unique=row["indisunique"],
        definition=_there(row["definition"])
        if row["is_deparsed"]
        else plain_index(row, columns, table),
        predicate=_there(row["predicate"]) if row["is_partial"] else None,
        comment=row["comment"],
    )


def plain_index(row: Row, columns: tuple[str, ...], table: Row) -> str:
    """A plain B-tree's statement as the server deparses it, from rows of indexes and tables."""
    ordered = [
        quote_name(name) + _ORDERS[order]
        for name, order in zip(columns, row["orders"].split(","), strict=True)
    ]
    return (
        f"CREATE {'UNIQUE ' if row['indisunique'] else ''}INDEX {quote_name(row['relname'])} "
        f"ON {'ONLY ' if table['kind'] == 'p' else ''}"
        f"{qualified(table['nspname'], table['relname'])} USING btree ({', '.join(ordered)})"
    )


def _enum(row: Row) -> EnumType:
    return EnumType(
        schema=row["nspname"],
        name=row["typname"],
        labels=tuple(row["labels"] or ()),
        comment=row["comment"],
    )


def _domain(row: Row, needs: tuple[ObjectKey, ...]) -> DomainType:
    constraints = msgspec.json.decode(row["constraints"] or "[]")
    return DomainType(
        schema=row["nspname"],
        name=row["typname"],
        type=row["base"],
        nullable=not row["typnotnull"],
        default=row["typdefault"],
        constraints=tuple(
            Constraint(
                name=item["name"], definition=_there(item["definition"]), comment=item["comment"]
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


def _composite(row: Row, needs: tuple[ObjectKey, ...]) -> CompositeType:
    return CompositeType(
        schema=row["nspname"],
        name=row["typname"],
        attributes=tuple(Column(**item) for item in msgspec.json.decode(row["attributes"] or "[]")),
        comment=row["comment"],
        depends_on=needs,
    )


def _routine(row: Row, needs: tuple[ObjectKey, ...]) -> Routine:
    return Routine(
        schema=row["nspname"],
        name=row["proname"],
        kind=_ROUTINES[row["kind"]],  # pyright: ignore[reportArgumentType]
        arguments=row["arguments"],
        definition=_there(row["definition"]).rstrip(),
        comment=row["comment"],
        depends_on=needs,
    )


def _statistics(relations: Rows) -> tuple[TableStatistics, ...]:
    """Estimates of each table; those of a partitioned one are the sums of its partitions."""
    rows_of: dict[int, float] = {}
    sizes: dict[int, int] = {}
    parent_of = {row["oid"]: row["parents"][0] for row in relations if row["relispartition"]}
    for row in relations:
        # -1 = never analyzed; a partitioned table holds no rows of its own.
        if row["row_estimate"] < 0 or row["kind"] in "pvf":
            continue
        root = row["oid"]
        while root in parent_of:
            root = parent_of[root]
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


def _needs(
    rows: Rows, keys: Mapping[tuple[str, int], ObjectKey]
) -> dict[tuple[str, int], tuple[ObjectKey, ...]]:
    found: dict[tuple[str, int], set[ObjectKey]] = {}
    for row in rows:
        holder = (row["holder_class"], row["holder"])
        needed = keys.get((row["needed_class"], row["needed"]))
        if needed is not None and keys.get(holder) not in (None, needed):
            found.setdefault(holder, set()).add(needed)
    return {key: tuple(sorted(needed)) for key, needed in found.items()}


def _grouped(rows: Iterable[Row], key: str, order: str) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    for group in groups.values():
        group.sort(key=itemgetter(order))
    return groups


def _options(texts: Iterable[str] | None) -> tuple[str, ...]:
    """Options of a foreign table; the values of those that name a secret are left out."""
    parted = (text.partition(" ") for text in texts or ())
    return tuple(
        f"{name} '…'" if _SECRET_OPTION.search(name) else f"{name} {value}"
        for name, _, value in parted
    )


def _there(text: Any) -> Any:
    if text is None:
        raise ObjectVanished
    return text
