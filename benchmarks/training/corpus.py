"""A corpus of schema changes: what training makes of each pair, against what PostgreSQL says.

Every change is made to its own copy of a sample database, read by the schema location's reader and
judged by `collect_examples`; then the way back is gone, and all is read and judged again. Both
are done twice: with the source being asked to plan the pairs, and by the schema's names alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import psycopg2

from benchmarks.services import Services
from benchmarks.training.catalog_reading import Database
from benchmarks.training.oracle import Answer, Comparison, Oracle
from benchmarks.training.pairs import Pair, pairs
from benchmarks.training.restoring import restore
from benchmarks.training.schema_changes import SchemaChange
from twd_schema.extraction.reading import SchemaReader
from twd_schema.history.recording import DropPolicy, SnapshotRecorder
from twd_shared.clients.application import ApplicationDatabase
from twd_shared.clients.catalog import Connection
from twd_shared.clients.training_options import TrainingOptions
from twd_shared.sources.access import SourceAccess
from twd_shared.sql.grammar import PostgresGrammar
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.migrate import upgrade
from twd_shared.store.snapshots import SnapshotStore
from twd_training.examples.collecting import collect_examples
from twd_training.examples.models import TrainingItem
from twd_training.examples.store import TrainingSet

BY_PLANNING, BY_NAMES = "asking the source", "by names alone"
_UNCHANGED = "nothing is changed yet"
_ACCESS = SourceAccess.configured("postgresql", "loopback", "", 60.0)


@dataclass(frozen=True, slots=True)
class Finding:
    """A pair about which training and PostgreSQL disagree after a change.

    `told` is training's reason or proposal, `truth` PostgreSQL's fault; '' where there is none.
    """

    change: str
    pair: Pair
    told: str
    truth: str


@dataclass(slots=True)
class Judgement:
    """All that was judged in one way, over all changes."""

    broken: int = 0
    broken_served: list[Finding] = field(default_factory=list[Finding])
    good_lost: list[Finding] = field(default_factory=list[Finding])
    not_restored: list[Finding] = field(default_factory=list[Finding])
    proposals: int = 0
    proposals_wrong: list[Finding] = field(default_factory=list[Finding])


@dataclass(frozen=True, slots=True)
class Corpus:
    """What was judged, by way of judging."""

    changes: int
    pairs: int
    judgements: Mapping[str, Judgement]


def judge_corpus(servers: Services, changes: Sequence[SchemaChange]) -> Corpus:
    """Make every change in turn; raises RuntimeError if the corpus itself is not valid."""
    judgements = {BY_PLANNING: Judgement(), BY_NAMES: Judgement()}
    count = 0
    for name in dict.fromkeys(change.database for change in changes):
        servers.source(name)
        admin = servers.database(f"corpus_{name}")
        with closing(_Sample(servers, name, admin)) as sample:
            count += len(sample.pairs)
            for number, change in enumerate(one for one in changes if one.database == name):
                _judge_change(sample, number, change, judgements)
    return Corpus(len({(one.database, one.name) for one in changes}), count, judgements)


class _Sample:
    """A sample database that stays as it is, its pairs, and what they read."""

    def __init__(self, servers: Services, name: str, admin: str) -> None:
        self.servers = servers
        self.name = name
        self._admin = admin
        self.metadata_dsn = servers.database(f"corpus_{name}_metadata")
        upgrade(self.metadata_dsn)
        self.application = servers.application(f"corpus_{name}_application")
        # A database that is connected to cannot be copied.
        self._address("corpus_original", name)
        self.original = _connected(self._dsn("corpus_original_" + name))
        self.pairs = pairs(name, self.original)
        self.oracle = Oracle(self.original)
        self.reads = {pair: self.oracle.ask(pair.sql) for pair in self.pairs}
        wrong = [f"{pair.sql}: {one.error}" for pair, one in self.reads.items() if one.error]
        if wrong:
            raise RuntimeError("Pairs that PostgreSQL cannot plan:\n" + "\n".join(wrong))

    def close(self) -> None:
        """Close the connection to the original."""
        self.original.close()

    def copy(self, number: int) -> str:
        """Address of a new copy."""
        return self._address(f"corpus_copy{number}", self.name)

    def forget(self, address: str) -> None:
        """Drop a copy."""
        with closing(_connected(self._admin)) as admin:
            _run(admin, [f'drop database "{address.rpartition("/")[2]}" with (force)'])

    def _address(self, name: str, template: str) -> str:
        made = f"{name}_{template}"
        with closing(_connected(self._admin)) as admin:
            _run(admin, [f'create database "{made}" template "{template}" strategy file_copy'])
        return self._dsn(made)

    def _dsn(self, database: str) -> str:
        return f"{self._admin.rpartition('/')[0]}/{database}"


def _judge_change(
    sample: _Sample, number: int, change: SchemaChange, judgements: Mapping[str, Judgement]
) -> None:
    address = sample.copy(number)
    label = f"{change.database}: {change.name}"
    try:
        with closing(_connected(address)) as database, _taught(sample, number, address) as trained:
            for way, items in trained.judged().items():
                _compare(judgements[way].good_lost, _UNCHANGED, sample.pairs, items)
            _run(database, change.statements)
            comparison = Comparison(sample.oracle, Oracle(database))
            faults = {p: comparison.fault(p.sql, sample.reads[p]) for p in sample.pairs}
            for way, items in trained.judged().items():
                _judge(judgements[way], label, faults, items)
                _judge_proposals(judgements[way], label, comparison, sample.reads, items)
            _run(database, change.back)
            restore(database, sample.original)
            comparison = Comparison(sample.oracle, Oracle(database))
            for pair in sample.pairs:
                if fault := comparison.fault(pair.sql, sample.reads[pair]):
                    raise RuntimeError(f"{label} has no way back for {pair.sql!r}: {fault}")
            for way, items in trained.judged().items():
                _compare(judgements[way].not_restored, label, sample.pairs, items)
    except psycopg2.Error as error:
        raise RuntimeError(f"{label} cannot be made: {error}") from error
    finally:
        sample.forget(address)


def _judge(
    judgement: Judgement,
    change: str,
    faults: Mapping[Pair, str],
    items: Mapping[str, TrainingItem],
) -> None:
    for pair, fault in faults.items():
        item = items[pair.question]
        judgement.broken += bool(fault)
        if fault and item.accepted:
            judgement.broken_served.append(Finding(change, pair, "", fault))
        elif not fault and not item.accepted:
            judgement.good_lost.append(Finding(change, pair, item.reason, ""))


def _judge_proposals(
    judgement: Judgement,
    change: str,
    comparison: Comparison,
    reads: Mapping[Pair, Answer],
    items: Mapping[str, TrainingItem],
) -> None:
    for pair, was in reads.items():
        if proposal := items[pair.question].proposal:
            judgement.proposals += 1
            if fault := comparison.fault(proposal, was):
                judgement.proposals_wrong.append(Finding(change, pair, proposal, fault))


def _compare(
    found: list[Finding], change: str, all_pairs: Iterable[Pair], items: Mapping[str, TrainingItem]
) -> None:
    """Note the pairs that are not accepted although the schema is as it was."""
    known = {one.pair for one in found if one.change == change}
    for pair in all_pairs:
        item = items[pair.question]
        if not item.accepted and pair not in known:
            found.append(Finding(change, pair, item.reason, ""))


class _Trained:
    """Connections to one copy, of which users have taught all pairs: one for each way."""

    def __init__(self, sample: _Sample, number: int, address: str, database: MetadataDatabase):
        options = {BY_PLANNING: TrainingOptions(explain=True), BY_NAMES: TrainingOptions()}
        self._connections = {
            way: Connection(
                str(2 * number + place),
                f"{sample.name} {number} {place}",
                "postgresql",
                True,
                address,
                training=chosen,
            )
            for place, (way, chosen) in enumerate(options.items(), start=1)
        }
        registry = ConnectionRegistry(database)
        registry.register(list(self._connections.values()))
        self._snapshots = SnapshotStore(database)
        self._set = TrainingSet(database)
        self._application = ApplicationDatabase(sample.application)
        self._grammar = PostgresGrammar(sample.metadata_dsn)
        reader = SchemaReader.within(_ACCESS)
        policy = DropPolicy(confirm_seconds=0)
        self._recorder = SnapshotRecorder(reader, self._snapshots, registry, policy)
        with closing(_connected(sample.application)) as application:
            for one in self._connections.values():
                _teach(application, one, sample.pairs)

    def judged(self) -> dict[str, dict[str, TrainingItem]]:
        """Read the copy as it is now and judge the pairs: items by question, by way."""
        return {way: self._items(one) for way, one in self._connections.items()}

    def _items(self, connection: Connection) -> dict[str, TrainingItem]:
        self._recorder.record(connection)
        collected = collect_examples(
            connection, self._application, self._snapshots, self._set, _ACCESS, self._grammar
        )
        if collected.unplanned:
            raise RuntimeError(f"The source was not asked: {collected.unplanned}")
        return {str(item.question): item for item in collected.items}


@contextmanager
def _taught(sample: _Sample, number: int, address: str) -> Iterator[_Trained]:
    with closing(MetadataDatabase(sample.metadata_dsn)) as database:
        yield _Trained(sample, number, address, database)


def _teach(application: Database, connection: Connection, taught: Sequence[Pair]) -> None:
    with application.cursor() as cursor:
        cursor.execute(
            "insert into database_connections (id, name, connection_string, db_type)"
            " values (%s, %s, 'none', 'postgresql')",
            (connection.connection_id, connection.database_name),
        )
        cursor.executemany(
            "insert into training_data (connection_id, kind, question, content)"
            " values (%s, 'question_sql', %s, %s)",
            [(connection.connection_id, pair.question, pair.sql) for pair in taught],
        )


def _connected(address: str) -> Database:
    connection = psycopg2.connect(address)
    connection.autocommit = True
    return connection


def _run(database: Database, statements: Iterable[str]) -> None:
    with database.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
