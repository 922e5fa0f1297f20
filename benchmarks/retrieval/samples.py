"""Vietnamese questions on the three sample databases, and the same in English."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from benchmarks.retrieval.dataset import Question

_FILE = Path(__file__).parents[2] / "tests/schema/questions/vietnamese.jsonl"


def sample_questions() -> dict[str, list[Question]]:
    """By database: each question in Vietnamese, then in English."""
    found: defaultdict[str, list[Question]] = defaultdict(list)
    for item in map(json.loads, _FILE.read_text().splitlines()):
        tables = frozenset(label.partition(".")[2].lower() for label in item["tables"])
        for language, text in (("vi", item["question"]), ("en", item["english"])):
            found[item["database"]].append(Question(text, None, "public", tables, language))
    return dict(found)
