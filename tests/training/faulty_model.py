"""The real Ollama-protocol server behind a proxy that can be told to go wrong.

What it answers is the real server's, but for the fault that is set.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from typing import Any

import httpx

from ..json_server import JsonServer


class FaultyModelServer(JsonServer):
    """Stands at `url` in front of the server at `target`; faults may change at any time.

    `prefix` is put before each text; `digest` is told instead of the model's own; with `is_swapped`
    each text gets a vector of its own that has nothing to do with what it says. What `instead`
    gives for the texts of a call is answered in the server's place. `embedded` counts texts.
    """

    def __init__(self, target: str) -> None:
        self.prefix = ""
        self.digest = ""
        self.is_swapped = False
        self.instead: Callable[[list[str]], tuple[int, Any] | None] = lambda _: None
        self.embedded = 0
        self._target = target
        super().__init__()

    def on_get(self, path: str) -> tuple[int, Any]:
        given = httpx.get(self._target + path)
        answer = given.json()
        if path == "/api/tags" and self.digest:
            for model in answer["models"]:
                model["digest"] = self.digest
        return given.status_code, answer

    def on_post(self, path: str, asked: dict[str, Any]) -> tuple[int, Any]:
        texts = asked.get("input", [])
        if path == "/api/embed":
            self.embedded += len(texts)
            if answer := self.instead(texts):
                return answer
            asked["input"] = [self.prefix + text for text in texts]
        given = httpx.post(self._target + path, json=asked, timeout=30)
        answer = given.json()
        if self.is_swapped and "embeddings" in answer:
            size = len(answer["embeddings"][0])
            answer["embeddings"] = [_unrelated(text, size) for text in texts]
        return given.status_code, answer


def _unrelated(text: str, size: int) -> list[float]:
    numbers = random.Random(hashlib.sha256(text.encode()).digest())
    return [numbers.gauss(0, 1) for _ in range(size)]
