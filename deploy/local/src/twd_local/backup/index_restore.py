"""Putting collections back: beside what is there, then all aliases in one request, then cleaning.

Readers find whole collections at every moment: those from before, or those of the backup. Each
step finds out by itself what is done already, so that a restore that was killed is run again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from qdrant_client import QdrantClient, models

from twd_local.backup.index_export import content_of, payload_indexes_of, settings_of
from twd_local.backup.index_names import OurCollections, beside
from twd_local.backup.manifest import StoredCollection, StoredIndex
from twd_local.backup.points import read_points
from twd_local.stack.errors import StackError
from twd_shared.clients.qdrant import index_errors

_BATCH = 128


class IndexRestore:
    """Restores the collections of one backup: `fill`, then `serve`, then `settle`."""

    def __init__(
        self,
        client: QdrantClient,
        ours: OurCollections,
        folder: Path,
        stored: StoredIndex,
        say: Callable[[str], None],
    ) -> None:
        """`folder` is a backup that was verified."""
        self._client = client
        self._ours = ours
        self._folder = folder
        self._stored = stored
        self._say = say
        self._places: dict[str, str] = {}
        self._made: list[str] = []

    def fill(self) -> None:
        """Have every collection on the server, under its own name or beside; changes no alias.

        Raises StackError when the backup is of an index of another name, or an alias of it is the
        name of somebody's collection.
        """
        others = [one.name for one in self._stored.collections if not self._ours.is_ours(one.name)]
        if others:
            raise StackError(
                f"The backup's schema index has another name than TWD_INDEX_ALIAS says, so nobody "
                f"would read it: {', '.join(others)}. Nothing was changed. Set TWD_INDEX_ALIAS to "
                "what stands there before the first __ (on one machine make down and make up after "
                "it), and run make restore again."
            )
        if taken := sorted(self._ours.others() & self._stored.aliases.keys()):
            raise StackError(
                f"Qdrant has collections with the names of aliases of the backup: "
                f"{', '.join(taken)}. Nothing was changed. Delete them or copy them to other names."
            )
        present = self._ours.names()
        served = set(self._ours.aliases().values())
        for collection in self._stored.collections:
            name = collection.name
            # Under its own name it may be served: it stays until the other one is. Beside it may be
            # served too, by a restore of another backup that was killed: then nobody reads this.
            if (
                name in present
                and beside(name) not in served
                and not self._is_whole(collection, name)
            ):
                name = beside(name)
            self._make(collection, name)
            self._places[collection.name] = name

    def abandon(self) -> None:
        """Delete what `fill` has made: it may be what the disk has no room for."""
        for name in self._made:
            self._delete(name)

    def serve(self) -> None:
        """Let readers find what was filled, in one request for all aliases."""
        self._move({alias: self._places[name] for alias, name in self._stored.aliases.items()})

    def settle(self) -> None:
        """Give every collection its own name, and delete what the backup does not hold."""
        stored = {collection.name: collection for collection in self._stored.collections}
        for name in sorted(self._ours.names() - stored.keys()):
            self._delete(name)
        for name, place in self._places.items():
            if place != name:
                # Qdrant cannot rename a collection: it is written once more.
                self._delete(name)
                self._make(stored[name], name)
        if any(place != name for name, place in self._places.items()):
            self._move(self._stored.aliases)
        for name in sorted(self._ours.left_beside()):
            self._delete(name)

    def _make(self, collection: StoredCollection, name: str) -> None:
        """Have it under `name`, whole; raises StackError if the server holds something else."""
        if self._is_whole(collection, name):
            return
        self._delete(name)
        self._made.append(name)
        create = models.CreateCollection.model_validate(collection.settings)
        with index_errors(self._client):
            self._client.create_collection(
                name,
                vectors_config=create.vectors,
                sparse_vectors_config=create.sparse_vectors,
                **_rest_of(create),
            )
            for field, index in collection.payload_indexes.items():
                self._client.create_payload_index(name, field, _payload_index(index), wait=True)
            for points in read_points(self._folder / collection.file.name, _BATCH):
                self._client.upsert(name, points, wait=True)
        if not self._is_whole(collection, name):
            raise StackError(
                f"Collection {name} holds something else than was written to it: the server "
                "changes points, or somebody else writes to it. What is served was not changed."
            )
        self._say(f"  {name}: {collection.points} points")

    def _is_whole(self, collection: StoredCollection, name: str) -> bool:
        """Whether a collection has the settings and exactly the points of the backup."""
        with index_errors(self._client):
            if not self._client.collection_exists(name):
                return False
            info = self._client.get_collection(name)
            if _made_by(settings_of(info)) != _made_by(collection.settings):
                return False
            if payload_indexes_of(info).keys() != collection.payload_indexes.keys():
                return False
            if self._client.count(name, exact=True).count != collection.points:
                return False
            return content_of(self._client, name).digest == collection.content

    def _move(self, aliases: Mapping[str, str]) -> None:
        # Creating an alias that exists moves it; each action is durable by itself, so that none is
        # deleted that would be missed if the server died in between.
        operations: list[Any] = [
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(alias_name=alias, collection_name=name)
            )
            for alias, name in aliases.items()
        ]
        operations += [
            models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))
            for alias in self._ours.aliases()
            if alias not in aliases
        ]
        if operations:
            with index_errors(self._client):
                self._client.update_collection_aliases(operations)

    def _delete(self, name: str) -> None:
        with index_errors(self._client):
            if self._client.collection_exists(name):
                self._client.delete_collection(name)


def _made_by(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the settings without which points would be others."""
    return {name: settings.get(name) for name in ("vectors", "sparse_vectors", "metadata")}


def _rest_of(create: models.CreateCollection) -> dict[str, Any]:
    names = set(models.CreateCollection.model_fields) - {"vectors", "sparse_vectors"}
    return {name: value for name in names if (value := getattr(create, name)) is not None}


def _payload_index(index: Any) -> Any:
    """A kind as `keyword`, or the parameters of one."""
    if isinstance(index, str):
        return models.PayloadSchemaType(index)
    return models.CreateFieldIndex.model_validate(
        {"field_name": "unused", "field_schema": index}
    ).field_schema
