"""What was valid at each answer: a version of the schema, of a knowledge base. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import polars as pl

Change = tuple[str, datetime, int]
"""(connection id, moment, the version that is valid from then on)."""

NO_VERSION = 0


def with_version(answers: pl.DataFrame, changes: Iterable[Change], name: str) -> pl.DataFrame:
    """The answers with the version valid at their moment as column `name`; 0 = there was none.

    The order of rows is not kept.
    """
    known = pl.DataFrame(
        list(changes),
        schema={"connection_id": pl.String, "created_at": pl.Datetime("us", "UTC"), name: pl.Int32},
        orient="row",
    ).with_columns(pl.col("connection_id").cast(pl.Categorical))
    if known.is_empty():
        return answers.with_columns(pl.lit(NO_VERSION, pl.Int32).alias(name))
    return (
        answers.sort("created_at")
        .join_asof(
            # Of two at one moment the one that was recorded last.
            known.sort("created_at", maintain_order=True),
            on="created_at",
            by="connection_id",
            check_sortedness=False,
        )
        .with_columns(pl.col(name).fill_null(NO_VERSION))
    )
