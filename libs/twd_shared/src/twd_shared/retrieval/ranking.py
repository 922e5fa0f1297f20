"""From candidates to a ranking: both searches fused, then what foreign keys and schemas add.

Pure functions. A table's score is the sum of five parts, each told in its `Explanation`:

- `terms`: its term weights as a share of the best table's, times the share of the question's words
  that are found at all, so that a question in words the schema does not use trusts the model;
- `named`: a bonus for a table all of whose name stands in the question;
- `dense`: its cosine between the lowest (0) and the highest (1) of the candidates, as cosines of
  most models crowd together far above 0;
- `related`: a share of its best related table's own score (one foreign key away), the less the
  better the table is by itself: the best one needs no relations to be found;
- `schema`: a share of the own scores of the best three tables of its schema, where there are
  several schemas: tables that are asked together stand together.

Fusing shares rather than ranks keeps how much better the first is than the second.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from twd_shared.retrieval.candidates import Candidate
from twd_shared.retrieval.question import Asked
from twd_shared.schema_model.keys import TableName
from twd_shared.terms.sparse import all_words


@dataclass(frozen=True, slots=True)
class Weights:
    """What each part of a score counts, relative to one another; 0 leaves a part out."""

    terms: float = 1.0
    named: float = 0.1
    dense: float = 0.4
    related: float = 0.4
    schema: float = 0.2


STANDARD = Weights()
"""What an answer is ranked by; docs/retrieval.md tells what it was measured on."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a table stands where it does: the parts of its score and what they come from."""

    terms: float = 0.0
    named: float = 0.0
    dense: float = 0.0
    related: float = 0.0
    related_to: TableName | None = None
    schema: float = 0.0
    words: tuple[str, ...] = ()
    joins: tuple[TableName, ...] = ()

    @property
    def score(self) -> float:
        """The sum of the parts."""
        return self.terms + self.named + self.dense + self.related + self.schema


@dataclass(frozen=True, slots=True)
class RankedTable:
    """A table with its explained score."""

    name: TableName
    explanation: Explanation

    @property
    def score(self) -> float:
        """The explanation's sum; comparable within one question only."""
        return self.explanation.score


def rank(
    candidates: Mapping[TableName, Candidate],
    asked: Asked,
    weights: Weights = STANDARD,
) -> list[RankedTable]:
    """All candidates and the tables related to them, best first; equal scores by name."""
    explained = _own_scores(candidates, asked, weights)
    if weights.related:
        _add_related(explained, candidates, weights.related)
    if weights.schema:
        _add_schema(explained, weights.schema)
    ranked = [RankedTable(name, explanation) for name, explanation in explained.items()]
    return sorted(ranked, key=lambda table: (-table.score, table.name))


def neighbours(candidates: Mapping[TableName, Candidate]) -> dict[TableName, set[TableName]]:
    """The graph of foreign keys that the candidates tell of, both ways."""
    graph: defaultdict[TableName, set[TableName]] = defaultdict(set)
    for candidate in candidates.values():
        for relationship in candidate.relationships:
            graph[relationship.source].add(relationship.target)
            graph[relationship.target].add(relationship.source)
    return dict(graph)


def _own_scores(
    candidates: Mapping[TableName, Candidate], asked: Asked, weights: Weights
) -> dict[TableName, Explanation]:
    known = {word for one in candidates.values() for word in one.words}
    coverage = asked.coverage(known)
    best = max((one.terms or 0.0 for one in candidates.values()), default=0.0)
    cosines = [one.dense for one in candidates.values() if one.dense is not None]
    lowest, highest = (min(cosines), max(cosines)) if cosines else (0.0, 0.0)
    # A single candidate is the highest and the lowest; it is near, not far.
    lowest = 0.0 if lowest == highest else lowest
    return {
        name: Explanation(
            terms=weights.terms * coverage * (one.terms or 0.0) / best if best > 0 else 0.0,
            named=weights.named if _is_named(name, asked) else 0.0,
            dense=weights.dense * max(0.0, one.dense - lowest) / (highest - lowest)
            if one.dense is not None and highest > lowest
            else 0.0,
            words=tuple(sorted(asked.stems & one.words)),
        )
        for name, one in candidates.items()
    }


def _is_named(table: TableName, asked: Asked) -> bool:
    stems = set(all_words(table[1]))
    # `list` alone is in many questions, and names no table; in `price_list` it does.
    return stems <= asked.said and not stems.isdisjoint(asked.stems)


def _add_related(
    explained: dict[TableName, Explanation],
    candidates: Mapping[TableName, Candidate],
    weight: float,
) -> None:
    own = {name: explanation.score for name, explanation in explained.items()}
    best = max(own.values(), default=0.0)
    for name, related in neighbours(candidates).items():
        nearest = max(related, key=lambda other: (own.get(other, 0.0), other))
        if own.get(nearest, 0.0) > 0:
            explained[name] = replace(
                explained.get(name, Explanation()),
                related=weight * own[nearest] * (1 - own.get(name, 0.0) / best),
                related_to=nearest,
            )


def _add_schema(explained: dict[TableName, Explanation], weight: float) -> None:
    scores: defaultdict[str, list[float]] = defaultdict(list)
    for (schema, _), explanation in explained.items():
        scores[schema].append(explanation.score)
    if len(scores) < 2:
        return
    share = {schema: weight * sum(sorted(own)[-3:]) for schema, own in scores.items()}
    for name, explanation in explained.items():
        explained[name] = replace(explanation, schema=share[name[0]])
