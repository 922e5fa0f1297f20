"""Texts to vectors, and prompts to text, through the Ollama HTTP API.

Batches run concurrently on one pool of connections while their vectors are taken; a model's
dimension, digest and context are asked from the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import Any, TypeVar

from ollama import GenerateResponse, ListResponse

from twd_shared.clients.background import Emit, iterate_apart, run_apart
from twd_shared.clients.embedding_models import Purpose, prefix_of
from twd_shared.clients.length_guard import LengthGuard, Lengths, context_tokens, embed
from twd_shared.clients.ollama_http import OllamaHttp
from twd_shared.clients.token_budget import SAMPLES, TokenBudget, budget, measured_rates
from twd_shared.errors import (
    EmbeddingRejected,
    EmbeddingTimedOut,
    ModelUnavailable,
    TextTooLong,
)

Vector = list[float]
Batch = tuple[int, list[Vector]]
_Result = TypeVar("_Result")

TEXTS_IN_A_CALL = 64
# More than a server computes at once: some wait there, so that it has work while an answer is
# written, sent and read.
_CONCURRENT_BATCHES = 6
TEXTS_UNDER_WAY = TEXTS_IN_A_CALL * _CONCURRENT_BATCHES
"""The most texts that are embedded at once."""
_ATTEMPTS = 4
_TIMEOUT_SECONDS = 120.0
_THOUGHT = "</think>"


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """What the server says of its embedding model.

    `dimension` is the vectors' length; `context_tokens` how long a text the model declares to read,
    None when the server does not say.
    """

    name: str
    digest: str
    dimension: int
    context_tokens: int | None = None


class TextsTooLong(TextTooLong):
    """Texts of a call are longer than the model's context; every other one was embedded."""

    def __init__(self, message: str, positions: Sequence[int]) -> None:
        """`positions` are the places of the refused texts among those that were given."""
        super().__init__(message)
        self.positions = tuple(positions)


