"""What publishing a snapshot would do to the index, and for how long: compared, not done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from twd_schema.documentation.cards import document_tables
from twd_schema.documentation.describing import LanguageModel
from twd_schema.documentation.documenting import gathered
from twd_schema.documentation.turns import last_moment
from twd_schema.indexing.documents import each_document
from twd_schema.indexing.publication import model_of, require_nothing_lost
from twd_schema.indexing.sorting import HASHES, Sorting
from twd_shared.clients.catalog import Connection
from twd_shared.clients.embedding import embed_within
from twd_shared.clients.index_collections import IndexCollection
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.errors import IndexOutdated, IndexRejected, ModelUnavailable, TwdError
from twd_shared.schema_model.models import Snapshot
from twd_shared.store.descriptions import DescriptionStore
from twd_shared.store.index_states import IndexStateStore

_SAMPLES = 16


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """How many documents would be embedded, written again without that, deleted, left alone.

    `seconds` is how long embedding would take; None = not known, and `time_unknown` says why.
    `outdated` is why a sync would do none of it: the index is lost or must be replaced; else ''.
    """

    embedded: int
    rewritten: int
    deleted: int
    unchanged: int
    seconds: float | None
    time_unknown: str = ""
    outdated: str = ""

    @property
    def total(self) -> int:
        """Documents there would be."""
        return self.embedded + self.rewritten + self.unchanged

    @property
    def changes_anything(self) -> bool:
        """Whether the index would change."""
        return bool(self.embedded or self.rewritten or self.deleted)


class IndexPlanner:
    """Plans the publication of one snapshot."""

    def __init__(
        self,
        index: SchemaIndex,
        ollama: Ollama,
        descriptions: DescriptionStore,
        states: IndexStateStore,
        language_model: str = "",
    ) -> None:
        """`language_model` is the name of the one that describes tables; '' = none."""
        self._index = index
        self._ollama = ollama
        self._descriptions = descriptions
        self._states = states
        self._model = LanguageModel(language_model, _ask_nothing) if language_model else None

    def plan(self, connection: Connection, snapshot: Snapshot) -> IndexPlan:
        """Compare the documents of the snapshot with the points; stores nothing.

        A few texts are embedded, to learn how long that takes. Of tables that the language model
        has not described yet, the documents are those without its words.
        Raises IndexUnavailable, IndexRejected, MetadataUnavailable, and where nothing was ever
        published what `Ollama.token_budget` raises.
        """
        connection_id = connection.connection_id
        _, _, told = gathered(
            connection_id, snapshot, self._descriptions, self._model, last_moment()
        )
        served = self._index.served()
        ollama = self._ollama.using(served.model) if served else self._ollama
        held = (
            self._index.points(connection_id, served.name).held(HASHES)
            if served is not None
            else {}
        )
        documents = each_document(
            connection,
            snapshot,
            0,
            document_tables(snapshot, told),
            served.token_budget if served else ollama.token_budget(),
        )
        sorting = Sorting(documents, held, served.model_digest if served else "")
        texts = list(sorting.texts())
        seconds, problem = _seconds_for(ollama, texts)
        return IndexPlan(
            embedded=len(texts),
            rewritten=len(sorting.to_rewrite),
            deleted=len(held.keys() - sorting.hashes.keys()),
            unchanged=sorting.unchanged,
            seconds=seconds,
            time_unknown=problem,
            outdated=self._outdated(served),
        )

    def _outdated(self, served: IndexCollection | None) -> str:
        try:
            if served is None:
                require_nothing_lost(self._index, self._states)
            else:
                model_of(served, self._ollama)
        except (IndexOutdated, IndexRejected) as error:
            return str(error)
        except TwdError:
            # A model or a server that is away may be back by then.
            return ""
        return ""


def _seconds_for(ollama: Ollama, texts: Sequence[str]) -> tuple[float | None, str]:
    """How long embedding the texts takes, by their length and what a few of them take now."""
    if not texts:
        return 0.0, ""
    sample = texts[:: max(1, len(texts) // _SAMPLES)][:_SAMPLES]
    try:
        # The first call may have to load the model.
        embed_within(ollama, sample[:1], "document")
        start = time.monotonic()
        embed_within(ollama, sample, "document")
        took = time.monotonic() - start
    except TwdError as error:
        return None, str(error)
    return took * sum(map(len, texts)) / max(1, sum(map(len, sample))), ""


def _ask_nothing(_question: str) -> str:
    raise ModelUnavailable("A plan asks no language model.")
