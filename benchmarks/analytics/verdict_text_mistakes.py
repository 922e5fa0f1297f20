"""Mistakes in the text: words that lack, stand twice or elsewhere, and what is no SQL at all."""

from __future__ import annotations

import re

from benchmarks.analytics.verdict_words import Source, misspelt_at, text_of

_KEYWORDS = frozenset(
    "select from where group order by having join on as and or limit in not union intersect except"
    " between like asc desc distinct exists is null".split()
)
_PROSE = (
    "This query returns the requested rows.",
    "-- returns the requested rows",
    "I hope this helps",
    "Explanation: the tables are joined on their keys",
    "Note that the result is sorted",
)


def dropped_keyword(source: Source) -> str | None:
    """A keyword is left out."""
    return source.with_word(source.any_of(source.places(*_KEYWORDS)))


def doubled_keyword(source: Source) -> str | None:
    """A keyword stands twice."""
    place = source.any_of(source.places(*_KEYWORDS))
    if place is None:
        return None
    return source.with_word(place, source.words[place], source.words[place])


def misspelt_keyword(source: Source) -> str | None:
    """A keyword is misspelt."""
    place = source.any_of(source.places(*_KEYWORDS))
    return misspelt_at(source, place)


def transposed_from(source: Source) -> str | None:
    """FROM and the word before or after it have changed places."""
    place = source.any_of(source.places("from"))
    return _swapped(source, place) if place is not None else None


def swapped_words(source: Source) -> str | None:
    """Two words that follow each other have changed places."""
    return _swapped(source, source.random.randrange(len(source.words)))


def dropped_word(source: Source) -> str | None:
    """A word is left out."""
    return source.with_word(source.random.randrange(len(source.words)))


def doubled_word(source: Source) -> str | None:
    """A word stands twice."""
    place = source.random.randrange(len(source.words))
    return source.with_word(place, source.words[place], source.words[place])


def missing_comma(source: Source) -> str | None:
    """A comma is left out."""
    return source.with_word(source.any_of(source.places(",")))


def extra_comma(source: Source) -> str | None:
    """A comma stands where none should: before FROM, after FROM's table, at the end."""
    places = [*source.places("from", "where", "group", "order"), len(source.words)]
    place = source.random.choice(places)
    return text_of([*source.words[:place], ",", *source.words[place:]])


def unbalanced_bracket(source: Source) -> str | None:
    """A bracket is left out or stands twice."""
    place = source.any_of(source.places("(", ")"))
    if place is None:
        place = source.random.randrange(1, len(source.words))
        return text_of([*source.words[:place], "(", *source.words[place:]])
    bracket = source.words[place]
    return source.with_word(place, *source.random.choice(((), (bracket, bracket))))


def truncated(source: Source) -> str | None:
    """The text ends too early, maybe in a word."""
    text = text_of(source.words)
    return text[: source.random.randrange(len("SELECT x"), len(text))]


def truncated_at_word(source: Source) -> str | None:
    """The text ends too early, after a word."""
    return text_of(source.words[: source.random.randrange(2, len(source.words) + 1)])


def missing_quote(source: Source) -> str | None:
    """A quote is left out."""
    places = [place for place, word in enumerate(source.words) if word[0] in "'\""]
    place = source.any_of(places)
    if place is None:
        return None
    word = source.words[place]
    return source.with_word(place, source.random.choice((word[1:], word[:-1])))


def trailing_prose(source: Source) -> str | None:
    """A sentence follows the SQL."""
    return f"{text_of(source.words)}{source.random.choice((' ', '; '))}" + source.random.choice(
        _PROSE
    )


def leading_prose(source: Source) -> str | None:
    """A sentence stands before the SQL."""
    return source.random.choice(("Here is the SQL: ", "SQL: ", "sql ", "Answer ")) + text_of(
        source.words
    )


def of_another_dialect(source: Source) -> str | None:
    """A piece is written as another database writes it."""
    text = text_of(source.words)
    at = source.random.randrange(7)
    if at == 0:
        return text.replace('"', "`")
    if at == 1:
        return re.sub(r'"(\w+)"', r"[\1]", text)
    if at == 2:
        return re.sub("(?i)^select", "SELECT TOP 3", text)
    if at == 3:
        return text if source.places("limit") else f"{text} LIMIT 2 , 5"
    if at == 4:
        return text.replace(" = ", " == ")
    if at == 5:
        return re.sub(r"(?i)count \( \* \)", "COUNT ( )", text)
    return re.sub("(?i)^select", "SELECT SQL_NO_CACHE", text)


def _swapped(source: Source, place: int) -> str:
    words = list(source.words)
    other = place + 1 if place + 1 < len(words) and source.random.random() < 0.5 else place - 1
    words[place], words[other] = words[other], words[place]
    return text_of(words)
