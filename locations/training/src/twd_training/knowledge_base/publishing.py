"""Publishing a knowledge base: build beside what is served, judge, swap, drop what is old.

Readers see a whole version at any moment, and never one that the gate holds back. Each step is
recorded before the next: a run that is killed is made good by the next one, which takes over the
vectors of what was half-built.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Protocol

from twd_shared.clients.embedding_models import prefix_of
from twd_shared.clients.ollama import EmbeddingModel, Ollama
from twd_shared.errors import IndexUnavailable, TwdError
from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_training.knowledge_base.collections import Collections, Stored
from twd_training.knowledge_base.documents import PURPOSES, Document, EmbeddedText, content_hash_of
from twd_training.knowledge_base.embedding import ModelReplaced, require_same_model, write_embedded
from twd_training.knowledge_base.integrity import sources_of
from twd_training.knowledge_base.keeping import (
    drop_others,
    has_foreign_vectors,
    is_beside,
    settle,
)
from twd_training.knowledge_base.material import Material
from twd_training.knowledge_base.names import Part
from twd_training.knowledge_base.versions import (
    NOT_YET_SERVED,
    ModelVersion,
    ModelVersions,
    model_name,
)
from twd_training.knowledge_base.withdrawal import Withdrawal


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version that was built and is not served; its points carry `model_id`."""

    version: int
    model: EmbeddingModel
    model_id: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a candidate must not be served, '' = it may be; and what that was told from."""

    reason: str
    comparison: dict[str, Any]


class Examination(Protocol):
    """The examination of one candidate."""

    def note(self, text: EmbeddedText, vector: list[float]) -> None:
        """See a text with the vector that it was given for the candidate."""
        ...

    def prepare(self) -> None:
        """Begin what needs no candidate: it is nearly built, and its model about to be idle."""
        ...

    def verdict(
        self, live: ModelVersion | None, stored: Mapping[str, Stored], wrong: Collection[str]
    ) -> Verdict:
        """`live` holds `stored`, of which the documents in `wrong` are not to be served."""
        ...


class Judge(Protocol):
    """Decides whether a candidate is served in place of the live version."""

    def examining(self, candidate: Candidate) -> AbstractContextManager[Examination]:
        """The examination of a candidate that is not built yet; nothing of it outlasts `with`."""
        ...

    def stands_by(self, held: ModelVersion) -> bool:
        """Whether what it has held a version for is still a reason to it."""
        ...


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did.

    `version` is the one that is served now, None = none is; `held` the one that is held back beside
    it. Counts are documents: what changed in what is served, what of it was `withdrawn` as wrong,
    and how many texts were `embedded` now, in how many seconds, with the writing of the points.
    `sources` counts what is served.
    """

    version: ModelVersion | None
    held: ModelVersion | None = None
    is_new: bool = False
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    withdrawn: int = 0
    embedded: int = 0
    embedding_seconds: float = field(default=0.0, compare=False)
    sources: Counter[str] = field(default_factory=Counter[str])


