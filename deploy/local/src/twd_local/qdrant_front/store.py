"""All collections of one storage folder: names, aliases, and who may open it.

Belongs here: the registry file and the lock. Not here: points.

`registry.json` says which collections and aliases exist; it is replaced in one step, so the change
of an alias or the deletion of a collection with its aliases happens wholly or not at all. A folder
that the registry does not name is left over from an interrupted create or delete, and is removed.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from twd_local.qdrant_front.collection import Collection, read_settings
from twd_local.qdrant_front.errors import ApiError, no_collection, not_found, taken, unsupported
from twd_local.qdrant_front.fields import Fields, Json, as_list, as_object

_FORBIDDEN = frozenset('<>:"/\\|?*\0\x1f')
_LONGEST_NAME = 255


class StorageLocked(Exception):
    """Another process has the storage folder open."""


class Store:
    """The open storage folder. Raises: StorageLocked when another process has it."""

    def __init__(self, folder: Path) -> None:
        self._collections_folder = folder / "collections"
        self._registry_file = folder / "registry.json"
        self._collections_folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise StorageLocked(str(folder)) from None
        self._aliases: dict[str, str] = {}
        self._collections: dict[str, Collection] = {}
        known: Json = {"collections": {}, "aliases": {}}
        if self._registry_file.exists():
            known = json.loads(self._registry_file.read_text())
        kept = {entry["folder"] for entry in known["collections"].values()}
        for path in self._collections_folder.iterdir():
            if path.name not in kept:
                shutil.rmtree(path)
        self._aliases = known["aliases"]
        for name, entry in known["collections"].items():
            self._collections[name] = Collection(
                self._collections_folder / entry["folder"], entry["settings"], entry["indexes"]
            )

    def names(self) -> list[str]:
        """Return the names of all collections, aliases left out."""
        return sorted(self._collections)

    def get(self, name: str) -> Collection:
        """Return a collection by its name or alias. Raises: ApiError 404."""
        collection = self._collections.get(self._aliases.get(name, name))
        if collection is None:
            raise no_collection(name)
        return collection

    def exists(self, name: str) -> bool:
        """Say whether a collection or an alias has this name."""
        return self._aliases.get(name, name) in self._collections

    def create(self, name: str, body: Json) -> None:
        """Create a collection. Raises: ApiError 409 when the name is taken, 400, 422."""
        _check_name(name)
        if name in self._collections:
            raise taken(name)
        if name in self._aliases:
            raise ApiError(
                400,
                f"Wrong input: Can't create collection with name {name}. "
                "Alias with the same name already exists",
            )
        settings = read_settings(body)
        folder = self._collections_folder / uuid.uuid4().hex
        folder.mkdir()
        collection = Collection(folder, settings, {})
        collection.create()
        self._collections[name] = collection
        self.save()

    def delete(self, name: str) -> bool:
        """Delete a collection with its aliases; False when there is none of this name."""
        collection = self._collections.pop(name, None)
        if collection is None:
            return False
        self._aliases = {a: target for a, target in self._aliases.items() if target != name}
        self.save()
        collection.close()
        shutil.rmtree(collection.folder)
        return True

    def aliases(self, collection: str | None = None) -> list[Json]:
        """Return all aliases, or those of one collection."""
        return [
            {"alias_name": alias, "collection_name": target}
            for alias, target in sorted(self._aliases.items())
            if collection in (None, target)
        ]

    def change_aliases(self, body: Any) -> None:
        """Apply several alias changes, each saved by itself as the server does.

        One that fails undoes none before it. Raises: ApiError 400, 404, 409.
        """
        fields = Fields(body, "alias request")
        actions = as_list(fields.need("actions"), "actions")
        fields.finish()
        for item in actions:
            self._change_alias(self._aliases, as_object(item, "action"))
            self.save()

    def _change_alias(self, aliases: dict[str, str], action: Json) -> None:
        fields = Fields(action, "alias action")
        if "create_alias" in fields:
            inner = Fields(fields.take("create_alias"), "create_alias")
            alias, target = inner.text("alias_name"), inner.text("collection_name")
            self._check_alias(alias)
            if target not in self._collections:
                raise no_collection(target)
            aliases[alias] = target
        elif "delete_alias" in fields:
            inner = Fields(fields.take("delete_alias"), "delete_alias")
            aliases.pop(inner.text("alias_name"), None)
        elif "rename_alias" in fields:
            inner = Fields(fields.take("rename_alias"), "rename_alias")
            old, new = inner.text("old_alias_name"), inner.text("new_alias_name")
            self._check_alias(new)
            if old not in aliases:
                raise not_found(f"Alias {old} does not exists!")
            aliases[new] = aliases.pop(old)
        else:
            raise unsupported(f"the alias action {sorted(action)}")
        inner.finish()
        fields.finish()

    def _check_alias(self, alias: str) -> None:
        _check_name(alias)
        if alias in self._collections:
            raise taken(alias)

    def save(self) -> None:
        """Write the registry in one step and bring it to the disk."""
        content = {
            "collections": {
                name: {"folder": one.folder.name, "settings": one.settings, "indexes": one.indexes}
                for name, one in self._collections.items()
            },
            "aliases": self._aliases,
        }
        temporary = self._registry_file.with_suffix(".tmp")
        with temporary.open("w") as file:
            # Not json.dump, which walks everything in Python, and takes several times as long.
            file.write(json.dumps(content))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._registry_file)
        folder = os.open(self._registry_file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def settle(self) -> None:
        """Bring changes of a certain age to the disk; call it often."""
        for collection in self._collections.values():
            collection.settle()

    def close(self) -> None:
        """Flush and close everything and release the lock."""
        for collection in self._collections.values():
            collection.close()
        self._lock.close()


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= _LONGEST_NAME or _FORBIDDEN & set(name):
        raise ApiError(
            422, f"Validation error in path parameters: [name: `{name}` is not a valid name]"
        )
