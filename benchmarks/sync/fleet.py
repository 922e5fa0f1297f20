"""A fleet of databases asked whether they changed, by ours and by SQLAlchemy's Inspector."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from statistics import median
from typing import NamedTuple

import psycopg2
import sqlalchemy as sa

from benchmarks.distance import DistantServer
from benchmarks.realistic_schema import realistic_schema
from benchmarks.services import Services
from twd_schema.drift.detection import PATIENCE_SECONDS, Detector
from twd_schema.drift.freshness import judge
from twd_schema.drift.store import Synced
from twd_schema.extraction.reading import SchemaReader
from twd_shared import settings
from twd_shared.clients.catalog import Connection
from twd_shared.schema_model.models import Snapshot
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.host_readings import HostReadings
from twd_shared.store.migrate import upgrade
from twd_shared.store.source_checks import SourceCheckStore

DATABASES = 100
TABLES = 20
CONNECTIONS = 1000
ROUND_TRIP_SECONDS = 0.005
ROUNDS = 5

# As by default: the sensor takes two thirds of them.
_HOST_READINGS = int(settings.SOURCE_HOST_READINGS.default or 0)
_SYSTEM = ("information_schema", "pg_catalog", "pg_toast")


class Fleet(NamedTuple):
    """Medians in seconds; `first` is the tick that knows nothing of any database."""

    inspector: float
    first: float
    quiet: float
    tenth_changed: float
    found: int
    """How many of those it found, in each round."""


class Distant(NamedTuple):
    """The connections that were asked at a distance, and what it took."""

    reached: int
    seconds: float
    growth: float
    """Peak memory after three more ticks, as a multiple of that after the first."""


def make_fleet(servers: Services) -> list[str]:
    """Addresses of the databases: all of the same realistic tables, each its own."""
    first = servers.database("fleet_0")
    _run(first, ";\n".join(realistic_schema(TABLES)))
    addresses = [first]
    for number in range(1, DATABASES):
        name = f"fleet_{number}"
        _run(servers.database("fleet_admin"), f'create database "{name}" template "fleet_0"')
        addresses.append(first.removesuffix("fleet_0") + name)
    return addresses


def fleet(servers: Services, addresses: Sequence[str]) -> Fleet:
    """Ours and the Inspector take turns."""
    with _checked(servers, "bench_fleet", addresses) as ticks:
        first = ticks.tick()
        held = ticks.fingerprints
        inspected, quiet, changed, found = [], [], [], set[int]()
        for number in range(ROUNDS):
            inspected.append(_seconds(lambda: [_inspect(address) for address in addresses]))
            quiet.append(ticks.tick())
            for address in addresses[number :: DATABASES // 10]:
                _run(address, f"create table changed_{number} (id int)")
            changed.append(ticks.tick())
            found.add(sum(held[key] != now for key, now in ticks.fingerprints.items()))
            held = ticks.fingerprints
    return Fleet(median(inspected), first, median(quiet), median(changed), min(found))


def at_a_distance(servers: Services, addresses: Sequence[str]) -> Distant:
    """Ticks over many connections, each byte on its way for half a round trip."""
    port = sa.make_url(addresses[0]).port
    assert port is not None  # noqa: S101 - the servers' addresses have one
    with DistantServer(port, ROUND_TRIP_SECONDS) as distant:
        far = [
            sa.make_url(addresses[number % DATABASES])
            .set(port=distant.port)
            .render_as_string(hide_password=False)
            for number in range(CONNECTIONS)
        ]
        with _checked(servers, "bench_distant", far) as ticks:
            # Until every source was read once.
            while len(ticks.fingerprints) < CONNECTIONS:
                ticks.tick()
            seconds = ticks.tick()
            reached, before = ticks.reached, _peak()
            for _ in range(3):
                ticks.tick()
            return Distant(reached, seconds, _peak() / before)


@contextmanager
def _checked(servers: Services, name: str, addresses: Sequence[str]) -> Iterator[_Ticks]:
    dsn = servers.database(name)
    upgrade(dsn)
    with closing(MetadataDatabase(dsn)) as database:
        yield _Ticks(database, addresses)


class _Ticks:
    """What schema_change_sensor does at a tick, but for requesting runs."""

    def __init__(self, database: MetadataDatabase, addresses: Sequence[str]) -> None:
        self._connections = [
            Connection(str(number), f"db{number}", "postgresql", True, address)
            for number, address in enumerate(addresses)
        ]
        ConnectionRegistry(database).register(self._connections)
        self._store = SourceCheckStore(database)
        reader = SchemaReader(
            frozenset({"postgresql"}),
            ReadLimits(),
            reach_policy("loopback", ""),
            HostReadings(database, _HOST_READINGS, PATIENCE_SECONDS),
        )
        self._detector = Detector(reader, _no_snapshot, "secret")
        self.fingerprints: Mapping[str, str] = {}
        self.reached = 0
        self.unanswered: list[str] = []

    def tick(self) -> float:
        """Seconds that one tick takes."""
        return _seconds(self._tick)

    def _tick(self) -> None:
        known = self._store.all()
        answers = self._detector.ask(self._connections, known)
        # What the end of the budget cut off is asked again.
        told = {key: answer.fingerprint for key, answer in answers.items() if answer.fingerprint}
        before = {**self.fingerprints, **dict.fromkeys(told, "")}
        held = {key: Synced(fingerprint, True) for key, fingerprint in before.items()}
        judged = judge(answers, held, known)
        self._store.record([one.check for one in judged.values()])
        self.fingerprints = {**self.fingerprints, **told}
        self.reached = len(told)
        self.unanswered = [answer.error for answer in answers.values() if answer.error]


def _no_snapshot(connection_id: str) -> Snapshot:
    raise RuntimeError(f"PostgreSQL tells all: nothing stored of {connection_id} is needed.")


def _inspect(address: str) -> list[object]:
    """What the reference guide's sensor reads of a database, and then makes a hash of."""
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        return [
            (
                inspector.get_columns(name, schema=schema),
                inspector.get_pk_constraint(name, schema=schema),
                inspector.get_foreign_keys(name, schema=schema),
                inspector.get_indexes(name, schema=schema),
            )
            for schema in inspector.get_schema_names()
            if schema not in _SYSTEM
            for name in inspector.get_table_names(schema=schema)
        ]


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _run(address: str, *texts: str) -> None:
    with closing(psycopg2.connect(address)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for text in texts:
                cursor.execute(text)
