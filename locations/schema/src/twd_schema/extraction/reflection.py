"""Other dialects through SQLAlchemy's bulk reflection, into the same snapshot model.

Belongs here: what is the same for all of them. Not here: how one of them is reached and what it
tells (`dialects/`). What a dialect cannot tell is named in `Snapshot.unknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import registry
from sqlalchemy.engine.interfaces import (
    ReflectedColumn,
    ReflectedForeignKeyConstraint,
    ReflectedIndex,
    ReflectedPrimaryKeyConstraint,
)
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from twd_schema.extraction.deadline import Deadline
from twd_schema.extraction.dialects import DIALECTS
from twd_schema.extraction.dialects.dialect import Details, Dialect, ReadingOvertaken
from twd_shared.errors import SourceRefused, SourceUnavailable
from twd_shared.schema_model.models import (
    Column,
    Constraint,
    ForeignKey,
    Index,
    Key,
    Snapshot,
    Table,
)
from twd_shared.sources.address import CORRECT_CONNECTION, SourceAddress
from twd_shared.sources.limits import ReadLimits

_Named = TypeVar("_Named", Key, ForeignKey, Constraint, Index)

REFLECTED_DIALECTS = frozenset(DIALECTS)

for _name, _dialect in DIALECTS.items():
    # SQLAlchemy takes a dialect of one's own by the name in the engine's address alone.
    registry.register(f"{_name}.catalog", _dialect.catalog.__module__, _dialect.catalog.__name__)


def read_reflected(
    label: str,
    address: SourceAddress,
    limits: ReadLimits,
    on_statement: Callable[[str], None] | None = None,
) -> Snapshot:
    """The schema of a MySQL, MariaDB or SQLite database; `label` names it in errors.

    `on_statement` gets each statement that was sent.
    Raises SourceRefused when the server refuses the user or the database, SourceUnavailable when
    it cannot be reached, fails or takes too long.
    """
    dialect = DIALECTS[address.dialect]
    where = f"{label} at {address.place}"
    has_spoken = False
    with Deadline(limits.connect_seconds + limits.statement_seconds) as deadline:
        try:
            with connected(address, limits, deadline) as connection:
                has_spoken = True
                if on_statement:
                    event.listen(
                        connection,
                        "before_cursor_execute",
                        lambda _connection, _cursor, statement, *_: on_statement(statement),
                    )
                inspector = sa.inspect(connection)
                snapshot = _snapshot(inspector, address, dialect)
                dialect.confirm(inspector)
                return snapshot
        except ReadingOvertaken:
            raise SourceUnavailable(
                f"{where} was being changed, or had a table locked, while it was read. Nothing was "
                "recorded. Read it again when that has ended."
            ) from None
        except (SQLAlchemyError, OSError) as error:
            raise _failure(where, address, limits, deadline, error, has_spoken) from None


@contextmanager
def connected(
    address: SourceAddress, limits: ReadLimits, deadline: Deadline
) -> Iterator[sa.Connection]:
    """A connection that can only read, within the limits; SQLAlchemy's and system errors pass."""
    dialect = DIALECTS[address.dialect]
    engine = sa.create_engine(
        f"{address.dialect}+catalog://",
        creator=lambda: dialect.connect(address, limits, deadline),
        poolclass=sa.NullPool,
        hide_parameters=True,
    )

    @event.listens_for(engine, "before_cursor_execute")
    def _check_time(*_: Any) -> None:
        if deadline.passed:
            raise TimeoutError

    try:
        with engine.connect() as connection:
            dialect.prepare(connection, limits)
            yield connection
    finally:
        engine.dispose()


def _failure(
    where: str,
    address: SourceAddress,
    limits: ReadLimits,
    deadline: Deadline,
    error: SQLAlchemyError | OSError,
    has_spoken: bool,
) -> SourceRefused | SourceUnavailable:
    dialect = DIALECTS[address.dialect]
    original = error.orig if isinstance(error, DBAPIError) else None
    code = original.args[0] if original and original.args else None
    if deadline.passed or isinstance(error, TimeoutError) or dialect.is_late(code):
        also = "" if has_spoken else dialect.silence
        return SourceUnavailable(
            f"{where} did not answer in time (connect {limits.connect_seconds:g} s, "
            f"statements {limits.statement_seconds:g} s). Check its load and the network{also}."
        )
    reason = dialect.refusal(address, code)
    if reason:
        return SourceRefused(f"{where}: {reason}.", CORRECT_CONNECTION)
    return SourceUnavailable(
        f"{where} cannot be reached or failed ({type(original or error).__name__}). "
        f"{dialect.remedy}"
    )


