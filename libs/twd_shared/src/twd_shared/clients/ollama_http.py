"""Calls to one Ollama server: typed answers, retries, and every failure as an error of ours.

Answers are read into the types of the `ollama` package, but for vectors, which its validation of
each number would make slow; its client is not used, as it cannot tell all failures apart.

Protocol: https://github.com/ollama/ollama/blob/main/docs/api.md. What a call means is elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import httpx
import msgspec
import pydantic

from twd_shared.clients.tls import trusted
from twd_shared.errors import (
    ConfigurationError,
    EmbeddingRejected,
    EmbeddingTimedOut,
    EmbeddingUnavailable,
    ModelUnavailable,
    PermanentError,
    TextTooLong,
    TransientError,
    TwdError,
)

_CONNECT_SECONDS = 5.0
# Of a GET, for which a server loads no model and computes nothing.
_GET_SECONDS = 10.0
_LONGEST_QUOTE = 200
# Vectors of a whole call are a tenth of it. More would fill the memory of a run.
_LONGEST_ANSWER_BYTES = 128 * 2**20
_EMBED = "/api/embed"
# Statuses below 500 that pass: the server is slow or busy.
_PASSING = frozenset({408, 429})

# "the input length exceeds the context length", "input exceeds maximum context length": the words
# differ by version, and some answer 500 instead of 400. The last is llama.cpp's:
# https://github.com/ggml-org/llama.cpp/pull/7389
_TOO_LONG = re.compile(r"exceeds? .*context|too large to process", re.IGNORECASE)
# Go's JSON knows no NaN, so Ollama answers 500, each time for the same text:
# https://github.com/ollama/ollama/issues/15582
_NOT_A_NUMBER_ERROR = re.compile(r"unsupported value: [+-]?(NaN|Inf)")
# Where msgspec says that a value inside a vector is no number: null, or out of range.
_IN_A_VECTOR = re.compile(r"\$\.embeddings\[[^]]*\]\[")
_NOT_A_NUMBER = re.compile(rb"[\[,\s]-?(?:NaN|Infinity)\s*[,\]]")


class Vectors(msgspec.Struct):
    """Answer of /api/embed: a vector a text, and the tokens of all texts together, if counted."""

    embeddings: list[list[float]]
    prompt_eval_count: int | None = None


_Answer = TypeVar("_Answer", bound="Vectors | pydantic.BaseModel")
# What reading an answer raises: also for bytes that are no text, and for endless brackets.
_UNREADABLE = (msgspec.DecodeError, pydantic.ValidationError, UnicodeDecodeError, RecursionError)
_Unreadable = msgspec.DecodeError | pydantic.ValidationError | UnicodeDecodeError | RecursionError


@dataclass(frozen=True, slots=True)
class _Reply:
    """What came back on one call, whole."""

    status: int
    content: bytes


class OllamaHttp:
    """A pool of connections to one server, inside one event loop: `async with OllamaHttp(…)`."""

    def __init__(self, base_url: str, *, timeout_seconds: float, attempts: int) -> None:
        """`timeout_seconds` is the longest wait for an answer; `attempts` count the first one too.

        Raises ConfigurationError when `base_url` is no address.
        """
        try:
            self._url = httpx.URL(base_url if "://" in base_url else f"http://{base_url}")
        except httpx.InvalidURL:
            # What is wrong with it may be a part of a password.
            raise ConfigurationError(
                "OLLAMA_BASE_URL is no address, such as http://ollama.example:11434."
            ) from None
        self._timeout_seconds = timeout_seconds
        self._attempts = attempts
        self._http = httpx.AsyncClient(base_url=self._url, verify=trusted(), follow_redirects=False)

    async def __aenter__(self) -> OllamaHttp:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.__aexit__(kind, error, traceback)

    @property
    def server(self) -> str:
        """The address, for messages: without user and password."""
        return str(self._url.copy_with(userinfo=b"")).rstrip("/")

    async def ask(
        self, path: str, answer: type[_Answer], *, model: str, body: dict[str, Any] | None = None
    ) -> _Answer:
        """The answer on `path` to `body` (None = GET), asked of `model`.

        Raises EmbeddingUnavailable after the last attempt; at once EmbeddingTimedOut,
        ModelUnavailable, TextTooLong, EmbeddingRejected for another refusal or an answer that
        cannot be used, ConfigurationError when the address is not an Ollama server's.
        """
        # Escaped to ASCII, because a text may hold half of a surrogate pair, which UTF-8 cannot.
        content = None if body is None else json.dumps({"model": model} | body).encode()
        for attempt in range(1, self._attempts):
            try:
                return self._read(await self._send(path, content), path, answer, model)
            except EmbeddingTimedOut:
                # It would take as long again.
                raise
            except TransientError:
                # Full jitter: batches that failed together must not come back together.
                await asyncio.sleep(random.uniform(0, 0.25 * 2**attempt))
        return self._read(await self._send(path, content), path, answer, model)

    async def _send(self, path: str, content: bytes | None) -> _Reply:
        limit, because = self._timeout_seconds, "It is overloaded or loads a model; look at its log"
        if content is None:
            limit, because = min(limit, _GET_SECONDS), "It hangs; look at its log, and restart it"
        try:
            # The client limits each wait but not their sum: an answer may come drop by drop.
            async with asyncio.timeout(limit + _CONNECT_SECONDS):
                return await self._whole(path, content, limit)
        except (httpx.ReadTimeout, httpx.WriteTimeout, TimeoutError):
            raise EmbeddingTimedOut(
                f"Ollama at {self.server} did not answer {path} within {limit:g} s. {because}."
            ) from None
        except httpx.HTTPError as error:
            raise EmbeddingUnavailable(
                f"Ollama at {self.server} cannot be reached ({type(error).__name__} on {path}). "
                "Check that it runs and that OLLAMA_BASE_URL is right."
            ) from None

    async def _whole(self, path: str, content: bytes | None, limit: float) -> _Reply:
        parts: list[bytes] = []
        size = 0
        async with self._http.stream(
            "GET" if content is None else "POST",
            path,
            content=content,
            headers={"content-type": "application/json"},
            timeout=httpx.Timeout(limit, connect=min(_CONNECT_SECONDS, limit)),
        ) as response:
            async for part in response.aiter_bytes():
                size += len(part)
                if size > _LONGEST_ANSWER_BYTES:
                    raise EmbeddingRejected(
                        f"Ollama at {self.server} gave an answer on {path} that does not end "
                        f"within {_LONGEST_ANSWER_BYTES // 2**20} MiB. Look at the Ollama server, "
                        "and at what stands between."
                    )
                parts.append(part)
        return _Reply(response.status_code, b"".join(parts))

    def _read(self, reply: _Reply, path: str, answer: type[_Answer], model: str) -> _Answer:
        if reply.status != 200:
            raise self._refusal(reply, path, model)
        try:
            if issubclass(answer, pydantic.BaseModel):
                return answer.model_validate(msgspec.json.decode(reply.content))
            return msgspec.json.decode(reply.content, type=answer)
        except _UNREADABLE as error:
            raise self._unusable(reply.content, error, path, model) from None

    def _unusable(self, content: bytes, error: _Unreadable, path: str, model: str) -> TwdError:
        if path == _EMBED and (_IN_A_VECTOR.search(str(error)) or _NOT_A_NUMBER.search(content)):
            return self._no_number(model)
        if isinstance(error, msgspec.ValidationError | pydantic.ValidationError):
            return self._foreign(path, _told(error))
        if content.lstrip()[:1] not in (b"", b"{"):
            return ConfigurationError(
                f"{self.server} did not answer with JSON on {path}, so it is no Ollama server. "
                "Correct OLLAMA_BASE_URL."
            )
        if isinstance(error, UnicodeDecodeError):
            return self._foreign(path, "it is not UTF-8")
        if isinstance(error, RecursionError):
            return self._foreign(path, "its brackets are nested too deep")
        return EmbeddingUnavailable(
            f"Ollama at {self.server} gave an incomplete answer on {path}. "
            "Look at its log, and at what stands between."
        )

    def _foreign(self, path: str, said: str) -> EmbeddingRejected:
        return EmbeddingRejected(
            f"Ollama at {self.server} gave an answer on {path} that is not Ollama's: {said}. "
            "Look at what stands behind OLLAMA_BASE_URL."
        )

    def _refusal(self, reply: _Reply, path: str, model: str) -> TwdError:
        status = reply.status
        if 300 <= status < 400:
            return ConfigurationError(
                f"{self.server} answered {path} with a redirect ({status}). "
                "Set OLLAMA_BASE_URL to the address it leads to."
            )
        said = _reason(reply.content)
        if status == 404:
            return self._unknown(said, path, model)
        if path == _EMBED and said is not None:
            if _TOO_LONG.search(said):
                return TextTooLong(
                    f"A text is longer than the context of model {model} at {self.server}. "
                    "Shorten it, or use a model with a longer context (TWD_EMBED_MODEL)."
                )
            if _NOT_A_NUMBER_ERROR.search(said):
                return self._no_number(model)
        if status < 500 and status not in _PASSING:
            return EmbeddingRejected(
                f"Ollama at {self.server} refused {path} ({status}): {said or 'without a reason'}."
            )
        return EmbeddingUnavailable(
            f"Ollama at {self.server} failed on {path} ({status}). Look at the Ollama server's log."
        )

    def _unknown(self, said: str | None, path: str, model: str) -> PermanentError:
        if said is None:
            return ConfigurationError(
                f"{self.server} does not know {path}: it is no Ollama server, or one older than "
                "0.3. Correct OLLAMA_BASE_URL, or update it."
            )
        return ModelUnavailable(
            f"Ollama at {self.server} has no model {model!r}. Run: ollama pull {model}"
        )

    def _no_number(self, model: str) -> EmbeddingRejected:
        return EmbeddingRejected(
            f"Model {model} at {self.server} gave a vector with NaN or infinity. "
            "Pull the model again, or use another one (TWD_EMBED_MODEL)."
        )


def _told(error: msgspec.ValidationError | pydantic.ValidationError) -> str:
    """What is wrong with an answer, in one line and without what stood there."""
    if isinstance(error, pydantic.ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        place = f" - at `{'.'.join(map(str, first['loc']))}`" if first["loc"] else ""
        return f"{first['msg']}{place}"[:_LONGEST_QUOTE]
    return " ".join(str(error).split())[:_LONGEST_QUOTE]


def _reason(content: bytes) -> str | None:
    """What a refusal says, in one line; None when it is not JSON, so not Ollama's."""
    try:
        body = msgspec.json.decode(content)
    except _UNREADABLE:
        return None
    said = body.get("error", "") if isinstance(body, dict) else body
    return " ".join(str(said).split())[:_LONGEST_QUOTE]
