"""From rows to Prometheus' families, and the answer of a few seconds ago to who asks again."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from twd_shared.metrics import dagster_queries, store_queries
from twd_shared.metrics.model import Metric, Query
from twd_shared.metrics.reading import Answer, Reader, Reading

QUERIES: tuple[Query, ...] = (*store_queries.QUERIES, *dagster_queries.QUERIES)

UP = Metric("twd_up", "1 = the metadata database could be asked, 0 = it could not")
WEBHOOK = Metric(
    "twd_alert_webhook_configured", "1 = TWD_ALERT_WEBHOOK_URL is set, 0 = alerts are only kept"
)
QUERY_UP = Metric("twd_query_up", "1 = this query of the exporter was answered", ("query",))
QUERY_SECONDS = Metric("twd_query_seconds", "How long this query took", ("query",))

METRICS: tuple[Metric, ...] = (
    UP,
    WEBHOOK,
    QUERY_UP,
    QUERY_SECONDS,
    *(metric for query in QUERIES for metric in query.metrics.values()),
)
"""Every metric that is exported, the exporter's own first."""


class DatabaseCollector(Collector):
    """Gives the families of one reading; a reading serves all who ask within `keep_seconds`."""

    def __init__(
        self,
        reader: Reader,
        has_webhook: bool,
        keep_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`has_webhook` is whether alerts are sent anywhere."""
        self._reader = reader
        self._has_webhook = has_webhook
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: tuple[float, Reading] | None = None
        self._told: dict[str, str] = {}

    def describe(self) -> Iterator[Family]:
        """All families, empty: registering must not ask the database."""
        for metric in METRICS:
            yield _family(metric)

    def collect(self) -> Iterator[Family]:
        """All families that have a value, of a reading of now or of a few seconds ago."""
        # One reads, whoever else asks waits for it and takes what it found.
        with self._lock:
            reading = self._reading()
        yield _family(UP, [((), float(reading.is_up))])
        yield _family(WEBHOOK, [((), float(self._has_webhook))])
        answers = reading.answers
        yield _family(
            QUERY_UP, [((name,), float(one.rows is not None)) for name, one in answers.items()]
        )
        yield _family(QUERY_SECONDS, [((name,), one.seconds) for name, one in answers.items()])
        for query in QUERIES:
            yield from _families(query, answers.get(query.name))

    def _reading(self) -> Reading:
        now = self._clock()
        if self._kept is None or now - self._kept[0] >= self._keep_seconds:
            reading = self._reader.read(QUERIES)
            self._tell(reading)
            self._kept = (self._clock(), reading)
        return self._kept[1]

    def _tell(self, reading: Reading) -> None:
        """Say on stderr what began to fail, once; a scrape that fails the same way says nothing."""
        failing = {name: one.failure for name, one in reading.answers.items() if one.failure}
        if not reading.is_up:
            failing = {"the metadata database": reading.failure}
        for name, failure in failing.items():
            if self._told.get(name) != failure:
                print(f"{name} was not answered: {failure}", file=sys.stderr, flush=True)
        self._told = failing


def _families(query: Query, answer: Answer | None) -> Iterator[Family]:
    rows = (answer and answer.rows) or ()
    for column, metric in query.metrics.items():
        values = [
            (tuple(str(row[label] or "") for label in metric.labels), float(row[column]))
            for row in rows
            if row[column] is not None
        ]
        yield _family(metric, values)


def _family(
    metric: Metric, values: Sequence[tuple[tuple[str, ...], float]] = ()
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(metric.name, metric.documentation, labels=metric.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family
