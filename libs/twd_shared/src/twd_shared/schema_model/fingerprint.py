"""Content hashes of schema objects and snapshots: equal content, equal fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from twd_shared.schema_model.models import (
    ObjectKey,
    Routine,
    SchemaObject,
    Snapshot,
    encode_into,
    kind_of,
)

# In bytes. An entry of an index of PostgreSQL holds 2,704, with the schema and the connection.
_LONGEST_ARGUMENTS = 1_800
_SHOWN_ARGUMENTS = 200


def key_of(schema_object: SchemaObject) -> ObjectKey:
    """The identity of a schema object inside its database."""
    name = schema_object.name
    if isinstance(schema_object, Routine):
        name = routine_name(name, schema_object.arguments)
    return (kind_of(schema_object), schema_object.schema, name)


def routine_name(name: str, arguments: str) -> str:
    """A routine's name in its key: it ends in the argument types, by which routines differ too.

    Of types that are too long for a key it has the beginning and a hash.
    """
    if len(arguments.encode()) > _LONGEST_ARGUMENTS:
        arguments = f"{arguments[:_SHOWN_ARGUMENTS]}… {content_fingerprint([arguments])}"
    return f"{name}({arguments})"


def objects_by_key(snapshot: Snapshot) -> dict[ObjectKey, SchemaObject]:
    """The snapshot's objects by their keys, tables first."""
    return {key_of(item): item for item in snapshot.objects}


def content_fingerprint(parts: Iterable[str]) -> str:
    """SHA-256 over the parts in their order, 32 hex digits; parts are length-prefixed."""
    encoded = [part.encode() for part in parts]
    # Lengths are few: a large schema has a hundred thousand parts.
    prefixes = {length: length.to_bytes(8, "big") for length in set(map(len, encoded))}
    prefixed = b"".join([prefixes[len(data)] + data for data in encoded])
    return digest(prefixed)


def object_fingerprints(snapshot: Snapshot) -> dict[ObjectKey, str]:
    """Fingerprint of each object of the snapshot by its key."""
    return fingerprints_of(objects_by_key(snapshot))


def fingerprints_of(objects: Mapping[ObjectKey, SchemaObject]) -> dict[ObjectKey, str]:
    """Fingerprint of each of the objects by its key, in their order.

    That is the digest of its canonical JSON.
    """
    # In one place for all: to make room for each anew takes a quarter of the time.
    canonical = bytearray()
    found: dict[ObjectKey, str] = {}
    for key, item in objects.items():
        encode_into(item, canonical)
        found[key] = digest(canonical)
    return found


def snapshot_fingerprint(fingerprints: dict[ObjectKey, str]) -> str:
    """Fingerprint of a whole snapshot from those of its objects; their order does not matter."""
    parts: list[str] = []
    for key in sorted(fingerprints):
        parts += (*key, fingerprints[key])
    return content_fingerprint(parts)


def digest(data: bytes | bytearray) -> str:
    """SHA-256 of the bytes, first 128 bits as 32 hex digits."""
    return hashlib.sha256(data).hexdigest()[:32]
