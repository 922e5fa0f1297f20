"""Evaluating what a language model does with a knowledge base: it writes SQL, which is run.

Each outcome is kept as it comes, and asked for again only when the pair, the version or the model
is another one. What fails here (model, source, catalog) is told and never raised: it must not cost
the scores of retrieval, and decides over no version.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from qdrant_client import QdrantClient

from twd_shared.clients.catalog import Connection
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.token_budget import SQL_ANSWER_TOKENS, WRITING_CONTEXT_TOKENS
from twd_shared.errors import (
    EmbeddingRejected,
    PermanentError,
    TwdError,
)
from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.sources.access import SourceAccess
from twd_shared.store.connections import RegisteredConnection
from twd_shared.store.database import MetadataDatabase
from twd_training.evaluation.answers import refusal, sql_in
from twd_training.evaluation.executing import SourceQueries
from twd_training.evaluation.generated_store import NO_ANSWER, Asking, GeneratedSql, Kept
from twd_training.evaluation.outcomes import Compared, Generated, Outcome, Tally
from twd_training.evaluation.prompt import FORM, Context, generation_prompt
from twd_training.evaluation.questions import taught_pairs
from twd_training.evaluation.retrievers import contexts_of
from twd_training.examples.models import TrainingItem
from twd_training.examples.store import TrainingSet
from twd_training.knowledge_base.collections import Collections
from twd_training.knowledge_base.versions import ModelVersion

_DIALECT = "postgresql"
# A model on a slow machine must not hold up what else waits for the server; the rest comes later.
_LONGEST_SECONDS = 600.0
# One prompt may be too much for a server; after two in a row it is left alone.
_FAILURES_IN_A_ROW = 2


@dataclass(frozen=True, slots=True)
class Servers:
    """What is asked: the metadata database, the index, the models, and sources as allowed."""

    database: MetadataDatabase
    client: QdrantClient
    ollama: Ollama
    access: SourceAccess


def evaluate_generated(
    registered: RegisteredConnection,
    listed: Callable[[], Connection],
    versions: Sequence[ModelVersion],
    servers: Servers,
) -> Generated:
    """Ask the language model with each version what users asked, and compare what its SQL gives.

    `listed` gives the connection as the application lists it, and is asked only with a language
    model. Raises the errors of the metadata database alone.
    """
    model = servers.ollama.model
    if not model:
        return Generated(skipped="no language model is configured (TWD_LLM_MODEL)")
    try:
        connection = listed()
        if not connection.training.execute:
            return Generated(model, skipped="the connection does not allow it (training.execute)")
        if connection.db_type != _DIALECT:
            return Generated(model, skipped=f"not on {connection.db_type}, on PostgreSQL alone")
        digest = servers.ollama.model_digest()
    except TwdError as error:
        return Generated(model, problem=str(error))
    inquiry = _Inquiry(registered, connection, servers)
    tallies = {
        version.version: inquiry.tally(
            version, Asking(registered.connection_id, version.version, model, digest)
        )
        for version in versions
    }
    return Generated(model, tallies, problem=inquiry.problem)


class _Inquiry:
    """All that one evaluation asks of the model and the source, until something stops it."""

    def __init__(
        self, registered: RegisteredConnection, connection: Connection, servers: Servers
    ) -> None:
        self.problem = ""
        self._failures = 0
        self._is_over = False
        self._ends_at = time.monotonic() + _LONGEST_SECONDS
        self._ollama = servers.ollama
        self._collections = Collections(servers.client, registered.partition_key)
        self._source = SourceQueries(servers.access, connection)
        self._store = GeneratedSql(servers.database)
        accepted = TrainingSet(servers.database).accepted(registered.connection_id)
        self._pairs = taught_pairs(accepted)

    def tally(self, version: ModelVersion, asking: Asking) -> Tally:
        """Outcomes of all pairs with a version, kept ones and new ones."""
        kept = self._store.kept(asking)
        hashes = {pair.item_id: _asked_hash(pair, version) for pair in self._pairs}
        outcomes: dict[UUID, Outcome] = {
            key: kept[key].compared.outcome
            for key, asked_hash in hashes.items()
            if key in kept and kept[key].asked_hash == asked_hash
        }
        # Those that were asked in vain come last: they must not keep the others from being asked.
        place = {item_id: number for number, item_id in enumerate(kept)}
        open_pairs = sorted(
            (pair for pair in self._pairs if pair.item_id not in outcomes),
            key=lambda pair: place.get(pair.item_id, -1),
        )
        new = self._ask_all(open_pairs, version, asking, hashes)
        return Tally(
            counts=Counter([*outcomes.values(), *new]),
            asked_now=len(new),
            not_asked=len(open_pairs) - len(new),
        )

    def _ask_all(
        self,
        pairs: Sequence[TrainingItem],
        version: ModelVersion,
        asking: Asking,
        hashes: Mapping[UUID, str],
    ) -> list[Outcome]:
        if not pairs or self._is_over:
            return []
        try:
            contexts = contexts_of(pairs, version, self._collections, self._ollama)
        except TwdError as error:
            self.problem = str(error)
            return []
        outcomes: list[Outcome] = []
        for pair, context in zip(pairs, contexts, strict=True):
            if time.monotonic() > self._ends_at:
                self._is_over = True
                self.problem = f"asking took more than {_LONGEST_SECONDS:g} s; the rest comes next"
            if self._is_over:
                break
            if (answered := self._answered(pair, context)) is None:
                self._store.keep(asking, pair.item_id, NO_ANSWER, "")
                continue
            sql, compared = answered
            self._store.keep(asking, pair.item_id, Kept(hashes[pair.item_id], compared), sql)
            outcomes.append(compared.outcome)
        return outcomes

    def _answered(self, pair: TrainingItem, context: Context) -> tuple[str, Compared] | None:
        """The model's SQL and its outcome; None, with `problem`, when it could not be asked."""
        prompt = generation_prompt(pair.question or "", context, _DIALECT)
        try:
            answer = self._ollama.generate(
                prompt, context_tokens=WRITING_CONTEXT_TOKENS, answer_tokens=SQL_ANSWER_TOKENS
            )
            sql = sql_in(answer)
            compared = (
                refusal(sql, _DIALECT)
                or _not_comparable(pair)
                or self._source.compare(pair.content, sql)
            )
        except TwdError as error:
            self.problem = str(error)
            self._failures += 1
            is_hopeless = isinstance(error, PermanentError) and not isinstance(
                error, EmbeddingRejected
            )
            self._is_over = is_hopeless or self._failures >= _FAILURES_IN_A_ROW
            return None
        self._failures = 0
        return sql, compared


def _not_comparable(pair: TrainingItem) -> Compared | None:
    """What is to be said of a pair whose SQL an earlier release took, and that is not run."""
    refused = refusal(pair.content, _DIALECT)
    return Compared("not_comparable", f"the user's SQL: {refused.reason}") if refused else None


def _asked_hash(pair: TrainingItem, version: ModelVersion) -> str:
    """Of all that a question is asked with: the version may have lost documents since."""
    return content_fingerprint([FORM, version.content_hash, pair.question or "", pair.content])