class Ollama:
    """One Ollama server with one embedding model and, if configured, one language model."""

    def __init__(
        self,
        base_url: str,
        embed_model: str,
        model: str = "",
        timeout_seconds: float = _TIMEOUT_SECONDS,
    ) -> None:
        """`model` is the language model; empty = none. Connects at the first call.

        `timeout_seconds` is the longest wait for one answer; loading a model may take a minute.
        """
        self._base_url = base_url
        self._embed_model = embed_model
        self._model = model
        self._timeout_seconds = timeout_seconds
        self._lengths = Lengths()
        # By digest: what was asked of a model stays true of it.
        self._described: dict[str, EmbeddingModel] = {}
        self._budgets: dict[str, TokenBudget] = {}

    @property
    def embed_model(self) -> str:
        """The configured name of the embedding model; asks nobody."""
        return self._embed_model

    @property
    def model(self) -> str:
        """The configured name of the language model, empty if there is none; asks nobody."""
        return self._model

    def using(self, embed_model: str) -> Ollama:
        """The same server with another embedding model; itself for its own."""
        if embed_model == self._embed_model:
            return self
        return Ollama(self._base_url, embed_model, self._model, self._timeout_seconds)

    def digest(self) -> str:
        """The embedding model's digest, asked from the server; empty when it lists none.

        Embeds nothing. Raises EmbeddingUnavailable when the server is away.
        """
        return run_apart(self._connected(self._digest))

    def model_digest(self) -> str:
        """The language model's digest, as `digest` gives that of the embedding model."""

        async def ask(http: OllamaHttp) -> str:
            return await _digest_of(http, self._model)

        return run_apart(self._connected(ask))

    def embedding_model(self) -> EmbeddingModel:
        """Name, digest, dimension and context of the embedding model, asked from the server.

        A text is embedded to learn the dimension, once for each digest. Raises what `embed` raises.
        """
        return run_apart(self._connected(self._describe))

    def token_budget(self) -> TokenBudget:
        """How long a text may be, measured on four short texts at once, once for each digest.

        Conservative when the server counts no tokens. Raises what `embed` raises.
        """
        return run_apart(self._connected(self._measure))

    def embed(self, texts: Sequence[str], purpose: Purpose) -> list[Vector]:
        """One vector a text, in order, of unit length or as the model gives it.

        Raises EmbeddingUnavailable when the server is away, fails after retries or takes longer
        than is waited for one text, ModelUnavailable when it lacks the model, TextsTooLong when
        texts are longer than the model's context, EmbeddingRejected when the server refuses the
        texts for another reason or an answer holds NaN or vectors of different length,
        ConfigurationError when the address is not an Ollama server's.
        """
        vectors: dict[int, Vector] = {}
        for start, part in self.embed_batches(texts, purpose):
            vectors.update(enumerate(part, start))
        return [vectors[position] for position in range(len(texts))]

    def embed_batches(
        self, texts: Iterable[str], purpose: Purpose, until: Future[None] | None = None
    ) -> Generator[Batch, None, None]:
        """Vectors in order of completion: (place of the first text, vectors of it and the next).

        The next batches are embedded meanwhile: six of 64 texts at once (of fewer, if the server
        is too slow), and none begins while six that are done wait to be taken. `texts` that are
        made one by one are taken in another thread, a few batches ahead: the first are embedded
        while others are made. Closing the iterator ends the calls that are going on;
        so does `until` from another thread, see `iterate_apart`.
        Raises what `embed` raises, behind what was done; TextsTooLong when all other texts are.
        """

        async def produce(emit: Emit[Batch]) -> None:
            await self._embed_all(texts, purpose, emit)

        if texts:
            yield from iterate_apart(produce, ahead=_CONCURRENT_BATCHES, until=until)

    def generate(
        self, prompt: str, *, context_tokens: int | None = None, answer_tokens: int | None = None
    ) -> str:
        """The language model's answer to `prompt`, without sampling (temperature 0).

        What the model thought aloud before it is left out.
        `context_tokens` is how much prompt and answer may be together: of a longer prompt the
        server leaves out the beginning, without a word. None = the server's own choice.
        Raises what `embed` raises but for TextsTooLong.
        """
        if not self._model:
            raise ModelUnavailable("No language model is configured. Set TWD_LLM_MODEL.")

        async def ask(http: OllamaHttp) -> str:
            lengths = {"num_ctx": context_tokens, "num_predict": answer_tokens}
            given = {name: value for name, value in lengths.items() if value is not None}
            body = {"prompt": prompt, "stream": False, "options": {"temperature": 0, **given}}
            answer = await http.ask("/api/generate", GenerateResponse, model=self._model, body=body)
            return (answer.response or "").rpartition(_THOUGHT)[2]

        return run_apart(self._connected(ask))

    def _open(self) -> OllamaHttp:
        return OllamaHttp(self._base_url, timeout_seconds=self._timeout_seconds, attempts=_ATTEMPTS)

    async def _connected(self, work: Callable[[OllamaHttp], Awaitable[_Result]]) -> _Result:
        async with self._open() as http:
            return await work(http)

    async def _digest(self, http: OllamaHttp) -> str:
        return await _digest_of(http, self._embed_model)

    async def _describe(self, http: OllamaHttp) -> EmbeddingModel:
        digest = await self._digest(http)
        if known := self._described.get(digest):
            return known
        [vector] = (await embed(http, self._embed_model, ["dimension"])).embeddings
        if not vector:
            raise self._of_different_length({0}, http.server)
        model = EmbeddingModel(
            self._embed_model, digest, len(vector), await context_tokens(http, self._embed_model)
        )
        if digest:
            self._described[digest] = model
        return model

    async def _measure(self, http: OllamaHttp) -> TokenBudget:
        digest = await self._digest(http)
        if known := self._budgets.get(digest):
            return known
        answers = await _all_or_first_error(
            [embed(http, self._embed_model, [sample]) for sample in SAMPLES.values()]
        )
        counted = [answer.prompt_eval_count for answer in answers]
        context = await context_tokens(http, self._embed_model)
        made = budget(
            measured_rates(dict(zip(SAMPLES, counted, strict=True))),
            context_tokens=context,
            prefix=prefix_of(self._embed_model, "document"),
        )
        if digest:
            self._budgets[digest] = made
            if dimension := len(answers[0].embeddings[0]):
                # What describes the model was learned with it.
                model = EmbeddingModel(self._embed_model, digest, dimension, context)
                self._described.setdefault(digest, model)
        return made

    async def _embed_all(self, texts: Iterable[str], purpose: Purpose, emit: Emit[Batch]) -> None:
        parts = _parts(texts, prefix_of(self._embed_model, purpose))
        # Made ahead while the server works, but no more than it takes next.
        made: asyncio.Queue[tuple[int, list[str]] | None] = asyncio.Queue(_CONCURRENT_BATCHES)
        count = 0
        dimensions: set[int] = set()
        refused: list[int] = []
        sizes = _CallSizes(self._timeout_seconds)

        async with self._open() as http:
            guard = LengthGuard(http, self._embed_model, self._lengths)

            async def make() -> None:
                while (part := await asyncio.to_thread(next, parts, None)) is not None:
                    await made.put(part)
                for _ in range(_CONCURRENT_BATCHES):
                    await made.put(None)

            async def work() -> None:
                nonlocal count
                while (part := await made.get()) is not None:
                    count += len(part[1])
                    await embed_part(*part)

            async def embed_part(start: int, part: Sequence[str]) -> None:
                while part:
                    size = sizes.most
                    await embed_call(start, part[:size])
                    start, part = start + size, part[size:]

            async def embed_call(start: int, part: Sequence[str]) -> None:
                sent = monotonic()
                try:
                    answer = await embed(http, self._embed_model, part)
                    await guard.check(part, answer.prompt_eval_count)
                except EmbeddingTimedOut:
                    if len(part) == 1:
                        raise
                    sizes.timed_out()
                    await embed_part(start, part)
                    return
                except TextTooLong:
                    if len(part) == 1:
                        refused.append(start)
                        return
                    # The server does not say which text it means: halving finds it in few calls.
                    middle = len(part) // 2
                    await embed_part(start, part[:middle])
                    await embed_part(start + middle, part[middle:])
                    return
                sizes.answered(monotonic() - sent)
                dimensions.update(map(len, answer.embeddings))
                if len(dimensions) != 1 or 0 in dimensions:
                    raise self._of_different_length(dimensions, http.server)
                await emit((start, answer.embeddings))

            await _all_or_first_error([make(), *(work() for _ in range(_CONCURRENT_BATCHES))])
            if refused:
                raise TextsTooLong(
                    f"{len(refused)} of {count} texts are longer than the context of model "
                    f"{self._embed_model} at {http.server}, or may have been cut by it. Shorten "
                    "them, or use a model with a longer context (TWD_EMBED_MODEL).",
                    sorted(refused),
                )

    def _of_different_length(self, dimensions: set[int], server: str) -> EmbeddingRejected:
        return EmbeddingRejected(
            f"Model {self._embed_model} at {server} gave vectors of different dimensions: "
            f"{sorted(dimensions)}. Look at the Ollama server; its model may be broken."
        )


