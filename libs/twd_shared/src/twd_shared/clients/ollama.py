"""Texts to vectors, and prompts to text, through the Ollama HTTP API.

Batches run concurrently on one shared client; a model's dimension and digest are asked from the
server. Protocol: https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

import asyncio
import math
import random
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import httpx
import ollama

from twd_shared.errors import (
    EmbeddingRejected,
    EmbeddingUnavailable,
    ModelUnavailable,
    TextTooLong,
    TransientError,
)

Purpose = Literal["document", "query"]
_Answer = TypeVar("_Answer")

# https://huggingface.co/nomic-ai/nomic-embed-text-v1.5: task instruction prefixes.
_PREFIXES: dict[str, dict[Purpose, str]] = {
    "nomic-embed-text": {"document": "search_document: ", "query": "search_query: "},
}

# "the input length exceeds the context length", "input exceeds maximum context length": the words
# differ by version, and some answer 500 instead of 400.
_TOO_LONG = re.compile(r"exceeds? .*context", re.IGNORECASE)

_BATCH = 64
_CONCURRENT_BATCHES = 4
_ATTEMPTS = 4
_TIMEOUT = httpx.Timeout(120.0, connect=5.0)


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """What the server says of its embedding model; `dimension` is the vectors' length."""

    name: str
    digest: str
    dimension: int


class Ollama:
    """One Ollama server with one embedding model and, if configured, one language model."""

    def __init__(self, base_url: str, embed_model: str, model: str = "") -> None:
        """`model` is the language model; empty = none. Connects at the first call."""
        self._base_url = base_url
        self._embed_model = embed_model
        self._model = model

    @property
    def embed_model(self) -> str:
        """The configured name of the embedding model; asks nobody."""
        return self._embed_model

    def embedding_model(self) -> EmbeddingModel:
        """Name, digest and dimension of the embedding model, asked from the server."""
        return asyncio.run(self._describe())

    def embed(self, texts: Sequence[str], purpose: Purpose) -> list[list[float]]:
        """One vector a text, in order, of unit length or as the model gives it.

        Raises EmbeddingUnavailable when the server is away or fails after retries,
        ModelUnavailable when it lacks the model, TextTooLong when a text is longer than the
        model's context, EmbeddingRejected when the server refuses the texts for another reason
        or an answer holds NaN or vectors of different length.
        """
        if not texts:
            return []
        prefix = _PREFIXES.get(self._embed_model.partition(":")[0], {}).get(purpose, "")
        return asyncio.run(self._embed_all([prefix + text for text in texts]))

    def generate(self, prompt: str) -> str:
        """The language model's answer to `prompt`, without sampling (temperature 0)."""
        if not self._model:
            raise ModelUnavailable("No language model is configured. Set TWD_LLM_MODEL.")
        return asyncio.run(self._generate(prompt))

    async def _describe(self) -> EmbeddingModel:
        async with self._client() as client:
            vectors = await self._embed_batch(client, ["dimension"])
            self._check_vectors(vectors)
            models = await self._call(client.list, "/api/tags")
            digest = next(
                (item.digest or "" for item in models.models if self._is_model(item.model)), ""
            )
        return EmbeddingModel(self._embed_model, digest, len(vectors[0]))

    def _is_model(self, name: str | None) -> bool:
        return name in (self._embed_model, f"{self._embed_model}:latest")

    async def _embed_all(self, texts: Sequence[str]) -> list[list[float]]:
        batches = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
        places = asyncio.Semaphore(_CONCURRENT_BATCHES)

        async with self._client() as client:

            async def embed(batch: Sequence[str]) -> list[list[float]]:
                async with places:
                    return await self._embed_batch(client, batch)

            answers = await asyncio.gather(*(embed(batch) for batch in batches))
        vectors = [vector for answer in answers for vector in answer]
        self._check_vectors(vectors)
        return vectors

    async def _embed_batch(
        self, client: ollama.AsyncClient, batch: Sequence[str]
    ) -> list[list[float]]:
        async def call() -> ollama.EmbedResponse:
            return await client.embed(model=self._embed_model, input=batch, truncate=False)

        answer = await self._call(call, "/api/embed")
        vectors = [list(vector) for vector in answer.embeddings]
        if len(vectors) != len(batch):
            raise EmbeddingRejected(
                f"Ollama at {self._base_url} gave {len(vectors)} vectors for {len(batch)} texts."
            )
        return vectors

    async def _generate(self, prompt: str) -> str:
        async with self._client() as client:

            async def call() -> ollama.GenerateResponse:
                return await client.generate(
                    model=self._model, prompt=prompt, options={"temperature": 0}
                )

            return (await self._call(call, "/api/generate")).response or ""

    def _check_vectors(self, vectors: Iterable[Sequence[float]]) -> None:
        lengths = {len(vector) for vector in vectors}
        if len(lengths) != 1 or 0 in lengths:
            raise EmbeddingRejected(
                f"Model {self._embed_model} at {self._base_url} gave vectors of different "
                f"dimensions: {sorted(lengths)}."
            )
        if not all(math.isfinite(value) for vector in vectors for value in vector):
            raise EmbeddingRejected(
                f"Model {self._embed_model} at {self._base_url} gave a vector with NaN or infinity."
            )

    def _client(self) -> ollama.AsyncClient:
        return ollama.AsyncClient(host=self._base_url, timeout=_TIMEOUT)

    async def _call(self, call: Callable[[], Awaitable[_Answer]], path: str) -> _Answer:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._once(call, path)
            except TransientError:
                if attempt == _ATTEMPTS:
                    raise
                # Full jitter: batches that failed together must not come back together.
                await asyncio.sleep(random.uniform(0, 0.25 * 2**attempt))
        raise AssertionError("unreachable")

    async def _once(self, call: Callable[[], Awaitable[_Answer]], path: str) -> _Answer:
        try:
            return await call()
        except ollama.ResponseError as error:
            raise self._refusal(error, path) from None
        except (httpx.HTTPError, ConnectionError) as error:
            raise EmbeddingUnavailable(
                f"Ollama at {self._base_url} cannot be reached ({type(error).__name__} on {path}). "
                "Check that it runs and that OLLAMA_BASE_URL is right."
            ) from None
        except ValueError:
            raise EmbeddingUnavailable(
                f"Ollama at {self._base_url} gave an incomplete answer on {path}."
            ) from None

    def _refusal(
        self, error: ollama.ResponseError, path: str
    ) -> ModelUnavailable | EmbeddingRejected | EmbeddingUnavailable:
        if error.status_code == 404:
            model = self._model if path == "/api/generate" else self._embed_model
            return ModelUnavailable(
                f"Ollama at {self._base_url} has no model {model!r}. Run: ollama pull {model}"
            )
        if path == "/api/embed" and _TOO_LONG.search(error.error):
            return TextTooLong(
                f"A text is longer than the context of model {self._embed_model} at "
                f"{self._base_url}. Use a model with a longer context (TWD_EMBED_MODEL)."
            )
        if 400 <= error.status_code < 500 and error.status_code not in (408, 429):
            return EmbeddingRejected(
                f"Ollama at {self._base_url} refused {path} ({error.status_code}): {error.error}"
            )
        return EmbeddingUnavailable(
            f"Ollama at {self._base_url} failed on {path} ({error.status_code}). "
            "Look at the Ollama server's log."
        )
