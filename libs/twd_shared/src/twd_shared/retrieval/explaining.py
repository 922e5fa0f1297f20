"""Why a table was found, in one line for people. Pure functions."""

from __future__ import annotations

from twd_shared.retrieval.candidates import label
from twd_shared.retrieval.ranking import Explanation


def explain(explanation: Explanation) -> str:
    """The parts of the score and what they come from: `0.61 words (customer, city) + 0.20 …`."""
    parts: list[str] = []
    if explanation.terms:
        stems = f" ({', '.join(explanation.words)})" if explanation.words else ""
        parts.append(f"{explanation.terms:.2f} words{stems}")
    if explanation.named:
        parts.append(f"{explanation.named:.2f} its name")
    if explanation.dense:
        parts.append(f"{explanation.dense:.2f} meaning")
    if explanation.related_to and explanation.related:
        parts.append(f"{explanation.related:.2f} related to {label(explanation.related_to)}")
    if explanation.schema:
        parts.append(f"{explanation.schema:.2f} its schema")
    told = " + ".join(parts)
    if explanation.joins:
        ends = " and ".join(label(name) for name in explanation.joins)
        return f"joins {ends}; {told}" if told else f"joins {ends}"
    return told