class Publisher:
    """Publishes the knowledge base of one connection."""

    def __init__(
        self,
        connection_id: str,
        collections: Collections,
        versions: ModelVersions,
        ollama: Ollama,
        gate: Judge,
        withdrawal: Withdrawal,
    ) -> None:
        """Call `publish` while holding `versions.exclusive(connection_id)`."""
        self._connection_id = connection_id
        self._collections = collections
        self._versions = versions
        self._ollama = ollama
        self._gate = gate
        self._withdrawal = withdrawal

    def publish(self, material: Material) -> Published:
        """Serve exactly the documents of `material`, or hold them back if the gate says so.

        A new version is made only if they or the model have changed. Whatever happens, what is
        served holds nothing that the schema or the users have made wrong.
        Raises the errors of the embedding and the index; IndexUnavailable when Qdrant holds
        another number of points than were written.
        """
        live = settle(self._connection_id, self._collections, self._versions)
        try:
            return self._publish(material, live)
        except TwdError:
            # It may be long until a new version can be made.
            if live is not None:
                self._withdrawal.withdraw(live)
            raise

    def _publish(self, material: Material, live: ModelVersion | None) -> Published:
        documents = material.documents
        # Not yet the model itself: that would embed a text, and often nothing is to be made.
        digest = self._ollama.digest()
        content_hash = content_hash_of(documents)
        if live is not None and self._holds(live, documents, content_hash, digest):
            self._versions.confirm(self._connection_id, live.version, material.snapshot_version)
            live = replace(live, snapshot_version=material.snapshot_version)
            drop_others(self._connection_id, self._collections, self._versions, live.version, None)
            return Published(live, unchanged=len(documents), sources=sources_of(documents))
        held = self._versions.held(self._connection_id)
        if held is not None and has_foreign_vectors(held):
            # The model's server may be in order again; vectors of that time are not taken over.
            self._collections.drop({held.version})
            self._versions.forget_collections(self._connection_id, [held.version])
            held = None
        embedded, seconds = 0, 0.0
        is_new = held is None or not (
            is_beside(held, live)
            and self._gate.stands_by(held)
            and self._holds(held, documents, content_hash, digest)
        )
        if held is None or is_new:
            held, embedded, seconds = self._make(material, content_hash, live)
        else:
            self._versions.confirm(self._connection_id, held.version, material.snapshot_version)
        published = (
            self._serve(held, live, documents)
            if held.held_reason == NOT_YET_SERVED
            else self._hold(held, live)
        )
        return replace(published, is_new=is_new, embedded=embedded, embedding_seconds=seconds)

    def _holds(
        self,
        version: ModelVersion,
        documents: Sequence[Document],
        content_hash: str,
        digest: str,
    ) -> bool:
        """Whether a version was made of just this, and is still all there."""
        recorded = (version.content_hash, version.model, version.model_digest)
        return recorded == (
            content_hash,
            self._ollama.embed_model,
            digest,
        ) and self._collections.counts(version.version) == _counts(documents)

    def _make(
        self,
        material: Material,
        content_hash: str,
        live: ModelVersion | None,
    ) -> tuple[ModelVersion, int, float]:
        """Build a version, have it judged and record it; gives it and what `_build` gives."""
        documents, model = material.documents, self._ollama.embedding_model()
        served = self._collections.served() or 0
        number = max(self._versions.newest_number(self._connection_id), served) + 1
        candidate = Candidate(number, model, model_id_of(model))
        with self._gate.examining(candidate) as examination:
            embedded, seconds = self._build(candidate, documents, examination)
            stored = self._collections.stored(live.version) if live else {}
            wrong = self._withdrawal.wrong_in(live, stored) if live else frozenset[str]()
            verdict = examination.verdict(live, stored, wrong)
        try:
            # The questions are embedded by now too.
            require_same_model(self._ollama, model)
        except ModelReplaced:
            # Its vectors must not be taken over, should that model come back.
            self._collections.drop({number})
            raise
        version = self._version(
            number, documents, model, content_hash, material.snapshot_version, verdict
        )
        # Before it is served: what is served must be known, also after a kill.
        self._versions.record(version)
        return version, embedded, seconds

    def _serve(
        self, held: ModelVersion, live: ModelVersion | None, documents: Sequence[Document]
    ) -> Published:
        before = self._collections.stored(live.version) if live else {}
        self._collections.serve(held.version)
        self._versions.make_live(self._connection_id, held.version)
        drop_others(self._connection_id, self._collections, self._versions, held.version, None)
        now = {document.content_hash: document for document in documents}
        added = Counter(_identity(one) for key, one in now.items() if key not in before)
        removed = Counter(_identity(one) for key, one in before.items() if key not in now)
        updated = (added & removed).total()
        return Published(
            replace(held, is_live=True, held_reason=""),
            added=added.total() - updated,
            updated=updated,
            unchanged=len(now.keys() & before.keys()),
            removed=removed.total() - updated,
            sources=sources_of(documents),
        )

    def _hold(self, held: ModelVersion, live: ModelVersion | None) -> Published:
        withdrawn = 0
        if live is not None:
            live, withdrawn = self._withdrawal.withdraw(live)
        number = live.version if live else None
        drop_others(self._connection_id, self._collections, self._versions, number, held.version)
        left = self._collections.stored(live.version) if live else {}
        return Published(
            live,
            held,
            unchanged=len(left),
            removed=withdrawn,
            withdrawn=withdrawn,
            sources=sources_of(left.values()),
        )

    def _build(
        self,
        candidate: Candidate,
        documents: Sequence[Document],
        examination: Examination,
    ) -> tuple[int, float]:
        """Write the version's points; gives how many texts were embedded, and in what time."""
        number = candidate.version
        known: dict[EmbeddedText, Sequence[float]] = {}
        for version in self._collections.present():
            known |= self._collections.vectors(version, candidate.model_id)
        # A number that neither is recorded nor served belongs to a run that was killed.
        leftover = {version for version in self._collections.present() if version >= number}
        if leftover:
            self._collections.drop(leftover)
        # Before anything is embedded for it.
        self._collections.require_free_aliases()
        started = monotonic()
        embedded = write_embedded(
            number,
            documents,
            known,
            self._collections,
            self._ollama,
            candidate.model_id,
            # Qdrant takes its time for them, and the model for the first texts.
            before_writing=lambda: self._collections.create(number, candidate.model.dimension),
            when_embedded=examination.note,
            when_nearly_embedded=examination.prepare,
        )
        seconds = monotonic() - started if embedded else 0.0
        counted = self._collections.counts(number)
        if counted != _counts(documents):
            raise IndexUnavailable(
                f"Qdrant holds {counted} points of version {number}, not {_counts(documents)}. "
                "Nothing was swapped; the version that was served before still is."
            )
        return embedded, seconds

    def _version(
        self,
        number: int,
        documents: Sequence[Document],
        model: EmbeddingModel,
        content_hash: str,
        snapshot_version: int,
        verdict: Verdict,
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
            held_reason=verdict.reason or NOT_YET_SERVED,
            comparison=verdict.comparison,
        )


def _identity(document: Document | Stored) -> tuple[object, ...]:
    """What stays the same of a document when its text changes."""
    kind = document.part if isinstance(document, Document) else document.kind
    return kind, document.source, document.tables, document.question


def model_id_of(model: EmbeddingModel) -> str:
    """How the points of a version name what embedded them: the model, and what stood before."""
    prefixes = content_fingerprint(prefix_of(model.name, purpose) for purpose in PURPOSES)
    return f"{model_name(model.name, model.digest)}+{prefixes[:8]}"


def _counts(documents: Sequence[Document]) -> dict[Part, int]:
    by_part = Counter(document.part for document in documents)
    return {
        "ddl": by_part["ddl"],
        "documentation": by_part["documentation"],
        "sql": by_part["sql"],
        "langchain": len(documents),
        "memory": by_part["documentation"] + by_part["sql"],
    }
