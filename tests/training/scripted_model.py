"""The real Ollama-protocol server with a language model in front that answers from a script."""

from __future__ import annotations

import re
import time
from typing import Any

import httpx

from ..json_server import JsonServer

MODEL = "writer"


class ScriptedModel(JsonServer):
    """Stands at `url` in front of the server at `target`, which embeds.

    `answers` holds the answer to a question; a number is a status with which it fails. What is not
    in it is answered with prose; each answer takes `seconds`. `prompts` are those that it was
    asked, `options` those of the last.
    """

    def __init__(self, target: str) -> None:
        self.answers: dict[str, str | int] = {}
        self.prompts: list[str] = []
        self.options: dict[str, Any] = {}
        self.digest = "d1"
        self.seconds = 0.0
        self._target = target
        super().__init__()

    def on_get(self, path: str) -> tuple[int, Any]:
        given = httpx.get(self._target + path)
        body = given.json()
        if path == "/api/tags":
            body["models"].append({"model": f"{MODEL}:latest", "digest": self.digest})
        return given.status_code, body

    def on_post(self, path: str, asked: dict[str, Any]) -> tuple[int, Any]:
        if path != "/api/generate":
            given = httpx.post(self._target + path, json=asked, timeout=30)
            return given.status_code, given.json()
        assert asked["model"] == MODEL
        self.prompts.append(asked["prompt"])
        self.options = asked["options"]
        time.sleep(self.seconds)
        question = fenced(asked["prompt"])["question"]
        answer = self.answers.get(question, "I do not know.")
        if isinstance(answer, int):
            return answer, {"error": "it failed"}
        return 200, {"model": MODEL, "response": answer, "done": True}


def fenced(prompt: str) -> dict[str, str]:
    """What stands between the marks of a prompt, by name; the mark stands nowhere inside."""
    found = re.findall(r"^<(\w+)-(\w{12})>\n(.*?)\n</\1-\2>$", prompt, re.MULTILINE | re.DOTALL)
    [mark] = {mark for _, mark, _ in found}
    assert not any(mark in text for _, _, text in found)
    return {name: text for name, _, text in found}