def _snapshot(inspector: sa.Inspector, address: SourceAddress, dialect: Dialect) -> Snapshot:
    details = dialect.details(inspector)
    return Snapshot(
        dialect=address.dialect,
        database_name=address.database,
        server_version=details.server_version,
        tables=tuple(_tables(inspector, details)),
        unknown=tuple(sorted(details.unknown)),
        sequences=details.sequences,
        statistics=details.statistics,
        granted=details.granted,
        unread=details.unread,
    )


def _tables(inspector: sa.Inspector, details: Details) -> Iterator[Table]:
    kind = ObjectKind.ANY
    columns = inspector.get_multi_columns(kind=kind)
    primary_keys = inspector.get_multi_pk_constraint(kind=kind)
    uniques = inspector.get_multi_unique_constraints(kind=kind)
    foreign_keys = inspector.get_multi_foreign_keys(kind=kind)
    checks = inspector.get_multi_check_constraints(kind=kind)
    indexes = inspector.get_multi_indexes(kind=kind)
    comments = {} if "comments" in details.unknown else inspector.get_multi_table_comment(kind=kind)
    for name in sorted(details.kinds):
        key = (None, name)
        primary = primary_keys.get(key)
        comment = comments.get(key)
        yield Table(
            schema=details.schema,
            name=name,
            kind=details.kinds[name],
            columns=tuple(_column(inspector.dialect, item) for item in columns.get(key, ())),
            primary_key=_primary_key(primary)
            if primary and primary["constrained_columns"]
            else None,
            unique_constraints=_ordered(
                Key(
                    name=item["name"],
                    columns=tuple(item["column_names"]),
                    definition=(item.get("dialect_options") or {}).get("definition"),
                )
                for item in uniques.get(key, ())
            ),
            foreign_keys=_ordered(
                _foreign_key(item, details.schema) for item in foreign_keys.get(key, ())
            ),
            constraints=_ordered(
                Constraint(name=item["name"] or "", definition=f"CHECK ({item['sqltext']})")
                for item in checks.get(key, ())
            ),
            indexes=_ordered(_index(item) for item in indexes.get(key, ())),
            definition=details.definitions.get(name),
            partition_key=details.partition_keys.get(name),
            comment=comment["text"] if comment else None,
            storage=details.storage.get(name, ()),
        )


def _column(dialect: sa.Dialect, item: ReflectedColumn) -> Column:
    computed = item.get("computed")
    return Column(
        name=item["name"],
        type=item["type"].compile(dialect=dialect),
        nullable=item["nullable"],
        default=item.get("default"),
        identity="by default" if item.get("autoincrement") is True else None,
        generated=computed["sqltext"] if computed else None,
        collation=getattr(item["type"], "collation", None),
        comment=item.get("comment"),
        virtual=bool(computed) and computed.get("persisted") is False,
        invisible=bool(item.get("dialect_options", {}).get("invisible")),
    )


def _primary_key(item: ReflectedPrimaryKeyConstraint) -> Key:
    return Key(
        name=item.get("name"),
        columns=tuple(item["constrained_columns"]),
        definition=(item.get("dialect_options") or {}).get("definition"),
    )


def _foreign_key(item: ReflectedForeignKeyConstraint, schema: str) -> ForeignKey:
    options = item.get("options") or {}
    return ForeignKey(
        name=item["name"],
        columns=tuple(item["constrained_columns"]),
        referenced_schema=item["referred_schema"] or schema,
        referenced_table=item["referred_table"],
        referenced_columns=tuple(item["referred_columns"]),
        on_update=options.get("onupdate") or "NO ACTION",
        on_delete=options.get("ondelete") or "NO ACTION",
        deferrable=bool(options.get("deferrable")),
        initially_deferred=options.get("initially") == "DEFERRED",
    )


def _index(item: ReflectedIndex) -> Index:
    options = item.get("dialect_options") or {}
    return Index(
        name=item["name"] or "",
        columns=tuple(item.get("expressions") or (name or "" for name in item["column_names"])),
        unique=bool(item["unique"]),
        definition=options.get("definition"),
        predicate=options.get("where"),
        comment=options.get("comment"),
    )


def _ordered(items: Iterable[_Named]) -> tuple[_Named, ...]:
    # The server gives them in no promised order; the fingerprint must not depend on it.
    return tuple(sorted(items, key=lambda item: (item.name or "", repr(item))))
