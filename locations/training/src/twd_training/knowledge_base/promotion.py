"""What a person decides over the gate: to serve the held version, or the one before the present."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from qdrant_client import QdrantClient

from twd_shared.clients.ollama import Ollama
from twd_shared.errors import PermanentError, UnknownConnection
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.snapshots import SnapshotStore
from twd_training.examples.store import TrainingSet
from twd_training.knowledge_base.collections import Collections
from twd_training.knowledge_base.documents import content_hash_of
from twd_training.knowledge_base.embedding import require_same_model, write_embedded
from twd_training.knowledge_base.held_alerts import HeldAlerts, forget_told
from twd_training.knowledge_base.keeping import (
    BY_A_PERSON,
    drop_others,
    has_foreign_vectors,
    is_beside,
    is_left_by_a_person,
    previous_of,
    settle,
)
from twd_training.knowledge_base.material import read_material
from twd_training.knowledge_base.publishing import Published, model_id_of
from twd_training.knowledge_base.versions import ModelVersion, ModelVersions
from twd_training.knowledge_base.withdrawal import Withdrawal


class VersionNotKept(PermanentError):
    """A version of a knowledge base cannot be served: it is gone, or cannot be put right."""


@dataclass(frozen=True, slots=True)
class Served:
    """What is served after a decision; `before` None = nothing was, or nothing was done.

    `withdrawn` counts documents that the schema or users have made wrong since it was made.
    """

    version: int
    before: int | None
    is_done: bool
    withdrawn: int = 0


@dataclass(frozen=True, slots=True)
class _Alone:
    """The knowledge base as it is held for one decision, and its live version."""

    collections: Collections
    versions: ModelVersions
    live: ModelVersion | None


class Decisions:
    """Promotes and goes back on one connection's knowledge base."""

    def __init__(
        self,
        partition_key: str,
        database: MetadataDatabase,
        client: QdrantClient,
        ollama: Ollama,
        link: str = "",
    ) -> None:
        """`link` is where messages lead; raises UnknownConnection if none has the partition key."""
        self._database = database
        self._ollama = ollama
        self._key = partition_key
        self._id = ConnectionRegistry(database).by_partition(partition_key).connection_id
        self._client = client
        self._versions = ModelVersions(database)
        self._alerts = HeldAlerts(database, partition_key, link)

    @property
    def published(self) -> Published:
        """The version that is served now, and the one that is held beside it."""
        return Published(self._versions.live(self._id), self._versions.held(self._id))

    def promote(self) -> Served:
        """Serve the held version; nothing is done when none is held.

        One whose vectors were not its model's is embedded anew: whoever promotes it says that the
        model is right as it is now. Raises UnknownConnection when there is no knowledge base at
        all, VersionNotKept when Qdrant has lost a part of that version, it cannot be embedded any
        more or another was made while this waited, MetadataUnavailable when the lock was lost
        meanwhile, and the errors of the embedding and the index.
        """
        with self._held_alone() as alone:
            live, versions = alone.live, alone.versions
            held = versions.held(self._id)
            if held is None or held.version not in alone.collections.present():
                if live is None:
                    raise UnknownConnection(
                        f"{self._key} has no knowledge base. Run training_job for it."
                    )
                if held is None:
                    # One that was killed when it had served may not have done the rest.
                    self._settle_promoted(live)
                return Served(live.version, live.version, is_done=False)
            self._require_whole(held, alone)
            if has_foreign_vectors(held):
                self._embed_anew(held, alone)
            comparison = {**(held.comparison or {}), "promoted_against": held.held_reason}
            versions.hold(self._id, held.version, held.held_reason, comparison)
            withdrawn = self._serve(held, alone)
            self._settle_promoted(held)
            return Served(held.version, live.version if live else None, True, withdrawn)

    def go_back(self) -> Served:
        """Serve the version that was served before; it is done once, not over and over.

        The version that was served becomes the held one, so that its content is not promoted by
        itself again. Raises VersionNotKept when there is none to go back to, Qdrant has lost a part
        of it, or another was made while this waited, MetadataUnavailable when the lock was lost
        meanwhile.
        """
        with self._held_alone() as alone:
            live, versions = alone.live, alone.versions
            held = versions.held(self._id)
            if live and held and is_left_by_a_person(held) and is_beside(held, live):
                return Served(live.version, live.version, is_done=False)
            previous = (
                previous_of(live.version, alone.collections, versions.kept(self._id))
                if live
                else None
            )
            if live is None or previous is None:
                raise VersionNotKept(
                    f"{self._key} has no earlier version of its knowledge base to go back to: one "
                    "is kept from the second version on, until another takes its place."
                )
            self._require_whole(previous, alone)
            # First: once the earlier one is served, a run must know that this one was left.
            comparison = {**(live.comparison or {}), "live_version": previous.version}
            reason = f"{BY_A_PERSON} from it to version {previous.version}."
            versions.hold(self._id, live.version, reason, comparison | {"findings": []})
            withdrawn = self._serve(previous, alone)
            # A newer one that the gate held is dropped, and can be promoted no more.
            forget_told(self._database, self._id)
            return Served(previous.version, live.version, True, withdrawn)

    def _require_whole(self, version: ModelVersion, alone: _Alone) -> None:
        missing = alone.collections.missing(version.collections.values())
        if missing:
            raise VersionNotKept(
                f"Version {version.version} of the knowledge base of {self._key} cannot be served: "
                f"Qdrant has lost {', '.join(missing)}. What is served now stays. Restore them, or "
                "run training_job, which makes a new version where what is served is behind."
            )

    def _settle_promoted(self, served: ModelVersion) -> None:
        """Say that none is held any more, and ask for a training if `served` is behind.

        A newer version that the gate held is gone since a person went back.
        """
        self._alerts.tell_none_held(served)
        documents = read_material(self._id, self._database).documents
        if content_hash_of(documents) != served.content_hash:
            TrainingSet(self._database).mark_published(self._id, None)

    def _embed_anew(self, held: ModelVersion, alone: _Alone) -> None:
        documents = read_material(self._id, self._database).documents
        model = self._ollama.embedding_model()
        now = (content_hash_of(documents), model.name, model.digest)
        if now != (held.content_hash, held.model, held.model_digest):
            raise VersionNotKept(
                f"Version {held.version} of the knowledge base of {self._key} holds vectors that "
                "its model did not give, and what it was made from has changed since. Run "
                "training_job: it makes a new version."
            )
        write_embedded(
            held.version, documents, {}, alone.collections, self._ollama, model_id_of(model)
        )
        require_same_model(self._ollama, model)

    def _serve(self, version: ModelVersion, alone: _Alone) -> int:
        """Serve a version without what is wrong in it; gives how many documents that were."""
        collections, versions = alone.collections, alone.versions
        material = read_material(self._id, self._database)
        snapshots = SnapshotStore(self._database)
        withdrawal = Withdrawal(self._id, material, snapshots, versions, collections)
        version, withdrawn = withdrawal.withdraw(version)
        collections.complete(version.version)
        collections.serve(version.version)
        versions.make_live(self._id, version.version)
        left = versions.kept(self._id).get(alone.live.version) if alone.live else None
        # Not a newer one that the gate holds: only what a person left can be promoted again.
        kept = left.version if left and left.is_held else None
        drop_others(self._id, collections, versions, version.version, kept)
        return withdrawn

    @contextmanager
    def _held_alone(self) -> Iterator[_Alone]:
        """The knowledge base, when no run holds it any more.

        Raises VersionNotKept when such a run, or another person, has changed what there is to
        decide over: this one has not looked at it. Raises UnknownConnection for a paused
        connection.
        """
        known = self._state()
        with self._versions.exclusive(self._id) as lock:
            if not ConnectionRegistry(self._database).is_active(self._id):
                raise UnknownConnection(
                    f"{self._key} is paused or was removed in the application, and its knowledge "
                    "base goes with it. Activate it there."
                )
            if self._state() != known:
                raise VersionNotKept(
                    f"A training of {self._key}, or another decision, has changed which versions "
                    "of its knowledge base there are, or which is served, while this waited for "
                    "it, and nothing was done. Look at what is served and what is held now, and "
                    "decide again."
                )
            collections = Collections(self._client, self._key, lock.still_held)
            versions = ModelVersions(self._database, lock.still_held)
            yield _Alone(collections, versions, settle(self._id, collections, versions))

    def _state(self) -> tuple[int | None, ...]:
        """The newest, the live and the held version: a run makes one before it serves it."""
        now = self.published
        newest = self._versions.newest_number(self._id)
        return (newest, *(one.version if one else None for one in (now.version, now.held)))
