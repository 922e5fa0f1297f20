"""How much is told of a table whose comments or statements are of an absurd length. Pure.

Of any other table everything is told.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from twd_shared.schema_model.ddl import table_ddl
from twd_shared.schema_model.models import Table
from twd_shared.schema_model.wording import shortened

LONGEST_COMMENT = 500
"""Characters of a comment in a card: one of megabytes must not drown the table's own words."""

LONGEST_DDL = 1_000_000
"""Characters of `short_ddl`: Qdrant takes requests of 32 MiB, and no model reads such a text."""

# Of comments that are longer all together, each is cut to its share: nobody writes so much.
_COMMENTS_TOGETHER = 200_000


def longest_comment(table: Table) -> int:
    """Characters that a comment of this table may have in its texts."""
    comments = [table.comment, *(column.comment for column in table.columns)]
    if sum(len(comment) for comment in comments if comment) <= _COMMENTS_TOGETHER:
        return _COMMENTS_TOGETHER
    return max(LONGEST_COMMENT, _COMMENTS_TOGETHER // len(comments))


def without_comments(table: Table) -> Table:
    """The table without its own and its columns' comments."""
    return _with_comments(table, lambda text: None)


def short_ddl(table: Table, dialect: str) -> str:
    """`table_ddl` of the table, with comments and as a whole no longer than a text may be."""
    longest = longest_comment(table)
    short = _with_comments(table, lambda text: shortened(text, longest))
    return shortened(table_ddl(short, dialect), LONGEST_DDL)


def _with_comments(table: Table, changed: Callable[[str], str | None]) -> Table:
    if not table.comment and not any(column.comment for column in table.columns):
        return table
    return msgspec.structs.replace(
        table,
        comment=changed(table.comment) if table.comment else None,
        columns=tuple(
            msgspec.structs.replace(column, comment=changed(column.comment))
            if column.comment
            else column
            for column in table.columns
        ),
    )
