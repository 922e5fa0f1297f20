"""Lines of runs as JSON objects, for who collects the output of containers.

An instance names `json_lines` as a handler of its `python_logs` (deploy/compose, deploy/helm). So
this name is part of the contract with what is deployed: an instance that names it needs code
locations that have it.
"""

import json
import logging
import os
import re
import sys
from datetime import UTC, datetime
from typing import Any

from twd_shared.contract import CONNECTION_TAG
from twd_shared.run_subjects import PARTITION_TAG
from twd_shared.step_errors import raised_in

# Dagster's own: the same variable makes the code server, of which a run inherits it, write JSON.
FORMAT_VARIABLE = "DAGSTER_CLI_API_GRPC_LOG_FORMAT"

# Rather too much than too little: a password may hold any of the characters that end one.
_PASSWORD = re.compile(
    r"""(://[^:\s@]*:)\S{0,1000}@
    # Also POSTGRES_PASSWORD=…, "password": "…" and that within JSON, SQL's PASSWORD '…'.
    |((?:password|passwd|pwd|api[-_]?key)(?:\\*["']?\s*[=:]\s*|\s+(?=e?')))
      # What is quoted may be cut.
      (?:e?'(?:[^'\\]|\\.|'')*(?:'|\Z)|\\+"(?:(?!\\+").)*(?:\\+"|\Z)
       |"(?:[^"\\]|\\.)*(?:"|\Z)|[^\s"]+)""",
    re.IGNORECASE | re.VERBOSE,
)


def json_lines() -> logging.Handler:
    """A handler that writes a run's lines to stdout if the server of its code writes JSON.

    To stdout, because Dagster writes the same lines to stderr, for people.
    """
    if os.environ.get(FORMAT_VARIABLE) != "json":
        return logging.NullHandler()
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    return handler


class JsonLines(logging.Formatter):
    """One JSON object a line; `event` is the message, as in the lines of Dagster's servers."""

    def format(self, record: logging.LogRecord) -> str:
        """The record with what Dagster knows of it; what is not known is left out."""
        known: dict[str, Any] = getattr(record, "dagster_meta", {})
        tags = known.get("job_tags") or {}
        event = known.get("dagster_event")
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _without_passwords(known.get("orig_message") or record.getMessage()),
            "run_id": known.get("run_id"),
            "job": known.get("job_name"),
            "step": known.get("step_key"),
            "kind": event.event_type_value if event else None,
            "assets": _assets(known),
            "partition": tags.get(PARTITION_TAG),
            "connection_id": tags.get(CONNECTION_TAG),
            "error": _without_passwords(_error(known)),
        }
        told = {key: value for key, value in line.items() if value}
        return json.dumps(told, ensure_ascii=False, default=str)


def _without_passwords(text: str) -> str:
    return _PASSWORD.sub(lambda found: f"{found[1]}***@" if found[1] else f"{found[2]}***", text)


def _assets(known: dict[str, Any]) -> list[str]:
    """Of an event that is about an asset: that one. Of a step: those that it is named after."""
    event = known.get("dagster_event")
    key = event.asset_key if event else None
    if key:
        return [key.to_user_string()]
    step: str = known.get("step_key") or ""
    return [step.split("[", 1)[0].replace("__", "/")] if "__" in step else []


def _error(known: dict[str, Any]) -> str:
    """What a step or run failed with, without its stack and without what caused it."""
    event = known.get("dagster_event")
    error = getattr(event.event_specific_data, "error", None) if event else None
    return raised_in(error).message.strip() if error else ""
