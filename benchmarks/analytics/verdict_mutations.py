"""How SQL goes wrong: each function makes one kind of mistake in a right statement, or gives None.

Choices are drawn from a seeded generator and not tuned to a statement.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.analytics import verdict_name_mistakes as of_names
from benchmarks.analytics import verdict_query_mistakes as of_queries
from benchmarks.analytics import verdict_text_mistakes as of_texts
from benchmarks.analytics.verdict_words import Source

MUTATIONS: tuple[Callable[[Source], str | None], ...] = (
    of_names.misspelt_table,
    of_names.misspelt_column,
    of_names.two_misspelt,
    of_names.unquoted_name,
    of_names.foreign_column,
    of_names.column_of_used,
    of_names.dropped_join,
    of_names.comma_join,
    of_names.wrong_alias,
    of_names.lost_qualifier,
    of_names.table_for_alias,
    of_names.added_join,
    of_names.joined_by_using,
    of_names.natural_join,
    of_texts.dropped_keyword,
    of_texts.doubled_keyword,
    of_texts.misspelt_keyword,
    of_texts.transposed_from,
    of_texts.swapped_words,
    of_texts.dropped_word,
    of_texts.doubled_word,
    of_texts.missing_comma,
    of_texts.extra_comma,
    of_texts.unbalanced_bracket,
    of_texts.truncated,
    of_texts.truncated_at_word,
    of_names.misspelt_function,
    of_texts.missing_quote,
    of_names.string_in_double_quotes,
    of_queries.alias_in_where,
    of_queries.alias_in_order,
    of_queries.repeated_output,
    of_queries.column_of_derived,
    of_queries.column_of_cte,
    of_queries.recursive_cte,
    of_queries.correlated,
    of_queries.lateral,
    of_queries.union_of_itself,
    of_names.qualified_table,
    of_texts.trailing_prose,
    of_texts.leading_prose,
    of_texts.of_another_dialect,
    of_queries.of_system,
)
"""Every kind of mistake; some leave the statement right, which is to be told as well."""