class _CallSizes:
    """How many texts go in one call: as many as always, fewer to a server that was too slow.

    After a call that was not answered in time one text alone tells whether the server is alive;
    quick answers then double the number, as TCP comes back from a loss.
    """

    def __init__(self, timeout_seconds: float) -> None:
        self.most = TEXTS_IN_A_CALL
        # Calls wait for each other at a server that takes one at a time.
        self._quick_seconds = timeout_seconds / (2 * _CONCURRENT_BATCHES)

    def timed_out(self) -> None:
        """One call was not answered in time."""
        self.most = 1

    def answered(self, seconds: float) -> None:
        """One call was answered after so long."""
        if seconds < self._quick_seconds:
            self.most = min(TEXTS_IN_A_CALL, 2 * self.most)


async def _digest_of(http: OllamaHttp, model: str) -> str:
    listed = await http.ask("/api/tags", ListResponse, model=model)
    names = (model, f"{model}:latest")
    return next((item.digest or "" for item in listed.models if item.model in names), "")


def _parts(texts: Iterable[str], prefix: str) -> Iterator[tuple[int, list[str]]]:
    """The texts of each call, and the place of the first of them."""
    start = 0
    prefixed = (prefix + text for text in texts)
    while part := list(islice(prefixed, TEXTS_IN_A_CALL)):
        yield start, part
        start += len(part)


async def _all_or_first_error(works: Sequence[Coroutine[Any, Any, _Result]]) -> list[_Result]:
    """The results of all, run at once; when one fails, end the others and raise its error alone."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]
