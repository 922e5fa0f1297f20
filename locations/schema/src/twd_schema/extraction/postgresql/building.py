"""A snapshot from all the rows of PostgreSQL's catalogs, taken answer by answer; no connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter

import msgspec

from twd_schema.extraction.postgresql.identities import Keys, identities_of, keys_by_id
from twd_schema.extraction.postgresql.samples import with_categories
from twd_schema.extraction.postgresql.values import (
    Row,
    Rows,
    called_in_texts,
    collation_of,
    column_of,
    composite_of,
    constraint_of,
    domain_of,
    enum_of,
    extensions_of,
    grouped,
    index_of,
    named_columns,
    namespaces_of,
    needs_by_holder,
    not_null_of,
    options_of,
    range_of,
    routine_of,
    statistics_of,
    there,
    unique_key_of,
)
from twd_shared.schema_model.fingerprint import key_of
from twd_shared.schema_model.models import (
    Column,
    ColumnReference,
    Constraint,
    ForeignKey,
    Index,
    Key,
    ObjectKey,
    PartitionOf,
    Snapshot,
    Table,
    TableKind,
)
from twd_shared.schema_model.models import Sequence as SequenceObject

_KINDS: Mapping[str, TableKind] = {
    "r": "table",
    "p": "partitioned_table",
    "v": "view",
    "m": "materialized_view",
    "f": "foreign_table",
}
_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}

TAKEN_AFTER: Mapping[str, tuple[str, ...]] = {
    "tables": (),
    "columns": (),
    "constraints": ("tables", "columns"),
    "indexes": ("tables", "columns"),
    "dependencies": (),
    "objects": ("tables", "dependencies"),
    "samples": (),
}
"""Which answers must be taken before which, if they are asked: keys and indexes give columns by
their numbers, and dependencies may come with the objects."""


class SnapshotBuilder:
    """Takes the answers as they come, in the order of TAKEN_AFTER, and makes a snapshot of them.

    What is taken can be dropped: values are made at once, while the server works on the next.
    """

    def __init__(self) -> None:
        self._places: Rows = ()
        self._types: Rows = ()
        self._collations: Rows = ()
        self._routines: Rows = ()
        self._seen: frozenset[str] = frozenset()
        self._tables: Rows = ()
        self._table_names: dict[int, tuple[str, str]] = {}
        self._row_of: dict[int, Row] = {}
        self._columns: dict[int, tuple[Column, ...]] = {}
        self._column_names: dict[int, dict[int, str]] = {}
        self._constraints: dict[int, _Constraints] = {}
        self._indexes: dict[int, tuple[Index, ...]] = {}
        self._indexes_by_id: dict[int, tuple[str, str, str | None]] = {}
        self._needs: Mapping[tuple[str, int], tuple[ObjectKey, ...]] = {}
        self._keys: Keys = {}
        self._dependencies: Rows = ()
        self._samples: Rows = ()
        self._has_no_samples = False

    def has_changed(self, written: Rows) -> bool:
        """Whether what was written during the reading can show in a text that was taken.

        `written` is the answer to CHANGED_SINCE. A relation that has kept its name and place, and
        an index its options, is as it was for all texts: so its row is after a TRUNCATE, whatever
        else was written of it is a column's, a type's or another relation's row.
        """
        composites = {
            row["typrelid"]: (row["nspname"], row["typname"])
            for row in self._types
            if row["kind"] == "c"
        }
        columned = self._table_names | composites
        names = {oid: (*place, None) for oid, place in columned.items()} | self._indexes_by_id
        types = {row["oid"] for row in self._types}
        routines = {row["oid"] for row in self._routines}
        collations = {row["oid"] for row in self._collations}
        schemas = {row["oid"] for row in self._places if row["kind"] == "namespace"}
        for row in written:
            kind, oid = row["kind"], row["oid"]
            if row["xid"] in self._seen:
                continue
            if kind == "r" and oid in names:
                if (row["schema"], row["name"], row["options"]) != names[oid]:
                    return True
            elif (
                kind == "o"
                or (kind == "a" and oid in columned)
                or (kind == "t" and oid in types)
                or (kind == "p" and oid in routines)
                or (kind == "c" and oid in collations)
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
        for oid, group in grouped(rows, "attrelid", "attnum").items():
            self._columns[oid] = tuple([column_of(row) for row in group])
            self._column_names[oid] = {row["attnum"]: row["attname"] for row in group}
            named = [not_null_of(row) for row in group if row["not_null_name"]]
            if named:
                self._constraints[oid] = _Constraints(others=named)

    def _take_constraints(self, rows: Rows) -> None:
        for oid, group in grouped(rows, "conrelid", "conname").items():
            names = self._column_names.get(oid, {})
            made = self._constraints.setdefault(oid, _Constraints())
            for row in group:
                match row["kind"]:
                    case "p":
                        made.primary_key = unique_key_of(row, names)
                    case "u":
                        made.unique.append(unique_key_of(row, names))
                    case "f":
                        made.foreign.append(self._foreign_key(row, names))
                    case _:
                        made.others.append(constraint_of(row))
            made.others.sort(key=attrgetter("name"))

    def _take_indexes(self, rows: Rows) -> None:
        for oid, group in grouped(rows, "indrelid", "relname").items():
            # A table without columns can have an index too, on an expression.
            names, table = self._column_names.get(oid, {}), self._row_of[oid]
            for row in group:
                place = (table["nspname"], row["relname"], row["options"])
                self._indexes_by_id[row["indexrelid"]] = place
            self._indexes[oid] = tuple([index_of(row, names, table) for row in group])

    def _take_dependencies(self, rows: Rows) -> None:
        self._dependencies = _decoded(rows)["dependencies"]

    def _take_objects(self, rows: Rows) -> None:
        answers = {"dependencies": self._dependencies, **_decoded(rows)}
        self._places, self._types = answers["places"], answers["types"]
        self._routines, self._collations = answers["routines"], answers["collations"]
        self._seen = frozenset(row["xid"] for row in answers["seen"])
        keys = keys_by_id(self._tables, self._types, self._routines, self._collations)
        self._needs = needs_by_holder(answers["dependencies"], keys)
        # What only a routine needs that nothing kept needs is not kept either. What a text names is
        # kept with it, and is no need: a body may name what comes later.
        called = called_in_texts(self._routines)
        kept: set[ObjectKey] = set()
        oids = {key: oid for (kind, oid), key in keys.items() if kind == "p"}
        waiting = [key for (kind, _), needs in self._needs.items() if kind != "p" for key in needs]
        while waiting:
            key = waiting.pop()
            if key in oids and key not in kept:
                kept.add(key)
                waiting += self._needs.get(("p", oids[key]), ())
                waiting += [keys["p", oid] for oid in called.get(oids[key], ())]
        self._routines = [row for row in self._routines if keys["p", row["oid"]] in kept]
        self._keys = {place: key for place, key in keys.items() if place[0] != "p" or key in kept}

    def _take_samples(self, rows: Rows) -> None:
        # No answer at all: a value is no text.
        self._has_no_samples = not rows
        self._samples = _decoded(rows)["samples"] if rows else ()

    def snapshot(self, at: str) -> Snapshot:
        """What all the answers make; raises ObjectVanished if the schema changed meanwhile.

        `at` is where the server was reached.
        """
        relations = [row for row in self._tables if row["kind"] != "S"]
        tables = [self._table(row) for row in relations]
        server = next(row for row in self._places if row["kind"] == "server")
        types = [(row, self._needs_of("t", row["oid"])) for row in self._types]
        made = Snapshot(
            dialect="postgresql",
            database_name=server["name"],
            server_version=server["version"],
            tables=tuple(table for table in tables if table.partition_of is None),
            partitions=tuple(table for table in tables if table.partition_of is not None),
            enums=tuple(enum_of(row) for row, _ in types if row["kind"] == "e"),
            domains=tuple(domain_of(row, needs) for row, needs in types if row["kind"] == "d"),
            composites=tuple(
                composite_of(row, self._needs_of("r", row["typrelid"]))
                for row, _ in types
                if row["kind"] == "c"
            ),
            ranges=tuple(range_of(row, needs) for row, needs in types if row["kind"] == "r"),
            sequences=tuple(self._sequence(row) for row in self._tables if row["kind"] == "S"),
            routines=tuple(
                sorted(
                    (routine_of(row, self._needs_of("p", row["oid"])) for row in self._routines),
                    key=key_of,
                )
            ),
            extensions=extensions_of(self._places),
            namespaces=namespaces_of(self._places),
            collations=tuple(collation_of(row) for row in self._collations),
            statistics=statistics_of(relations),
            unknown=("samples",) if self._has_no_samples else (),
            identities=identities_of(self._keys, self._column_names, self._types, self._places, at),
        )
        return with_categories(made, self._samples)

    def _needs_of(self, kind: str, oid: int) -> tuple[ObjectKey, ...]:
        return self._needs.get((kind, oid), ())

    def _table(self, row: Row) -> Table:
        oid = row["oid"]
        parents = tuple([(schema, name) for schema, name in row["parent_names"] or ()])
        bound = there(row["bound"]) if row["relispartition"] else None
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
            definition=there(row["definition"]) if row["kind"] in "vm" else None,
            partition_key=there(row["partition_key"]) if row["kind"] == "p" else None,
            comment=row["comment"],
            partition_of=PartitionOf(schema=parents[0][0], table=parents[0][1], bound=bound)
            if bound is not None
            else None,
            inherits=() if bound is not None else parents,
            unlogged=row["unlogged"],
            storage=tuple(row["storage"] or ()),
            server=(row["server"], row["wrapper"]) if row["server"] else None,
            options=options_of(row["options"]),
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
        schema, table = row["foreign_names"] or self._table_names[row["confrelid"]]
        return ForeignKey(
            name=row["conname"],
            columns=named_columns(row["columns"], names),
            referenced_schema=schema,
            referenced_table=table,
            referenced_columns=tuple(
                row["foreign_column_names"] or named_columns(row["foreign_columns"], referenced)
            ),
            on_update=_ACTIONS[row["on_update"]],
            on_delete=_ACTIONS[row["on_delete"]],
            deferrable=row["condeferrable"],
            initially_deferred=row["condeferred"],
            definition=there(row["definition"]) if row["is_deparsed"] else None,
            comment=row["comment"],
        )


@dataclass(slots=True)
class _Constraints:
    """Constraints of one table, each kind sorted by name."""

    primary_key: Key | None = None
    unique: list[Key] = field(default_factory=list)
    foreign: list[ForeignKey] = field(default_factory=list)
    others: list[Constraint] = field(default_factory=list)


_NO_CONSTRAINTS = _Constraints()


def _decoded(rows: Rows) -> dict[str, Rows]:
    return {name: msgspec.json.decode(text or "[]") for name, text in rows[0].items()}
