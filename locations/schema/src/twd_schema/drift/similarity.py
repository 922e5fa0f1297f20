"""Which tables and columns look so much alike that one was probably renamed to the other.

Only where no server proves anything. What could be taken for two others is taken for none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from math import ceil

from twd_shared.schema_model.models import Column, Table

# Of the columns of the larger table, with name and type.
_LEAST_SHARED = 0.8
# With fewer columns in common, too many tables look alike.
_LEAST_COLUMNS = 2
_LEAST_LIKE_NAME = 0.75
# What so many others are like is not told apart from them.
_MOST_ALIKE = 100
_MOST_NAME_PAIRS = 10_000
# A few seconds, where the columns of hundreds of tables are called otherwise.
_MOST_NAME_PAIRS_OF_A_DIFF = 100_000


def similar_tables(gone: Sequence[Table], come: Sequence[Table]) -> list[tuple[Table, Table]]:
    """Pairs of a table that is gone and one that has come, each the other's only best match."""
    scores: dict[tuple[int, int], float] = {}
    for place, others in enumerate(_candidates(gone, come)):
        for other in others:
            if score := _likeness(gone[place], come[other]):
                scores[place, other] = score
    return [(gone[place], come[other]) for place, other in _best_pairs(scores)]


class SimilarColumns:
    """Finds the columns that were probably renamed, table by table of one diff."""

    def __init__(self) -> None:
        """No name was compared yet."""
        self._name_pairs = _MOST_NAME_PAIRS_OF_A_DIFF

    def of(self, old: Table, new: Table, known: Mapping[str, str]) -> list[tuple[str, str]]:
        """(old, new) names of columns that are gone and have come; `known` are renamed already.

        They have the same type, and stand in the same place or have a similar name. Where too many
        names would have to be compared, in the table or in all so far, the place alone tells.
        """
        taken = set(known.values())
        kept = {column.name for column in new.columns} - taken
        held = {column.name for column in old.columns} - known.keys()
        gone = [c for c in old.columns if c.name not in known and c.name not in kept]
        come = [c for c in new.columns if c.name not in taken and c.name not in held]
        if not gone or not come:
            return []
        places = _places(old, {c.name for c in gone}, known)
        numbers = {c.name: to for to, c in enumerate(come)}
        at = {place: numbers[name] for name, place in _places(new, set(numbers), {}).items()}
        of_type: dict[tuple[str, str | None], set[int]] = {}
        for to, other in enumerate(come):
            of_type.setdefault((other.type, other.collation), set()).add(to)
        names_too = self._may_compare(gone, come, of_type)
        scores: dict[tuple[int, int], float] = {}
        for place, one in enumerate(gone):
            alike = of_type.get((one.type, one.collation), set())
            beside = at.get(places[one.name]) if one.name in places else None
            for to in alike if names_too else alike & {beside}:
                like = _like(one.name, come[to].name) if names_too else 0
                if to == beside:
                    scores[place, to] = 1 + like
                elif like >= _LEAST_LIKE_NAME:
                    scores[place, to] = like
        return [(gone[place].name, come[to].name) for place, to in _best_pairs(scores)]

    def _may_compare(
        self,
        gone: Sequence[Column],
        come: Sequence[Column],
        of_type: Mapping[tuple[str, str | None], Collection[int]],
    ) -> bool:
        """Whether the names are compared; those of a table are, all of them or none."""
        pairs = sum(len(of_type.get((one.type, one.collation), ())) for one in gone)
        if len(gone) * len(come) > _MOST_NAME_PAIRS or pairs > self._name_pairs:
            return False
        self._name_pairs -= pairs
        return True


def _candidates(gone: Sequence[Table], come: Sequence[Table]) -> Iterator[set[int]]:
    """Places in `come` that can be alike, for each that is gone: they share a rare column.

    Comparing each with each would take a minute where thousands have moved to another schema.
    """
    by_column: dict[tuple[str, str], list[int]] = {}
    by_name: dict[str, list[int]] = {}
    for place, table in enumerate(come):
        by_name.setdefault(table.name, []).append(place)
        for column in table.columns:
            by_column.setdefault((column.name, column.type), []).append(place)
    for table in gone:
        buckets = [by_column.get((c.name, c.type), []) for c in table.columns]
        # So many columns must be tried that one of those that are shared is among them.
        tried = len(buckets) - ceil(_LEAST_SHARED * len(buckets)) + 1
        rarest = sorted(buckets, key=len)[:tried]
        found = [by_name.get(table.name, []), *rarest]
        yield {place for bucket in found if len(bucket) <= _MOST_ALIKE for place in bucket}


def _like(one: str, other: str) -> float:
    return SequenceMatcher(None, one.lower(), other.lower(), False).ratio()


def _likeness(one: Table, other: Table) -> float:
    if one.kind != other.kind or one.definition != other.definition:
        return 0
    columns = [Counter((c.name, c.type) for c in table.columns) for table in (one, other)]
    shared = (columns[0] & columns[1]).total()
    share = shared / max(columns[0].total(), columns[1].total(), 1)
    if shared < _LEAST_COLUMNS or share < _LEAST_SHARED:
        return 0
    # Moved to another schema is the likelier.
    return share + (one.name == other.name)


def _places(
    table: Table, moving: set[str], renamed: Mapping[str, str]
) -> dict[str, tuple[str | None, str | None]]:
    """The neighbours of each moving column that stands alone between two that stay."""
    names = [None, *(column.name for column in table.columns), None]
    found: dict[str, tuple[str | None, str | None]] = {}
    for before, name, after in zip(names, names[1:], names[2:], strict=False):
        if name in moving and before not in moving and after not in moving:
            found[name] = (_now(before, renamed), _now(after, renamed))
    return found


def _now(name: str | None, renamed: Mapping[str, str]) -> str | None:
    return name and renamed.get(name, name)


def _best_pairs(scores: Mapping[tuple[int, int], float]) -> list[tuple[int, int]]:
    """The pairs of which each is the only best of the other."""
    best: tuple[dict[int, float], dict[int, float]] = ({}, {})
    for pair, score in scores.items():
        for held, place in zip(best, pair, strict=True):
            held[place] = max(score, held.get(place, 0))
    # With the same score twice, it could be either.
    count = Counter(
        (side, place)
        for pair, score in scores.items()
        for side, place in enumerate(pair)
        if score == best[side][place]
    )
    return [
        (one, other)
        for (one, other), score in sorted(scores.items())
        if score == best[0][one] == best[1][other] and count[0, one] == count[1, other] == 1
    ]
