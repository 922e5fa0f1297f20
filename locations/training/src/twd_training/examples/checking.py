"""Whether what a user wrote fits the schema: pure functions over a snapshot and SQL text.

Only what is certain is rejected: a name that no table of the statement can explain. Rows that a
function or subquery makes up are not looked into.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers
from sqlglot.optimizer.scope import Scope, traverse_scope

from twd_shared.schema_model.ddl.names import quote_name
from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.schema_model.models import EnumType, Snapshot, Table
from twd_shared.sql.names import ColumnName, SchemaNames
from twd_shared.sql.parsing import is_bottomless, parser_dialect
from twd_shared.sql.writing import only_reads
from twd_shared.sql_references import references_in
from twd_training.examples.models import Submission, TrainingItem, item_id

_LONGEST = 100_000
# https://www.postgresql.org/docs/18/ddl-system-columns.html
_SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})


class Rejected(Exception):
    """A submission that cannot be trained on; the message is the reason for its writer."""


@dataclass(frozen=True)
class KnownTables:
    """Tables and partitions of one snapshot as statements may name them."""

    dialect: str
    tables: dict[tuple[str, str], Table]
    enums: dict[str, EnumType]
    """By the type as columns spell it."""

    @classmethod
    def of(cls, snapshot: Snapshot) -> KnownTables:
        """Those of `snapshot`."""
        relations = (*snapshot.tables, *snapshot.partitions)
        return cls(
            snapshot.dialect,
            {(item.schema, item.name): item for item in relations},
            _enums(snapshot),
        )

    @cached_property
    def names(self) -> SchemaNames:
        """The same for what resolves every name of a statement."""
        return SchemaNames(self.dialect, self.tables.values())

    @cached_property
    def labels(self) -> frozenset[str]:
        """All that `TrainingItem.names` may hold: tables, their columns, labels of enums."""
        tables = {table.label for table in self.tables.values()}
        enums = {f"{e.schema}.{e.name}.{label}" for e in self.enums.values() for label in e.labels}
        return self.columns | tables | enums

    @cached_property
    def columns(self) -> frozenset[str]:
        """Those of them that are columns."""
        return frozenset(
            f"{table.label}.{column.name}"
            for table in self.tables.values()
            for column in table.columns
        )

    def enum_label(self, column: ColumnName, text: str) -> str | None:
        """What `text` names if the column is of an enum: schema.enum.label; else None."""
        table, name = column
        types = {one.name: one.type for one in self.tables[table].columns}
        enum = self.enums.get(types[name].removesuffix("[]"))
        if enum is None or text not in enum.labels:
            return None
        return f"{enum.schema}.{enum.name}.{text}"

    def label(self, table: Table) -> str:
        """The label of the table that people ask: of a partition, the one that it is a part of."""
        while (whole := table.partition_of) and (whole.schema, whole.table) in self.tables:
            table = self.tables[whole.schema, whole.table]
        return table.label

    def find(self, schema: str, name: str) -> Table:
        """The table of that name; without a schema, the one in `public` or the only one.

        Raises Rejected when there is none or the name alone does not decide.
        """
        if schema:
            found = [item for item in self._named(name) if self._same(item.schema, schema)]
        else:
            found = self._named(name)
            in_public = [item for item in found if item.schema == "public"]
            found = in_public or found
        label = f"{schema}.{name}" if schema else name
        if not found:
            raise Rejected(f"table {label} does not exist")
        if len(found) > 1:
            raise Rejected(f"table {label} exists in several schemas; name one")
        return found[0]

    def has_column(self, table: Table, name: str) -> bool:
        """Whether the table has the column, or the server gives every table one of that name."""
        is_system = self.dialect == "postgresql" and name in _SYSTEM_COLUMNS
        return is_system or any(self._same(column.name, name, True) for column in table.columns)

    def labelled(self, label: str) -> Sequence[Table]:
        """The tables of that label: one, unless a name holds a dot."""
        return self._by_label.get(label, ())

    @cached_property
    def _by_label(self) -> dict[str, list[Table]]:
        found: dict[str, list[Table]] = {}
        for table in self.tables.values():
            found.setdefault(table.label, []).append(table)
        return found

    def tables_named(self, word: str) -> Sequence[Table]:
        """Those of that name, whatever its case."""
        return self._by_folded_name.get(word.casefold(), ())

    def _named(self, name: str) -> list[Table]:
        return [item for item in self.tables_named(name) if self._same(item.name, name)]

    @cached_property
    def _by_folded_name(self) -> dict[str, list[Table]]:
        found: dict[str, list[Table]] = {}
        for table in self.tables.values():
            found.setdefault(table.name.casefold(), []).append(table)
        return found

    def _same(self, known: str, written: str, is_column: bool = False) -> bool:
        # MySQL's columns never differ by case alone; its tables do so on some file systems.
        if self.dialect == "sqlite" or (
            self.dialect == "mysql" and (is_column or known != written)
        ):
            return known.casefold() == written.casefold()
        return known == written


def _enums(snapshot: Snapshot) -> dict[str, EnumType]:
    """Enums by the type as columns spell it; domains over them stand for them."""
    enums = {_spelt(item.schema, item.name): item for item in snapshot.enums}
    # A domain may stand on another one.
    for _ in snapshot.domains:
        enums |= {
            _spelt(item.schema, item.name): enums[item.type]
            for item in snapshot.domains
            if item.type in enums
        }
    return enums


def _spelt(schema: str, name: str) -> str:
    return f"{quote_name(schema)}.{quote_name(name)}"


def check(submission: Submission, connection_id: str, known: KnownTables) -> TrainingItem:
    """The submission as a training item, accepted with its tables or rejected with a reason."""
    tables: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    reason = ""
    try:
        tables = _tables(submission, known)
        names = _names(submission, tables, known)
    except Rejected as rejection:
        reason = str(rejection)
    return TrainingItem(
        item_id=item_id(connection_id, submission.source_id),
        kind=submission.kind,
        question=submission.question,
        content=submission.content,
        content_hash=content_fingerprint(
            (submission.kind, submission.question or "", submission.content)
        ),
        tables=tables,
        accepted=not reason,
        reason=reason,
        names=names,
        source=submission.source,
    )


def tables_of_query(sql: str, known: KnownTables) -> tuple[str, ...]:
    """Labels of the tables that one read-only statement reads; raises Rejected."""
    statement = _one_query(sql, known.dialect)
    scopes = _scopes(statement)
    used: dict[str, Table] = {}
    real: dict[int, Table] = {}
    has_made_up_rows = False
    for scope in scopes:
        for source in scope.sources.values():
            if not isinstance(source, exp.Table) or not isinstance(source.this, exp.Identifier):
                has_made_up_rows = has_made_up_rows or not isinstance(source, Scope)
                continue
            table = known.find(source.db, source.name)
            used[known.label(table)] = table
            real[id(source)] = table
    free_names = _names_made_here(statement)
    for scope in scopes:
        for column in scope.columns:
            if isinstance(column.this, exp.Star):
                continue
            if column.table:
                _check_qualified(column, scope, real, known)
            elif (
                not has_made_up_rows
                and (column.name not in free_names or _is_of_a_table(column, scope, real, known))
                and not any(known.has_column(table, column.name) for table in used.values())
            ):
                where = ", ".join(sorted(used)) or "a statement without tables"
                raise Rejected(f"column {column.name} does not exist in {where}")
    return tuple(sorted(used))


def _tables(submission: Submission, known: KnownTables) -> tuple[str, ...]:
    if not submission.content.strip():
        raise Rejected("it is empty")
    if len(submission.content) > _LONGEST:
        raise Rejected(f"it is longer than {_LONGEST} characters")
    if submission.kind == "documentation":
        return _tables_mentioned(submission.content, known)
    if submission.kind == "ddl":
        return _tables_created(submission.content, known)
    if not (submission.question or "").strip():
        raise Rejected("it has no question")
    return tables_of_query(submission.content, known)


def _names(submission: Submission, tables: tuple[str, ...], known: KnownTables) -> tuple[str, ...]:
    if submission.kind == "question_sql":
        found = references_in(submission.content, known.names)
        columns = (f"{schema}.{table}.{name}" for (schema, table), name in found.columns)
        labels = (known.enum_label(*literal) for literal in found.literals)
        read = (".".join(table) for table in found.tables)
        return tuple(sorted({*tables, *read, *columns, *filter(None, labels)}))
    words = _words(submission.content)
    columns = (
        f"{table.label}.{column.name}"
        for label in tables
        for table in known.labelled(label)
        for column in table.columns
        if column.name.casefold() in words
    )
    return tuple(sorted({*tables, *columns}))


def _tables_mentioned(text: str, known: KnownTables) -> tuple[str, ...]:
    found = (table for word in _words(text) for table in known.tables_named(word))
    return tuple(sorted({known.label(table) for table in found}))


def _words(text: str) -> set[str]:
    return {word.casefold() for word in re.findall(r"\w+", text)}


def _tables_created(sql: str, known: KnownTables) -> tuple[str, ...]:
    labels: set[str] = set()
    for statement in _parse(sql, known.dialect):
        if not isinstance(statement, exp.Create) or statement.kind not in ("TABLE", "VIEW"):
            raise Rejected("it is not made of CREATE TABLE or CREATE VIEW statements alone")
        named = statement.this.this if isinstance(statement.this, exp.Schema) else statement.this
        table = known.find(named.db, named.name)
        columns = statement.this.expressions if isinstance(statement.this, exp.Schema) else []
        for column in columns:
            if isinstance(column, exp.ColumnDef) and not known.has_column(table, column.name):
                raise Rejected(f"column {column.name} does not exist in {table.label}")
        labels.add(known.label(table))
    if not labels:
        raise Rejected("it holds no statement")
    return tuple(sorted(labels))


def _one_query(sql: str, dialect: str) -> exp.Expr:
    statements = _parse(sql, dialect)
    if len(statements) != 1:
        raise Rejected(f"it holds {len(statements)} statements, not one")
    [statement] = statements
    if not isinstance(statement, exp.Query) or not only_reads([statement], dialect):
        raise Rejected("it is not a statement that only reads")
    return statement


def _parse(sql: str, dialect: str) -> list[exp.Expr]:
    name = parser_dialect(dialect)
    if is_bottomless(sql, dialect):
        raise Rejected("it cannot be parsed: it is nested too deeply")
    try:
        parsed = sqlglot.parse(sql, read=name)
        return [normalize_identifiers(item, dialect=name) for item in parsed if item is not None]
    except SqlglotError as error:
        known = getattr(error, "errors", None) or [{}]
        detail = known[0].get("description") or "unreadable text"
        line = known[0].get("line")
        raise Rejected(
            f"it cannot be parsed: {detail}" + (f", line {line}" if line else "")
        ) from None
    except RecursionError:
        raise Rejected("it cannot be parsed: it is nested too deeply") from None
    except Exception:
        # On rubbish the parser fails in ways of its own, with the SQL in the message.
        raise Rejected("it cannot be parsed: unreadable text") from None


def _scopes(statement: exp.Expr) -> list[Scope]:
    try:
        return traverse_scope(statement)
    except SqlglotError as error:
        raise Rejected(f"its tables cannot be told: {error}") from None
    except RecursionError:
        raise Rejected("its tables cannot be told: it is nested too deeply") from None


def _check_qualified(
    column: exp.Column, scope: Scope, real: dict[int, Table], known: KnownTables
) -> None:
    for around in _outwards(scope):
        source = around.sources.get(column.table)
        if source is not None:
            table = real.get(id(source))
            if table is not None and not known.has_column(table, column.name):
                if column.name in _column_aliases(source):
                    return
                raise Rejected(f"column {column.name} does not exist in {table.label}")
            return
    raise Rejected(f"{column.table}.{column.name} names no table of the statement")


def _is_of_a_table(
    column: exp.Column, scope: Scope, real: dict[int, Table], known: KnownTables
) -> bool:
    """Whether no name that the statement makes is seen where the column stands.

    As in `sum(x) as x`: what AS names is seen by GROUP BY, HAVING and ORDER BY, in SQLite by all.
    """
    sources = [item for around in _outwards(scope) for item in around.sources.items()]
    clause = column.find_ancestor(exp.Select, exp.Group, exp.Having, exp.Order, exp.Distinct)
    return (
        known.dialect != "sqlite"
        and isinstance(clause, exp.Select)
        and all(id(source) in real and name != column.name for name, source in sources)
    )


def _column_aliases(source: exp.Expr | Scope) -> set[str]:
    alias = source.args.get("alias") if isinstance(source, exp.Expr) else None
    return {item.name for item in alias.args.get("columns") or ()} if alias else set()


def _outwards(scope: Scope) -> Iterator[Scope]:
    around: Scope | None = scope
    while around is not None:
        yield around
        around = around.parent


def _names_made_here(statement: exp.Expr) -> set[str]:
    """Names that the statement itself makes: aliases of columns, tables and their columns."""
    names = {alias.alias for alias in statement.find_all(exp.Alias, exp.Aliases)}
    for alias in statement.find_all(exp.TableAlias):
        names.add(alias.name)
        names.update(column.name for column in alias.args.get("columns") or ())
    names.update(table.name for table in statement.find_all(exp.Table))
    # A query's output may be named after a function: SELECT … FROM (SELECT count(*) FROM t) x.
    for query in statement.find_all(exp.Select):
        made = (item for item in query.selects if not isinstance(item, exp.Column))
        names.update(item.output_name for item in made)
        names.update(item.key for item in query.selects if isinstance(item, exp.Func))
    return names
