"""By which ids PostgreSQL knows the objects of a reading: pure functions of its rows."""

from __future__ import annotations

from collections.abc import Mapping

from twd_schema.extraction.postgresql.values import Row, Rows
from twd_shared.schema_model.fingerprint import content_fingerprint, routine_name
from twd_shared.schema_model.identities import Identities, Identity
from twd_shared.schema_model.models import ObjectKey

_TYPE_KINDS = {"e": "enum", "d": "domain", "r": "range", "c": "composite"}

Keys = Mapping[tuple[str, int], ObjectKey]
"""Keys of objects by (class, oid): r = relation, t = type, p = routine, c = collation."""


def keys_by_id(
    tables: Rows, types: Rows, routines: Rows, collations: Rows
) -> dict[tuple[str, int], ObjectKey]:
    """The key of every object in these rows; a composite type's also by its relation."""
    keys: dict[tuple[str, int], ObjectKey] = {}
    for row in tables:
        kind = "partition" if row["relispartition"] else "table"
        kind = "sequence" if row["kind"] == "S" else kind
        keys["r", row["oid"]] = (kind, row["nspname"], row["relname"])
    for row in types:
        key = (_TYPE_KINDS[row["kind"]], row["nspname"], row["typname"])
        keys["t", row["oid"]] = key
        if row["kind"] == "c":
            keys["r", row["typrelid"]] = key
    for row in routines:
        name = routine_name(row["proname"], row["arguments"])
        keys["p", row["oid"]] = ("routine", row["nspname"], name)
    for row in collations:
        keys["c", row["oid"]] = ("collation", row["nspname"], row["collname"])
    return keys


def identities_of(
    keys: Keys, columns: Mapping[int, Mapping[int, str]], types: Rows, places: Rows, at: str
) -> Identities:
    """Ids of the objects with these keys and of the schemas and extensions in `places`.

    `columns` are names by number, by the oid of their relation; `at` is where the server was
    reached: a copy of a server has the same ids, and goes its own way from then on. A server that
    is set back to one does so too, and is started for that: when it was stands apart in the origin.
    """
    server = next(row for row in places if row["kind"] == "server")
    labels = {row["oid"]: row for row in types if row["kind"] == "e"}
    found: list[Identity] = []
    for (catalog, oid), key in keys.items():
        if catalog == "r" and key[0] != "composite":
            names = columns.get(oid, {})
            found.append(Identity(*key, oid, tuple(names.values()), tuple(names)))
        elif catalog == "t" and oid in labels:
            found.append(Identity(*key, oid, *_labels(labels[oid])))
        elif catalog != "r":
            found.append(Identity(*key, oid))
    for row in places:
        if row["kind"] == "namespace":
            found.append(Identity("namespace", row["name"], row["name"], row["oid"]))
        elif row["kind"] == "extension":
            found.append(Identity("extension", row["place"], row["name"], row["oid"]))
    *database, started = server["needs"]
    origin = f"{content_fingerprint((at, *database))} {started}"
    return Identities(origin=origin, objects=tuple(found))


def _labels(row: Row) -> tuple[tuple[str, ...], tuple[int, ...]]:
    return tuple(row["labels"] or ()), tuple(row["label_ids"] or ())
