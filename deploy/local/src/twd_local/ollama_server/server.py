"""Routes of the Ollama-protocol server. Protocol: Ollama's HTTP API, as its own clients read it.

Belongs here: requests, answers and error shapes. Not here: vectors (`lexical.py`), processes
(`__main__.py`). There is no LLM behind this server and it never pretends to be one.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from twd_local.faults import Faults
from twd_local.ollama_server import tokens
from twd_local.ollama_server.lexical import CONTEXT_TOKENS, MODELS, LexicalModel, Vector

PROTOCOL_VERSION = "0.12.6"
_MODIFIED_AT = "2026-01-01T00:00:00Z"
_DETAILS: dict[str, Any] = {
    "parent_model": "",
    "format": "lexical",
    "family": "lexical",
    "families": ["lexical"],
    "parameter_size": "0",
    "quantization_level": "F32",
}


@dataclass(frozen=True)
class Pace:
    """How slow the server pretends to be: seconds a call, seconds a text, calls at once."""

    call_seconds: float = 0.0
    text_seconds: float = 0.0
    parallel: int = 4


class ProtocolError(Exception):
    """A refusal in the protocol's own shape: HTTP status and `{"error": …}`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def build_app(pace: Pace | None = None, faults_file: Path | None = None) -> ASGIApp:
    """The ASGI application; `faults_file` switches faults on."""
    server = _Server(pace or Pace())
    app = Starlette(
        routes=[
            Route("/", _alive, methods=["GET", "HEAD"]),
            Route("/api/version", _version),
            Route("/api/tags", _tags, methods=["GET", "HEAD"]),
            Route("/api/ps", _ps),
            Route("/api/show", _show, methods=["POST"]),
            Route("/api/embed", server.embed, methods=["POST"]),
            Route("/api/embeddings", server.embeddings, methods=["POST"]),
            Route("/api/generate", _generate, methods=["POST"]),
            Route("/api/chat", _chat, methods=["POST"]),
        ],
        exception_handlers={ProtocolError: _refuse, ClientDisconnect: _forget},
    )
    return Faults(app, faults_file)


