"""Reading collections through the server's REST API: settings, payload indexes and all points.

A page at a time, so that memory does not grow with the collection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from twd_local.backup.index_names import OurCollections
from twd_local.backup.manifest import StoredCollection, StoredIndex, stored_file
from twd_local.backup.points import Content, PointWriter
from twd_local.stack.errors import StackError
from twd_shared.clients.qdrant import index_errors
from twd_shared.errors import IndexUnavailable

_PAGE = 256
_ROUNDS = 10


def export_index(
    client: QdrantClient, ours: OurCollections, folder: Path, say: Callable[[str], None]
) -> StoredIndex:
    """Write a file for each collection of ours; aliases are those of when all were written.

    Collections that appear meanwhile are written too, those that are deleted are left out.
    Raises: StackError when a restore has to be finished first, IndexUnavailable when they never
    stop changing, and the errors of the server.
    """
    if unfinished := sorted(ours.left_beside() & set(ours.aliases().values())):
        raise StackError(
            f"A restore has not come to its end: {', '.join(unfinished)} is served under a name "
            "for the meantime. Run it again (make restore FROM=… of the same folder), then this."
        )
    with index_errors(client):
        version = client.info().version
    written: dict[str, StoredCollection] = {}
    for _ in range(_ROUNDS):
        present = ours.names()
        aliases = ours.aliases()
        missing = sorted(present - written.keys())
        if not missing and set(aliases.values()) <= written.keys():
            for name in written.keys() - present:
                (folder / written.pop(name).file.name).unlink()
            return StoredIndex(version, [written[name] for name in sorted(written)], aliases)
        for name in missing:
            stored = _export(client, name, folder / f"{len(written):05}.points.gz")
            if stored is not None:
                written[name] = stored
                say(f"  {name}: {stored.points} points, {stored.file.size} bytes")
    raise IndexUnavailable(
        f"Collections were created and deleted all the while, {_ROUNDS} times: there was no moment "
        "at which all were written. Try again when less is imported, or look at what does it."
    )


def settings_of(info: models.CollectionInfo) -> dict[str, Any]:
    """What a collection is created with again.

    Left out is how the server does its work (optimizers, write-ahead log): that is its own matter.
    """
    config = info.config
    params = config.params.model_dump(mode="json", exclude_none=True)
    rest = {
        "hnsw_config": config.hnsw_config,
        "quantization_config": config.quantization_config,
        "strict_mode_config": config.strict_mode_config,
        "metadata": config.metadata,
    }
    known = models.CreateCollection.model_fields
    return {name: value for name, value in params.items() if name in known} | {
        name: value if isinstance(value, dict) else value.model_dump(mode="json", exclude_none=True)
        for name, value in rest.items()
        if value is not None
    }


def payload_indexes_of(info: models.CollectionInfo) -> dict[str, Any]:
    """Field → what its index was created with."""
    return {
        field: index.params.model_dump(mode="json", exclude_none=True)
        if index.params
        else index.data_type.value
        for field, index in sorted(info.payload_schema.items())
    }


def content_of(client: QdrantClient, name: str) -> Content:
    """What a collection holds, told by reading all of it."""
    content = Content()
    for records in pages(client, name):
        for record in records:
            content.add(record)
    return content


def pages(client: QdrantClient, name: str) -> Iterator[list[models.Record]]:
    """All points with their vectors, in the order of their ids."""
    offset: Any = None
    while True:
        records, offset = client.scroll(
            name, limit=_PAGE, offset=offset, with_payload=True, with_vectors=True
        )
        yield records
        if offset is None:
            return


def _export(client: QdrantClient, name: str, path: Path) -> StoredCollection | None:
    """None if the collection was deleted meanwhile, which is no fault."""
    try:
        with index_errors(client):
            try:
                info = client.get_collection(name)
                with PointWriter(path) as writer:
                    for records in pages(client, name):
                        writer.write(records)
            except UnexpectedResponse as error:
                if error.status_code != HTTPStatus.NOT_FOUND:
                    raise
                path.unlink(missing_ok=True)
                return None
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return StoredCollection(
        name,
        stored_file(path),
        writer.content.points,
        writer.content.digest,
        settings_of(info),
        payload_indexes_of(info),
    )
