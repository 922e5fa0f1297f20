"""Mistakes in names: misspelt, of another table, behind the wrong alias, joined in another way."""

from __future__ import annotations

from benchmarks.analytics.verdict_words import Source, misspelt, misspelt_at, text_of

_ENDS_JOIN = frozenset(
    "join where group order having limit union intersect except ) left right inner ,".split()
)
_FUNCTIONS = frozenset("count sum avg min max".split())


def misspelt_table(source: Source) -> str | None:
    """A table's name is misspelt."""
    place = source.any_of(source.tables())
    return misspelt_at(source, place)


def misspelt_column(source: Source) -> str | None:
    """A column's name is misspelt."""
    place = source.any_of(source.named_columns())
    return misspelt_at(source, place)


def two_misspelt(source: Source) -> str | None:
    """Two names are misspelt, wherever they stand."""
    places = [*source.tables(), *source.named_columns()]
    if len(places) < 2:
        return None
    words = list(source.words)
    for place in source.random.sample(places, 2):
        words[place] = misspelt(words[place], source.random)
    return text_of(words)


def unquoted_name(source: Source) -> str | None:
    """A name has lost the quotes that keep its case."""
    place = source.any_of([*source.named_columns(), *source.tables()])
    return None if place is None else source.with_word(place, source.words[place].strip('"'))


def foreign_column(source: Source) -> str | None:
    """A column is one of another table of the schema."""
    used = source.used()
    others = [
        name for table, names in source.columns.items() if table not in used for name in names
    ]
    place = source.any_of(source.named_columns())
    if place is None or not others:
        return None
    return source.with_word(place, f'"{source.random.choice(others)}"')


def column_of_used(source: Source) -> str | None:
    """A column is one of any table that is there, under the alias of maybe another."""
    names = [name for table in sorted(source.used()) for name in source.columns.get(table, ())]
    place = source.any_of(source.named_columns())
    if place is None or not names:
        return None
    return source.with_word(place, f'"{source.random.choice(names)}"')


def dropped_join(source: Source) -> str | None:
    """A join is left out, and its alias is still used."""
    place = source.any_of(source.places("join"))
    if place is None:
        return None
    end = place + 1
    while end < len(source.words) and source.words[end].lower() not in _ENDS_JOIN:
        end += 1
    return text_of([*source.words[:place], *source.words[end:]])


def comma_join(source: Source) -> str | None:
    """The first JOIN … ON is written as a comma, and its condition is left out."""
    place = source.any_of(source.places("join")[:1])
    if place is None:
        return None
    ends = [at for at in source.places("on") if at > place]
    if not ends:
        return None
    end = ends[0]
    after = end + 1
    while after < len(source.words) and source.words[after].lower() not in _ENDS_JOIN:
        after += 1
    words = [*source.words[:place], ",", *source.words[place + 1 : end], *source.words[after:]]
    return text_of(words)


def wrong_alias(source: Source) -> str | None:
    """A column stands behind the alias of another table, or one that is not there."""
    places = source.qualifiers()
    place = source.any_of(places)
    if place is None:
        return None
    aliases = {source.words[at] for at in places} - {source.words[place]}
    return source.with_word(place, source.random.choice([*sorted(aliases), "t9"]))


def lost_qualifier(source: Source) -> str | None:
    """A column has lost the alias before it."""
    place = source.any_of(source.qualifiers())
    if place is None:
        return None
    return text_of([*source.words[:place], *source.words[place + 2 :]])


def table_for_alias(source: Source) -> str | None:
    """A column stands behind its table's name, which has an alias."""
    place, table = source.any_of(source.qualifiers()), source.any_of(source.tables())
    if place is None or table is None:
        return None
    return source.with_word(place, source.words[table])


def added_join(source: Source) -> str | None:
    """Another table is joined, which may have columns of the same names."""
    others = sorted(source.columns)
    place = source.any_of(source.places("where", "group", "order"))
    if place is None or not others:
        return None
    joined = f'JOIN "{source.random.choice(others)}" AS added ON true'
    return text_of([*source.words[:place], *joined.split(), *source.words[place:]])


def joined_by_using(source: Source) -> str | None:
    """A JOIN … ON is written with USING."""
    place = source.any_of(source.places("on"))
    if place is None or place + 4 > len(source.words) or source.words[place + 2] != ".":
        return None
    end = place + 1
    while end < len(source.words) and source.words[end].lower() not in _ENDS_JOIN:
        end += 1
    column = source.words[place + 3]
    return text_of([*source.words[:place], "USING", "(", column, ")", *source.words[end:]])


def natural_join(source: Source) -> str | None:
    """A JOIN … ON is written as a natural one."""
    place = source.any_of(source.places("join"))
    if place is None:
        return None
    on = [at for at in source.places("on") if at > place]
    if not on:
        return None
    end = on[0]
    while end < len(source.words) and source.words[end].lower() not in _ENDS_JOIN:
        end += 1
    words = source.words
    return text_of([*words[:place], "NATURAL", *words[place : on[0]], *words[end:]])


def misspelt_function(source: Source) -> str | None:
    """A function's name is misspelt."""
    place = source.any_of(source.places(*_FUNCTIONS))
    return misspelt_at(source, place)


def string_in_double_quotes(source: Source) -> str | None:
    """A string stands in the quotes of names."""
    place = source.any_of([at for at, word in enumerate(source.words) if word[0] == "'"])
    if place is None:
        return None
    return source.with_word(place, '"' + source.words[place].strip("'") + '"')


def qualified_table(source: Source) -> str | None:
    """A table stands behind a schema: its own or another."""
    place = source.any_of(source.tables())
    if place is None:
        return None
    schema = source.random.choice((source.schema, source.other_schema, "publik"))
    return source.with_word(place, f'"{schema}"', ".", source.words[place])
