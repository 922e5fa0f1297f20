"""The real Ollama-protocol server with a language model in front that answers from a script."""

from __future__ import annotations

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

MODEL = "writer"


class ScriptedModel:
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
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                given = httpx.get(target + self.path)
                body = given.json()
                if self.path == "/api/tags":
                    body["models"].append({"model": f"{MODEL}:latest", "digest": server.digest})
                self._answer(given.status_code, body)

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if self.path != "/api/generate":
                    given = httpx.post(target + self.path, json=asked, timeout=30)
                    self._answer(given.status_code, given.json())
                    return
                assert asked["model"] == MODEL
                server.prompts.append(asked["prompt"])
                server.options = asked["options"]
                time.sleep(server.seconds)
                question = fenced(asked["prompt"])["question"]
                answer = server.answers.get(question, "I do not know.")
                if isinstance(answer, int):
                    self._answer(answer, {"error": "it failed"})
                else:
                    self._answer(200, {"model": MODEL, "response": answer, "done": True})

            def _answer(self, status: int, body: Any) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def fenced(prompt: str) -> dict[str, str]:
    """What stands between the marks of a prompt, by name; the mark stands nowhere inside."""
    found = re.findall(r"^<(\w+)-(\w{12})>\n(.*?)\n</\1-\2>$", prompt, re.MULTILINE | re.DOTALL)
    [mark] = {mark for _, mark, _ in found}
    assert not any(mark in text for _, _, text in found)
    return {name: text for name, _, text in found}
