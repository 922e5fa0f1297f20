"""A long-lived process that reads a knowledge base with a package that is installed where it runs.

Obeys one JSON object a line on standard input and answers each with one: `run` is code that is run
in a namespace of its own name, `evaluate` an expression in it whose value is answered. Ends when
standard input is closed. Arguments are modules that are imported first, while others start too.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import sys
from typing import Any


def main() -> None:
    """Obey until standard input ends."""
    # What packages print must not come between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    for module in sys.argv[1:]:
        importlib.import_module(module)
    namespaces: dict[str, dict[str, Any]] = {}
    for line in sys.stdin:
        order = json.loads(line)
        namespace = namespaces.setdefault(order["namespace"], {})
        try:
            answer = {"value": _obey(order, namespace)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def _obey(order: dict[str, Any], namespace: dict[str, Any]) -> Any:
    if "run" in order:
        exec(order["run"], namespace)  # noqa: S102
        return None
    value = eval(order["evaluate"], namespace, order["names"])  # noqa: S307
    return asyncio.run(value) if inspect.iscoroutine(value) else value


if __name__ == "__main__":
    main()
