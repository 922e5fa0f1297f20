"""The schema index in Qdrant: which physical collection is served, and how that is changed.

Two aliases name collections: the index's own the one that is served, `…_previous` the one before.
Whoever reads resolves the alias once for a question and then reads that collection by its own name
with the model that made it: a swap in between mixes nothing. Points: `index_points.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from twd_shared.clients.index_collections import (
    REMEDY,
    IndexCollection,
    Making,
    collection_name,
    complete_collection,
    create_collection,
    pattern_of,
    read_collection,
)
from twd_shared.clients.index_points import ConnectionPoints
from twd_shared.clients.qdrant import aliases_in, collections_in, index_errors
from twd_shared.clients.token_budget import TokenBudget
from twd_shared.errors import IndexRejected

_MOST_CONNECTIONS = 1_000_000


class Names(NamedTuple):
    """Physical collections by their part: served now, and served before that."""

    live: str | None
    previous: str | None


class SchemaIndex:
    """The schema index behind one alias."""

    def __init__(self, client: QdrantClient, alias: str) -> None:
        """`client` is shared; `alias` is the name that readers use."""
        self._client = client
        self._names = pattern_of(alias)
        self.alias = alias
        self.previous_alias = f"{alias}_previous"
        # What made a collection never changes, and no name is used twice.
        self._known: dict[str, IndexCollection] = {}
        self._last_served: str | None = None

    def served(self) -> IndexCollection | None:
        """The collection that readers read now; None when nothing was ever published.

        Raises IndexRejected when the alias leads to a collection that cannot be read, and when
        there is no alias, though something was published: its collection was deleted, and the alias
        with it, or the alias alone was lost.
        """
        last = self._last_served
        if last is not None and self._is_live(last):
            return self.collection(last)
        live, previous = self.names()
        self._last_served = live
        if live is not None:
            return self.collection(live)
        others = [name for name in self.collections() if name != previous]
        if filled := [name for name in others if self._has_points(name)]:
            otherwise = (
                "the first index is still being built by index_migration_job"
                if previous is None
                else f"what was served is gone, and make rollback-index serves {previous} again"
            )
            raise IndexRejected(
                f"Nothing is served as {self.alias}, though there are points in "
                f"{', '.join(filled)}: the alias was lost, which the next publication sets again, "
                f"or {otherwise}."
            )
        if previous is not None:
            raise self.gone(previous)
        return None

    def gone(self, previous: str) -> IndexRejected:
        """What is raised where nothing is served, but `previous` was before that."""
        return IndexRejected(
            f"The collection that was served as {self.alias} is gone. Run make rollback-index: "
            f"it serves {previous} again; or {REMEDY[0].lower()}{REMEDY[1:]}"
        )

    def names(self) -> Names:
        """What the aliases name now, whether it can be read or not; None where there is none."""
        return self._names_in(aliases_in(self._client))

    def collection(self, name: str) -> IndexCollection:
        """The physical collection of that name; raises IndexRejected as `read_collection` does."""
        if name not in self._known:
            self._known[name] = read_collection(self._client, name)
        return self._known[name]

    def points(self, connection_id: str, collection: str) -> ConnectionPoints:
        """One connection's points in the physical collection of that name."""
        return ConnectionPoints(self._client, collection, connection_id)

    def collections(self) -> list[str]:
        """The names of all physical collections of this index."""
        return sorted(filter(self._names.fullmatch, collections_in(self._client)))

    def unserved(self, making: Making) -> IndexCollection | None:
        """The newest collection of that making that no alias names: one that is being built."""
        taken = set(aliases_in(self._client).values())
        for name in sorted(self.collections(), key=self._number, reverse=True):
            if name in taken or not self._number(name):
                continue
            try:
                found = self.collection(name)
            except IndexRejected:
                continue
            if found.making == making:
                complete_collection(self._client, name)
                return found
        return None

    def create(
        self, making: Making, token_budget: TokenBudget, used: Iterable[str] = ()
    ) -> IndexCollection:
        """A new collection with the next free number, which is above those of the `used` names."""
        number = 1 + max(map(self._number, (*self.collections(), *used)), default=0)
        name = collection_name(self.alias, making, number)
        return create_collection(self._client, name, making, token_budget)

    def serve(self, name: str) -> None:
        """Let readers find that collection, and keep the one before under the other alias.

        One request; if the server dies within it, what was served still is.
        """
        aliases = aliases_in(self._client)
        before = aliases.get(self.alias)
        moved: dict[str, str] = {}
        if before is not None and before != name and before in self.collections():
            moved[self.previous_alias] = before
        self._move(aliases, moved | {self.alias: name})

    def exchange(self) -> None:
        """Let readers find what was served before, and the other way round, in one request.

        If the server dies within it, readers may find what was served before, and nothing is kept
        from before that. Raises IndexRejected when nothing is kept from before.
        """
        aliases = aliases_in(self._client)
        live, previous = self._names_in(aliases)
        if previous is None:
            raise IndexRejected(
                f"The schema index {self.alias} keeps no earlier collection to go back to."
            )
        moved = {self.alias: previous}
        if live is not None and live in self.collections():
            moved[self.previous_alias] = live
        self._move(aliases, moved)

    def drop(self, name: str) -> bool:
        """Delete a collection of this index; False, and nothing is done, if an alias names it."""
        if name in aliases_in(self._client).values() or not self._names.fullmatch(name):
            return False
        with index_errors(self._client):
            return self._client.delete_collection(name)

    def counts(self, name: str) -> dict[str, int]:
        """How many points that collection holds of each connection, exactly."""
        with index_errors(self._client):
            hits = self._client.facet(
                name, "connection_id", limit=_MOST_CONNECTIONS, exact=True
            ).hits
        return {str(hit.value): hit.count for hit in hits if hit.count}

    def delete_connection(self, connection_id: str) -> None:
        """Delete all points of a connection from every collection of this index."""
        for name in self.collections():
            self.points(connection_id, name).delete_all()

    def _is_live(self, name: str) -> bool:
        """Asks for this collection alone: the server may have thousands of other aliases."""
        with index_errors(self._client):
            try:
                found = self._client.get_collection_aliases(name).aliases
            except UnexpectedResponse as error:
                if error.status_code != HTTPStatus.NOT_FOUND:
                    raise
                return False
        return any(item.alias_name == self.alias for item in found)

    def _names_in(self, aliases: dict[str, str]) -> Names:
        live, previous = aliases.get(self.alias), aliases.get(self.previous_alias)
        # Both name the same where the server died within a move.
        return Names(live, previous if previous != live else None)

    def _has_points(self, name: str) -> bool:
        with index_errors(self._client):
            return self._client.count(name, exact=True).count > 0

    def _move(self, aliases: dict[str, str], moved: dict[str, str]) -> None:
        """Point the aliases, in that order; `aliases` are those of now.

        Qdrant makes each action durable by itself, and creating an alias that exists moves it:
        deleted before, none would be left where the server dies in between.
        """
        operations: list[models.AliasOperations] = [
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(collection_name=name, alias_name=alias)
            )
            for alias, name in moved.items()
        ]
        if self.previous_alias not in moved and (
            aliases.get(self.previous_alias) == moved[self.alias]
        ):
            # What was served is gone, and what was before it is served: nothing is before that.
            ended = models.DeleteAlias(alias_name=self.previous_alias)
            operations.append(models.DeleteAliasOperation(delete_alias=ended))
        with index_errors(self._client):
            try:
                self._client.update_collection_aliases(operations)
            except UnexpectedResponse as error:
                if error.status_code != HTTPStatus.CONFLICT:
                    raise
                raise IndexRejected(
                    f"The schema index cannot be served as {self.alias!r}: a collection of that "
                    "name exists. Delete or rename it, or set TWD_INDEX_ALIAS to another name."
                ) from None

    def _number(self, name: str) -> int:
        found = self._names.fullmatch(name)
        return int(found["number"] or 0) if found else 0
