"""What the gate before a knowledge base catches: faults that are made on purpose, by a fixed seed.

The knowledge bases are those of Pagila and Northwind with the pairs of the corpus. A try changes a
comment in the schema, makes a fault, and trains: the fault is caught if what is served stays the
version of before. A fault that is over must not hold anything back.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import msgspec
import psycopg2

from benchmarks.services import Services
from benchmarks.training.faulty_model import FaultyModel
from benchmarks.training.own import OwnTraining, metadata_of_its_own
from benchmarks.training.pairs import pairs
from twd_schema.extraction.reading import SchemaReader
from twd_shared.clients.catalog import Connection
from twd_shared.clients.qdrant import open_client
from twd_shared.schema_model.ddl.names import quote_name
from twd_shared.schema_model.lengths import short_ddl
from twd_shared.schema_model.models import Snapshot, Table
from twd_shared.sources.access import SourceAccess
from twd_training.knowledge_base import documents, material
from twd_training.knowledge_base.documents import Document

TRIES = 20
SEED = 6
SAMPLES = ("pagila", "northwind")
# Of other models than nomic's: its own the stand-in drops, as they say nothing.
_PREFIXES = (
    "query: ",
    "passage: ",
    "title: none | text: ",
    "Represent this sentence for searching relevant passages: ",
    "Instruct: Given a question, find the tables that answer it\nQuery: ",
)
_SOURCES = ("schema", "relationship", "card", "user")
_WITHOUT_FAULT = ("unchanged", "lost_point", "harmless")
_VIEWS = frozenset({"view", "materialized_view"})


class Caught(NamedTuple):
    """How many of `TRIES` were caught, by fault; and in how many of as many something was held.

    `unchanged` are trainings without a change, `lost_point` those that make a version anew because
    a point of the present one is gone, `harmless` those after a change of a comment.
    """

    faults: Mapping[str, int]
    false_alarms: Mapping[str, int]


class _Base:
    """The knowledge base of one sample database, and who breaks it."""

    def __init__(self, own: OwnTraining, snapshot: Snapshot, model: FaultyModel, qdrant: str):
        self.model = model
        self.snapshot = snapshot
        self._own = own
        self._qdrant = qdrant
        own.keep(snapshot)
        if self.holds():
            raise RuntimeError("The first training is held back: what follows tells nothing.")

    def holds(self) -> bool:
        """Train; whether the version that was made is held back."""
        self._own.collect()
        return self._own.train(self.model.url).published.held is not None

    def change(self, chance: random.Random) -> None:
        """Another comment on a table."""
        place = chance.randrange(len(self.snapshot.tables))
        tables = list(self.snapshot.tables)
        remark = f"Reviewed as number {chance.randrange(10**9)}."
        tables[place] = msgspec.structs.replace(tables[place], comment=remark)
        self.snapshot = msgspec.structs.replace(self.snapshot, tables=tuple(tables))
        self._own.keep(self.snapshot)

    def lose_point(self, chance: random.Random) -> None:
        """Delete a point of what is served."""
        collection = f"kb_{self._own.key}_{chance.choice(('ddl', 'documentation', 'sql'))}"
        with closing(open_client(self._qdrant)) as client:
            records, _ = client.scroll(collection, limit=1000, with_payload=False)
            client.delete(collection, [chance.choice(records).id], wait=True)


_Fault = Callable[[_Base, random.Random], Any]


@contextmanager
def _dropped_kind(base: _Base, chance: random.Random) -> Iterator[None]:
    dropped, made = chance.choice(_SOURCES), documents.documents_of

    def documents_of(*inputs: Any) -> list[Document]:
        return [one for one in made(*inputs) if one.source != dropped]

    with _replaced(material, material.documents_of, documents_of):
        yield


@contextmanager
def _wrong_prefix(base: _Base, chance: random.Random) -> Iterator[None]:
    base.model.prefix = chance.choice(_PREFIXES)
    yield
    base.model.mend()


@contextmanager
def _truncated_table(base: _Base, chance: random.Random) -> Iterator[None]:
    tables = [one for one in base.snapshot.tables if one.kind not in _VIEWS]
    cut = chance.choice([one for one in tables if len(one.columns) > 1])
    lost = quote_name(cut.columns[chance.randrange(1, len(cut.columns))].name, "postgresql")

    def shortened(table: Table, dialect: str) -> str:
        ddl = short_ddl(table, dialect)
        if table.label != cut.label:
            return ddl
        # Up to the line of a column that is not the first.
        return ddl[: ddl.index(f"\n    {lost} ")]

    with _replaced(documents, documents.short_ddl, shortened):
        yield


@contextmanager
def _swapped_model(base: _Base, chance: random.Random) -> Iterator[None]:
    base.model.swapped = f"model {chance.random()}"
    base.model.swap_is_told = chance.random() < 0.5
    yield
    base.model.mend()


_FAULTS: Mapping[str, _Fault] = {
    "dropped_kind": _dropped_kind,
    "wrong_prefix": _wrong_prefix,
    "truncated_table": _truncated_table,
    "swapped_model": _swapped_model,
}


def try_gate(servers: Services) -> Caught:
    """Make each fault in turn on both knowledge bases, and train where there is none."""
    chance = random.Random(SEED)
    with FaultyModel(servers.ollama) as model, metadata_of_its_own(servers) as database:
        bases: list[_Base] = []
        for number, name in enumerate(SAMPLES, start=101):
            own = OwnTraining(servers, database, f"gate_{name}", number)
            snapshot = _taught(servers, name, own)
            bases.append(_Base(own, snapshot, model, servers.qdrant))
        false_alarms: dict[str, int] = dict.fromkeys(_WITHOUT_FAULT, 0)
        for number in range(TRIES):
            base = bases[number % len(bases)]
            false_alarms["unchanged"] += base.holds()
            base.lose_point(chance)
            false_alarms["lost_point"] += base.holds()
            base.change(chance)
            false_alarms["harmless"] += base.holds()
        caught = {name: _caught(bases, fault, chance) for name, fault in _FAULTS.items()}
    return Caught(caught, false_alarms)


def _caught(bases: Sequence[_Base], fault: _Fault, chance: random.Random) -> int:
    count = 0
    for number in range(TRIES):
        base = bases[number % len(bases)]
        base.change(chance)
        with fault(base, chance):
            is_caught = base.holds()
        count += is_caught
        if not is_caught or number >= TRIES - len(bases):
            _mend(base)
    return count


def _mend(base: _Base) -> None:
    """Train without the fault, so that what is served is right before the next one."""
    if base.holds():
        raise RuntimeError("A version is held back although the fault is over.")


def _taught(servers: Services, name: str, own: OwnTraining) -> Snapshot:
    """Teach the pairs of a sample database; gives its schema as it is read."""
    address = servers.source(name)
    with closing(psycopg2.connect(address)) as connection:
        own.teach(pairs(name, connection))
    access = SourceAccess.configured("postgresql", "loopback", "", 60.0)
    return SchemaReader.within(access).read(Connection("0", name, "postgresql", True, address))


@contextmanager
def _replaced(module: ModuleType, before: FunctionType, value: FunctionType) -> Iterator[None]:
    """With another function in a module; `before` is not named by a string, which nobody checks."""
    setattr(module, before.__name__, value)
    try:
        yield
    finally:
        setattr(module, before.__name__, before)
