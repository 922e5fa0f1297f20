"""A snapshot from the rows of PostgreSQL's catalogs: pure functions, no connection."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from twd_shared.schema_model.ddl import foreign_key_definition, key_definition
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
_ROUTINES = {"f": "function", "p": "procedure", "a": "aggregate", "w": "window"}


class ObjectVanished(Exception):
    """The server could no longer deparse an object that the transaction still sees."""


def build_snapshot(rows: Mapping[str, Rows]) -> Snapshot:
    """The snapshot in `rows`, which hold the answers to STATEMENTS by their names.

    Raises ObjectVanished if the schema changed under the reading.
    """
    relations = [row for row in rows["tables"] if row["kind"] != "S"]
    builder = _TableBuilder(rows, _names_by_oid(rows, relations))
    tables = [builder.table(row) for row in relations]
    composites = tuple(
        _composite(row, builder.needs["r", row["typrelid"]])
        for row in rows["types"]
        if row["kind"] == "c"
    )
    types = [(row, builder.needs["t", row["oid"]]) for row in rows["types"]]
    server = next(row for row in rows["places"] if row["kind"] == "server")
    return Snapshot(
        dialect="postgresql",
        database_name=server["name"],
        server_version=server["version"],
        tables=tuple(table for table in tables if table.partition_of is None),
        partitions=tuple(table for table in tables if table.partition_of is not None),
        enums=tuple(_enum(row) for row, _ in types if row["kind"] == "e"),
        domains=tuple(_domain(row, needs) for row, needs in types if row["kind"] == "d"),
        composites=composites,
        ranges=tuple(
            RangeType(
                schema=row["nspname"],
                name=row["typname"],
                options=tuple(row["range_options"]),
                comment=row["comment"],
                depends_on=needs,
            )
            for row, needs in types
            if row["kind"] == "r"
        ),
        sequences=tuple(builder.sequence(row) for row in rows["tables"] if row["kind"] == "S"),
        routines=tuple(
            sorted(
                (_routine(row, builder.needs["p", row["oid"]]) for row in rows["routines"]),
                key=key_of,
            )
        ),
        extensions=tuple(
            Extension(
                schema=row["place"],
                name=row["name"],
                version=row["version"],
                comment=row["comment"],
            )
            for row in sorted(rows["places"], key=lambda row: (row["place"] or "", row["name"]))
            if row["kind"] == "extension"
        ),
        namespaces=tuple(
            Namespace(name=row["name"], comment=row["comment"])
            for row in sorted(rows["places"], key=lambda row: row["name"])
            if row["kind"] == "namespace"
        ),
        statistics=_statistics(relations),
    )


class _TableBuilder:
    """What building one table needs of all the rows: groups by table and names by number."""

    def __init__(self, rows: Mapping[str, Rows], keys: Mapping[tuple[str, int], ObjectKey]) -> None:
        self._columns = _grouped(rows["columns"], "attrelid")
        self._constraints = _grouped(rows["constraints"], "conrelid")
        self._indexes = _grouped(rows["indexes"], "indrelid")
        self._names = {
            oid: {row["attnum"]: row["attname"] for row in group}
            for oid, group in self._columns.items()
        }
        self._places = {row["oid"]: (row["nspname"], row["relname"]) for row in rows["tables"]}
        self.needs = _needs(rows["dependencies"], keys)

    def table(self, row: Row) -> Table:
        oid = row["oid"]
        names = self._names.get(oid, {})
        kind = _KINDS[row["kind"]]
        parents = tuple(self._places[parent] for parent in row["parents"] or ())
        constraints = self._constraints.get(oid, ())
        primary_key: Key | None = None
        unique: list[Key] = []
        foreign: list[ForeignKey] = []
        others: list[Constraint] = []
        for item in constraints:
            match item["kind"]:
                case "p":
                    primary_key = _key(item, names, "PRIMARY KEY")
                case "u":
                    unique.append(_key(item, names, "UNIQUE"))
                case "f":
                    foreign.append(self._foreign_key(item, names))
                case _:
                    others.append(
                        Constraint(
                            name=item["conname"],
                            definition=_there(item["definition"]),
                            comment=item["comment"],
                        )
                    )
        return Table(
            schema=row["nspname"],
            name=row["relname"],
            kind=kind,
            columns=tuple([_column(item) for item in self._columns.get(oid, ())]),
            primary_key=primary_key,
            unique_constraints=tuple(unique),
            foreign_keys=tuple(foreign),
            constraints=tuple(others),
            indexes=tuple([_index(item, names) for item in self._indexes.get(oid, ())]),
            definition=_there(row["definition"]) if row["kind"] in "vm" else None,
            partition_key=_there(row["partition_key"]) if row["kind"] == "p" else None,
            comment=row["comment"],
            partition_of=PartitionOf(
                schema=parents[0][0], table=parents[0][1], bound=_there(row["bound"])
            )
            if row["bound"] is not None
            else None,
            inherits=parents if row["bound"] is None else (),
            unlogged=row["unlogged"],
            storage=tuple(row["storage"] or ()),
            server=(row["server"], row["wrapper"]) if row["server"] else None,
            options=tuple(row["options"] or ()),
            depends_on=self.needs["r", oid],
        )

    def sequence(self, row: Row) -> SequenceObject:
        owner = self._places.get(row["owner"])
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
                column=self._names[row["owner"]][row["owner_column"]],
            )
            if owner
            else None,
            identity=bool(row["is_identity"]),
            unlogged=row["unlogged"],
            comment=row["comment"],
        )

    def _foreign_key(self, row: Row, names: Mapping[int, str]) -> ForeignKey:
        referenced = self._names.get(row["confrelid"], {})
        key = ForeignKey(
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
            comment=row["comment"],
        )
        definition = _there(row["definition"])
        if definition == foreign_key_definition(key):
            return key
        return msgspec.structs.replace(key, definition=definition)


def _key(row: Row, names: Mapping[int, str], kind: str) -> Key:
    definition = _there(row["definition"])
    key = Key(
        name=row["conname"],
        columns=_named(row["columns"], names),
        comment=row["comment"],
    )
    if definition == key_definition(key, kind):
        return key
    return msgspec.structs.replace(key, definition=definition)


def _named(numbers: str, names: Mapping[int, str]) -> tuple[str, ...]:
    return tuple([names[int(number)] for number in numbers.split(",")])


def _column(row: Row) -> Column:
    expression = _there(row["expression"]) if row["has_default"] else None
    generated = row["generated"]
    return Column(
        name=row["attname"],
        type=row["type"],
        nullable=not row["not_null"],
        default=None if generated else expression,
        identity=_IDENTITIES.get(row["identity"]),  # pyright: ignore[reportArgumentType]
        generated=expression if generated else None,
        collation=row["collation"],
        comment=row["comment"],
        virtual=generated == "v",
        inherited=row["inherited"],
        not_null_inherited=bool(row["not_null_inherited"]),
        options=tuple(row["options"] or ()),
    )


def _index(row: Row, names: Mapping[int, str]) -> Index:
    return Index(
        name=row["relname"],
        columns=tuple(row["expressions"] or _named(row["columns"], names)),
        unique=row["indisunique"],
        definition=_there(row["definition"]),
        predicate=_there(row["predicate"]) if row["is_partial"] else None,
        comment=row["comment"],
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
    parent_of = {row["oid"]: row["parents"][0] for row in relations if row["bound"] is not None}
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


def _names_by_oid(rows: Mapping[str, Rows], relations: Rows) -> dict[tuple[str, int], ObjectKey]:
    """The key of every object that another can need, by (class, oid) as _DEPENDENCIES has it."""
    keys: dict[tuple[str, int], ObjectKey] = {}
    for row in rows["tables"]:
        kind = "sequence" if row["kind"] == "S" else "table"
        keys["r", row["oid"]] = (kind, row["nspname"], row["relname"])
    for row in relations:
        if row["bound"] is not None:
            keys["r", row["oid"]] = ("partition", row["nspname"], row["relname"])
    kinds = {"e": "enum", "d": "domain", "r": "range", "c": "composite"}
    for row in rows["types"]:
        key = (kinds[row["kind"]], row["nspname"], row["typname"])
        keys["t", row["oid"]] = key
        if row["kind"] == "c":
            keys["r", row["typrelid"]] = key
    for row in rows["routines"]:
        name = f"{row['proname']}({row['arguments']})"
        keys["p", row["oid"]] = ("routine", row["nspname"], name)
    return keys


def _needs(
    rows: Rows, keys: Mapping[tuple[str, int], ObjectKey]
) -> defaultdict[tuple[str, int], tuple[ObjectKey, ...]]:
    found: dict[tuple[str, int], set[ObjectKey]] = {}
    for row in rows:
        holder = (row["holder_class"], row["holder"])
        needed = keys.get((row["needed_class"], row["needed"]))
        if needed is not None and keys.get(holder) not in (None, needed):
            found.setdefault(holder, set()).add(needed)
    return defaultdict(tuple, {key: tuple(sorted(needed)) for key, needed in found.items()})


def _grouped(rows: Iterable[Row], key: str) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups


def _there(text: Any) -> Any:
    if text is None:
        raise ObjectVanished
    return text
