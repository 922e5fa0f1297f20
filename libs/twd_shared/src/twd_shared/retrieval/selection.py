"""Which of the ranked tables answer a question: the best ones, and what joins them. Pure functions.

The best table of a ranking is rarely all that a statement needs, and its last ones only cost the
language model attention: how many are taken follows from how fast the scores fall.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from twd_shared.retrieval.ranking import Explanation, RankedTable
from twd_shared.schema_model.keys import TableName

Graph = Mapping[TableName, Set[TableName]]

# Below this share of the best score a table is rarely part of the answer: docs/retrieval.md.
_KEPT_SHARE = 0.4
_FEWEST = 3
# Tables that are surely meant, and so are joined; the others only might be.
_JOINED = 3
# Foreign keys between two tables that still make one statement.
_LONGEST_JOIN = 3


def select(ranked: Sequence[RankedTable], graph: Graph, limit: int) -> list[RankedTable]:
    """The first tables of a ranking, as many as belong together, and their join closure.

    `limit` is the most there can be, tables that only join others included.
    """
    if not ranked:
        return []
    enough = _KEPT_SHARE * ranked[0].score
    kept = [one for n, one in enumerate(ranked) if n < _FEWEST or one.score >= enough][:limit]
    return close_joins(kept, ranked, graph)[:limit]


def close_joins(
    kept: Sequence[RankedTable], ranked: Sequence[RankedTable], graph: Graph
) -> list[RankedTable]:
    """`kept`, with the tables on the shortest way between its first ones right behind these."""
    by_name = {one.name: one for one in ranked}
    firsts = [one.name for one in kept[:_JOINED]]
    between: dict[TableName, tuple[TableName, TableName]] = {}
    for position, end in enumerate(firsts):
        for start in firsts[:position]:
            for name in _way(start, end, graph)[1:-1]:
                between.setdefault(name, (start, end))
    joining = [
        RankedTable(name, replace(_explanation(by_name.get(name)), joins=ends))
        for name, ends in between.items()
        if name not in firsts
    ]
    rest = [one for one in kept[_JOINED:] if one.name not in between]
    return [*kept[:_JOINED], *joining, *rest]


def _explanation(ranked: RankedTable | None) -> Explanation:
    return ranked.explanation if ranked else Explanation()


def _way(start: TableName, end: TableName, graph: Graph) -> Sequence[TableName]:
    """The tables on the shortest way over foreign keys, both ends included; () if there is none."""
    came_from: dict[TableName, TableName | None] = {start: None}
    waiting = deque([(start, 0)])
    while waiting:
        name, length = waiting.popleft()
        if name == end:
            break
        if length < _LONGEST_JOIN:
            for other in sorted(graph.get(name, ())):
                if other not in came_from:
                    came_from[other] = name
                    waiting.append((other, length + 1))
    if end not in came_from:
        return ()
    way: list[TableName] = [end]
    while (previous := came_from[way[-1]]) is not None:
        way.append(previous)
    return way[::-1]
