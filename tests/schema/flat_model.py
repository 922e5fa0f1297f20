"""An Ollama server with one model more, whose vectors are all the same: a model that is bad.

Everything else is asked from a real server, and so is what is said of the bad model.
"""

from __future__ import annotations

from typing import Any

import httpx

from ..json_server import JsonServer

FLAT = "flat"


class FlatModelServer(JsonServer):
    """Stands at `url` in front of the server at `target`; `FLAT` is made of its model `like`."""

    def __init__(self, target: str, like: str) -> None:
        self._target = target
        self._like = like
        super().__init__()

    def on_get(self, path: str) -> tuple[int, Any]:
        answer = httpx.get(self._target + path).json()
        if path == "/api/tags":
            listed = {"model": f"{FLAT}:latest", "name": f"{FLAT}:latest"}
            answer["models"].append({**answer["models"][0], **listed, "digest": "f" * 64})
        return 200, answer

    def on_post(self, path: str, asked: dict[str, Any]) -> tuple[int, Any]:
        is_flat = asked["model"] == FLAT
        if is_flat:
            asked["model"] = self._like
        given = httpx.post(self._target + path, json=asked, timeout=30)
        answer = given.json()
        if is_flat and "embeddings" in answer:
            same = [[1.0, *[0.0] * (len(vector) - 1)] for vector in answer["embeddings"]]
            answer = {**answer, "model": FLAT, "embeddings": same}
        return given.status_code, answer
