"""A table as it is told where others read: without what looks like a secret. Pure."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from twd_shared.schema_model.models import Column, Constraint, ForeignKey, Index, Key, Table
from twd_shared.schema_model.secret_comments import comment_without_secrets
from twd_shared.schema_model.secret_literals import without_secret_literals


def without_secrets(table: Table, dialect: str) -> Table:
    """The table with '…' in the place of literals of its SQL that are a secret, and in comments.

    So it goes where others read: to the index, to the knowledge base, to its documentation.
    """

    def shown(sql: str, column: str = "") -> str:
        return without_secret_literals(sql, dialect, column)

    def of_column(column: Column) -> Column:
        if not (column.default or column.generated or column.comment):
            return column
        return msgspec.structs.replace(
            column,
            default=column.default and shown(column.default, column.name),
            generated=column.generated and shown(column.generated, column.name),
            comment=_told(column.comment),
        )

    told = msgspec.structs.replace(
        table,
        definition=table.definition and shown(table.definition),
        columns=tuple(map(of_column, table.columns)),
        primary_key=table.primary_key and _of_key(table.primary_key),
        unique_constraints=tuple(map(_of_key, table.unique_constraints)),
        foreign_keys=tuple(map(_of_key, table.foreign_keys)),
        constraints=tuple(
            constraint_without_secrets(constraint, dialect) for constraint in table.constraints
        ),
        indexes=tuple(index_without_secrets(index, dialect) for index in table.indexes),
        partition_key=table.partition_key and shown(table.partition_key),
        comment=_told(table.comment),
    )
    return table if told == table else told


def constraint_without_secrets(constraint: Constraint, dialect: str) -> Constraint:
    """The constraint as `without_secrets` tells it."""
    return msgspec.structs.replace(
        constraint,
        definition=without_secret_literals(constraint.definition, dialect),
        comment=_told(constraint.comment),
    )


def index_without_secrets(index: Index, dialect: str) -> Index:
    """The index as `without_secrets` tells it."""

    def shown(sql: str) -> str:
        return without_secret_literals(sql, dialect)

    return msgspec.structs.replace(
        index,
        columns=tuple(map(shown, index.columns)),
        definition=index.definition and shown(index.definition),
        predicate=index.predicate and shown(index.predicate),
        comment=_told(index.comment),
    )


_AnyKey = TypeVar("_AnyKey", Key, ForeignKey)


def _of_key(key: _AnyKey) -> _AnyKey:
    return msgspec.structs.replace(key, comment=_told(key.comment)) if key.comment else key


def _told(comment: str | None) -> str | None:
    return comment and comment_without_secrets(comment)