class _Server:
    """The routes that compute vectors, and the queue they share."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._slots = asyncio.Semaphore(pace.parallel)

    async def embed(self, request: Request) -> Response:
        """`/api/embed`: a text or a list of texts → one vector each."""
        body = await _body(request)
        model = _model(body)
        raw = body.get("input")
        match raw:
            case None | "":
                texts: list[str] = []
            case str():
                texts = [raw]
            case list() if all(isinstance(item, str) for item in cast("list[object]", raw)):
                texts = cast("list[str]", raw)
            case _:
                raise ProtocolError(400, "invalid input type")
        dimensions = body.get("dimensions") or model.dimensions
        if not isinstance(dimensions, int) or dimensions < 0:
            raise ProtocolError(400, "invalid value for dimensions: a positive integer is expected")
        started = time.perf_counter_ns()
        vectors, counted = await self._vectors(
            model, texts, truncate=body.get("truncate") is not False, limit=_context(body)
        )
        return _json(
            {
                "model": body["model"],
                "embeddings": _shortened(vectors, dimensions),
                "total_duration": time.perf_counter_ns() - started,
                "load_duration": 0,
                "prompt_eval_count": counted,
            }
        )

    async def embeddings(self, request: Request) -> Response:
        """`/api/embeddings`, the older form: one prompt → one vector."""
        body = await _body(request)
        model = _model(body)
        prompt = body.get("prompt") or ""
        if not isinstance(prompt, str):
            raise ProtocolError(400, "invalid input type")
        if not prompt:
            return _json({"embedding": []})
        vectors, _ = await self._vectors(model, [prompt], truncate=True, limit=_context(body))
        return _json({"embedding": vectors[0]})

    async def _vectors(
        self, model: LexicalModel, texts: list[str], *, truncate: bool, limit: int
    ) -> tuple[list[Vector], int]:
        async with self._slots:
            started = time.perf_counter()
            result = await run_in_threadpool(_compute, model, texts, truncate, limit)
            due = self._pace.call_seconds + self._pace.text_seconds * len(texts)
            await asyncio.sleep(max(0.0, due - (time.perf_counter() - started)))
            return result


def _compute(
    model: LexicalModel, texts: list[str], truncate: bool, limit: int
) -> tuple[list[Vector], int]:
    """Vectors of the texts and the tokens read, before anything is computed when one is too long.

    Raises: ProtocolError(400) for a text over the limit when truncation was refused.
    """
    clipped = [tokens.clip_to_tokens(text, limit) for text in texts]
    if not truncate and any(was_cut for _, _, was_cut in clipped):
        raise ProtocolError(400, "the input length exceeds the context length")
    return [model.embed(text) for text, _, _ in clipped], sum(count for _, count, _ in clipped)


def _shortened(vectors: list[Vector], dimensions: int) -> list[Vector]:
    """Leading `dimensions` values of each vector, normalised again, as the protocol defines it."""
    if not vectors or dimensions >= len(vectors[0]):
        return vectors
    heads = [vector[:dimensions] for vector in vectors]
    return [np.ascontiguousarray(h / (float(np.linalg.norm(h)) or 1.0)) for h in heads]


async def _body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    if not raw:
        raise ProtocolError(400, "missing request body")
    try:
        # The standard parser, because it accepts the lone surrogates that clients do send.
        parsed = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(400, f"invalid JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise ProtocolError(400, "invalid JSON: an object is expected")
    return cast("dict[str, Any]", parsed)


def _context(body: dict[str, Any]) -> int:
    options = body.get("options")
    asked = cast("dict[str, Any]", options).get("num_ctx") if isinstance(options, dict) else None
    return min(asked, CONTEXT_TOKENS) if isinstance(asked, int) and asked > 0 else CONTEXT_TOKENS


def _model(body: dict[str, Any]) -> LexicalModel:
    """The model that a request names. Raises: ProtocolError(400 or 404) when there is none."""
    name = body.get("model") or body.get("name")
    if not isinstance(name, str) or not name:
        raise ProtocolError(400, "model is required")
    for model in MODELS:
        if name in (model.name, f"{model.name}:latest"):
            return model
    raise ProtocolError(404, f"model '{name}' not found")


async def _alive(_: Request) -> Response:
    return PlainTextResponse("Ollama is running")


async def _version(_: Request) -> Response:
    return _json({"version": PROTOCOL_VERSION})


async def _tags(_: Request) -> Response:
    return _json({"models": [_entry(model) | {"modified_at": _MODIFIED_AT} for model in MODELS]})


async def _ps(_: Request) -> Response:
    never = {"expires_at": "2318-01-01T00:00:00Z", "size_vram": 0}
    return _json({"models": [_entry(model) | never for model in MODELS]})


def _entry(model: LexicalModel) -> dict[str, Any]:
    name = f"{model.name}:latest"
    return {"name": name, "model": name, "size": 0, "digest": model.digest, "details": _DETAILS}


async def _show(request: Request) -> Response:
    model = _model(await _body(request))
    return _json(
        {
            "license": "Part of this project, under its licence.",
            "modelfile": f"FROM {model.name}:latest",
            "parameters": "",
            "template": "{{ .Prompt }}",
            "details": _DETAILS,
            "model_info": {
                "general.architecture": "lexical",
                "general.parameter_count": 0,
                "lexical.context_length": CONTEXT_TOKENS,
                "lexical.embedding_length": model.dimensions,
            },
            "capabilities": ["embedding"],
            "modified_at": _MODIFIED_AT,
        }
    )


async def _generate(request: Request) -> Response:
    return await _no_llm(request, "generate")


async def _chat(request: Request) -> Response:
    return await _no_llm(request, "chat")


async def _no_llm(request: Request, ability: str) -> Response:
    """Refuse as the real server does: unknown model, or one that only embeds."""
    body = await _body(request)
    _model(body)
    raise ProtocolError(400, f'"{body["model"]}" does not support {ability}')


async def _refuse(_: Request, error: Exception) -> Response:
    refused = cast("ProtocolError", error)
    return _json({"error": refused.message}, refused.status)


async def _forget(_: Request, __: Exception) -> Response:
    # A client that went away before its request was read is no error of this server.
    return Response(status_code=499)


def _json(content: object, status: int = 200) -> Response:
    try:
        encoded = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:  # a lone surrogate in an echoed name
        encoded = json.dumps(content).encode()
    return Response(encoded, status, media_type="application/json; charset=utf-8")
