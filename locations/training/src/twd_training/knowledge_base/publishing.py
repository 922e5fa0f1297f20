"""Publishing a knowledge base: build beside what is served, count, swap, drop what is old.

Readers see a whole version at any moment. A run that is killed leaves collections that no reader
sees; the next run takes over their vectors and deletes them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from twd_shared.clients.embedding import embed_within
from twd_shared.clients.ollama import EmbeddingModel, Ollama
from twd_shared.errors import IndexUnavailable
from twd_training.knowledge_base.collections import Collections
from twd_training.knowledge_base.documents import Document, content_hash_of
from twd_training.knowledge_base.names import Part
from twd_training.knowledge_base.versions import ModelVersion, ModelVersions

_CHUNK = 512


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did; counts are documents, `embedded` those that were embedded now."""

    version: ModelVersion
    is_new: bool
    added: int
    unchanged: int
    removed: int
    embedded: int


class Publisher:
    """Publishes the knowledge base of one connection."""

    def __init__(
        self, connection_id: str, collections: Collections, versions: ModelVersions, ollama: Ollama
    ) -> None:
        """Call `publish` while holding `versions.exclusive(connection_id)`."""
        self._connection_id = connection_id
        self._collections = collections
        self._versions = versions
        self._ollama = ollama

    def publish(self, documents: Sequence[Document], snapshot_version: int) -> Published:
        """Serve exactly `documents`; a new version only if they or the model have changed.

        Raises the errors of the embedding and the index; IndexUnavailable when Qdrant holds
        another number of points than were written.
        """
        model = self._ollama.embedding_model()
        content_hash = content_hash_of(documents)
        live = self._settle()
        if (
            live is not None
            and (live.content_hash, live.model, live.model_digest)
            == (content_hash, model.name, model.digest)
            and self._collections.counts(live.version) == _counts(documents)
        ):
            self._versions.confirm(self._connection_id, live.version, snapshot_version)
            self._drop_others(live.version)
            return Published(live, False, 0, len(documents), 0, 0)
        served = self._collections.served() or 0
        before = self._collections.hashes(served)
        number = max(self._versions.newest_number(self._connection_id), served) + 1
        embedded = self._build(number, documents, model)
        self._collections.serve(number)
        version = self._version(number, documents, model, content_hash, snapshot_version)
        self._versions.record_live(version)
        self._drop_others(number, live.version if live else None)
        now = {document.content_hash for document in documents}
        return Published(
            version, True, len(now - before), len(now & before), len(before - now), embedded
        )

    def _settle(self) -> ModelVersion | None:
        """The version that is served, also when somebody has gone back to an earlier one.

        None when nothing is served, or what is served by a run that was killed before it had
        recorded it.
        """
        served = self._collections.served()
        kept = self._versions.kept(self._connection_id)
        version = kept.get(served) if served is not None else None
        number = version.version if version else None
        if [one.version for one in kept.values() if one.is_live] != ([number] if number else []):
            self._versions.make_live(self._connection_id, number)
        return version

    def _build(self, number: int, documents: Sequence[Document], model: EmbeddingModel) -> int:
        model_id = _model_id(model)
        known: dict[str, Sequence[float]] = {}
        for version in self._collections.present():
            known |= self._collections.vectors(version, model_id)
        # A number that neither is recorded nor served belongs to a run that was killed.
        self._collections.drop({v for v in self._collections.present() if v >= number})
        self._collections.create(number, model.dimension)
        embedded = 0
        for start in range(0, len(documents), _CHUNK):
            chunk = documents[start : start + _CHUNK]
            missing = [one for one in chunk if one.content_hash not in known]
            texts = [document.searchable for document in missing]
            vectors = embed_within(self._ollama, texts, "document")
            for document, vector in zip(missing, vectors, strict=True):
                known[document.content_hash] = vector
            embedded += len(missing)
            self._collections.write(
                number, chunk, [known[document.content_hash] for document in chunk], model_id
            )
        counted = self._collections.counts(number)
        if counted != _counts(documents):
            raise IndexUnavailable(
                f"Qdrant holds {counted} points of version {number}, not {_counts(documents)}. "
                "Nothing was swapped; the version that was served before still is."
            )
        return embedded

    def _version(
        self,
        number: int,
        documents: Sequence[Document],
        model: EmbeddingModel,
        content_hash: str,
        snapshot_version: int,
    ) -> ModelVersion:
        counts = _counts(documents)
        return ModelVersion(
            connection_id=self._connection_id,
            version=number,
            snapshot_version=snapshot_version,
            content_hash=content_hash,
            model=model.name,
            model_digest=model.digest,
            dimension=model.dimension,
            ddl_count=counts["ddl"],
            documentation_count=counts["documentation"],
            question_sql_count=counts["sql"],
            collections=self._collections.names(number),
        )

    def _drop_others(self, live: int, previous: int | None = None) -> None:
        """Keep the live version and the one before it, for going back; drop all others."""
        recorded = self._versions.kept(self._connection_id)
        present = self._collections.present()
        older = [number for number in recorded if number < live and number in present]
        kept = {live, previous if previous is not None else max(older, default=live)}
        self._collections.drop(present - kept)
        self._versions.forget_collections(self._connection_id, recorded.keys() - kept)


def _model_id(model: EmbeddingModel) -> str:
    return f"{model.name}@{model.digest}"


def _counts(documents: Sequence[Document]) -> dict[Part, int]:
    by_part = Counter(document.part for document in documents)
    return {
        "ddl": by_part["ddl"],
        "documentation": by_part["documentation"],
        "sql": by_part["sql"],
        "langchain": len(documents),
    }
