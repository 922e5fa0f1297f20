"""What a metric is, and a query that gives some of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Origin = Literal["dagster", "twd"]
"""Whose tables a query reads: Dagster's own, or those of schema `twd`."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A gauge: its name, what it says, and its labels, which are columns of its query.

    All are gauges, because each scrape reads them anew: one that counts says over which time.
    """

    name: str
    documentation: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """One statement and what its columns are: `metrics` maps a column to the metric it gives.

    A null gives no value. Columns that are labels are texts.
    """

    name: str
    origin: Origin
    sql: str
    metrics: dict[str, Metric]
