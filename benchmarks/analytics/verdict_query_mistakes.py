"""Queries around and in a right one, whose names are seen or not seen where they are used."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchmarks.analytics.verdict_words import Source, text_of, words_of


def alias_in_where(source: Source) -> str | None:
    """WHERE names a column of the result."""
    return _with_output_alias(source, ("where", "having"), "wanted IS NOT NULL AND")


def alias_in_order(source: Source) -> str | None:
    """ORDER BY or GROUP BY names a column of the result, alone or in an expression."""
    item = source.random.choice(("wanted ,", "lower ( wanted ) ,", "wanted || 'x' ,"))
    return _with_output_alias(source, ("by",), item)


def repeated_output(source: Source) -> str | None:
    """Two columns of the result have one name, by which they are ordered or grouped."""
    text = text_of(source.words)
    if source.words[0].lower() != "select" or source.places("order", "limit", "union"):
        return None
    first, *rest = source.words[1:]
    if not first.startswith(('"', "t")) or not rest:
        return None
    place = source.any_of(source.named_columns())
    if place is None:
        return None
    column = source.words[place]
    start = place - 2 if source.words[place - 1] == "." else place
    item = text_of(source.words[start : place + 1])
    listed = re.sub("(?i)^select", f"SELECT {item} ,", text, count=1)
    return f"{listed} ORDER BY {column}"


def column_of_derived(source: Source) -> str | None:
    """A column is asked of a subquery, which may not give it."""
    return _around(source, "SELECT inner_one.{column} FROM ( {text} ) AS inner_one")


def column_of_cte(source: Source) -> str | None:
    """A column is asked of a CTE, which may not give it, or is misspelt itself."""
    name = source.random.choice(("made", "made", "maed"))
    return _around(source, f"WITH made AS ( {{text}} ) SELECT {{column}} FROM {name}")  # noqa: S608 - made to be wrong


def recursive_cte(source: Source) -> str | None:
    """A recursive CTE, whose columns are used right or wrong."""
    name = source.random.choice(("n", "n", "m", "up.n", "other.n"))
    inner = (
        "WITH RECURSIVE up ( n ) AS ( SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 3 )"
        " SELECT {name} , made.{column} FROM up , ( {text} ) AS made"
    )
    return _around(source, inner.replace("{name}", name))


def correlated(source: Source) -> str | None:
    """A subquery in WHERE names a column of the query around it, which may not be there."""
    place = source.any_of(source.named_columns())
    if place is None or not source.columns:
        return None
    table = source.random.choice(sorted(source.columns))
    start = place - 2 if source.words[place - 1] == "." else place
    outer = text_of(source.words[start : place + 1])
    inner = f'SELECT 1 FROM "{table}" AS sub WHERE {outer} = sub.{source.words[place]}'  # noqa: S608 - the same
    condition = f"EXISTS ( {inner} )"
    wheres = source.places("where")
    if not wheres:
        return None
    at = wheres[0] + 1
    return text_of([*source.words[:at], *words_of(condition), "AND", *source.words[at:]])


def lateral(source: Source) -> str | None:
    """A subquery in FROM names a table beside it, with LATERAL or without."""
    place = source.any_of(source.qualifiers())
    at = source.any_of(source.places("where", "group", "order"))
    if place is None or at is None or place > at:
        return None
    word = source.random.choice(("LATERAL", ""))
    column = text_of(source.words[place : place + 3])
    joined = f"CROSS JOIN {word} ( SELECT {column} AS beside ) AS next_one"
    return text_of([*source.words[:at], *words_of(joined), *source.words[at:]])


def union_of_itself(source: Source) -> str | None:
    """A union, ordered by a column that its result has or has not."""
    place = source.any_of(source.named_columns())
    if place is None or source.places("order", "limit"):
        return None
    text = text_of(source.words)
    operation = source.random.choice(("UNION", "UNION ALL", "INTERSECT", "EXCEPT"))
    return f"{text} {operation} {text} ORDER BY {source.words[place]}"


def of_system(source: Source) -> str | None:
    """A column that the server gives every table, or a word that it has itself, is asked for."""
    word = source.random.choice(
        ("ctid", "xmin", "current_user", "user", "current_date", "rowid", "localtime", "sysdate")
    )
    return re.sub("(?i)^select( distinct)?", f"SELECT {word} ,", text_of(source.words))


def _with_output_alias(source: Source, keywords: Sequence[str], item: str) -> str | None:
    places = source.places(*keywords)
    first = source.any_of(source.places("from")[:1])
    if not places or first is None or source.words[first - 1] in (")", "*"):
        return None
    at = source.random.choice(places) + 1
    words = [*source.words[:at], *words_of(item), *source.words[at:]]
    if at <= first:
        return None
    return text_of([*words[:first], "AS", "wanted", *words[first:]])


def _around(source: Source, template: str) -> str | None:
    place = source.any_of(source.named_columns())
    if place is None:
        return None
    return template.format(column=source.words[place], text=text_of(source.words))
