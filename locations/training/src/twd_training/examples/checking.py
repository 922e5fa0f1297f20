"""Whether what a user wrote fits the schema: pure functions over a snapshot and SQL text.

Only what is certain is rejected: a name that the server would not find. Rows that a function makes
up are not looked into.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp
from sqlglot.errors import SqlglotError

from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.schema_model.keys import TableName
from twd_shared.sql.names import Rows
from twd_shared.sql.parsing import statements_in
from twd_shared.sql.references import EXPRESSIONS, References, references_of
from twd_shared.sql.writing import only_reads
from twd_training.examples.known_tables import KnownTables
from twd_training.examples.models import LONGEST_TEXT, Submission, TrainingItem, item_id
from twd_training.examples.texts import Text, plain

# Stands in what the parser says of a missing part of an expression: a word of its own code.
_INTERNAL = "<class "


class Rejected(Exception):
    """A submission that cannot be trained on; the message is the reason for its writer."""


def check(submission: Submission, connection_id: str, known: KnownTables) -> TrainingItem:
    """The submission as a training item, accepted with its tables or rejected with a reason."""
    tables: tuple[str, ...] = ()
    names: set[str] = set()
    reason = ""
    try:
        tables, names = _named(submission, known)
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
        names=tuple(sorted(names)),
        source=submission.source,
    )


def _named(submission: Submission, known: KnownTables) -> tuple[tuple[str, ...], set[str]]:
    """Labels of the tables that a submission is about, and of all that it names.

    Raises Rejected.
    """
    text = submission.content
    if not text.strip():
        raise Rejected("it is empty")
    if len(text) > LONGEST_TEXT:
        raise Rejected(f"it is longer than {LONGEST_TEXT} characters")
    if submission.kind == "question_sql":
        if not (submission.question or "").strip():
            raise Rejected("it has no question")
        if len(submission.question or "") > LONGEST_TEXT:
            raise Rejected(f"its question is longer than {LONGEST_TEXT} characters")
        found = _read_by_query(text, known)
        tables, names = found.tables, _names(found, known)
    else:
        said = Text(text)
        is_ddl = submission.kind == "ddl"
        tables, names = _created(text, known) if is_ddl else (known.named_in(said), set[str]())
        names |= _columns_named(said, tables, known)
    labels = {known.label(table) for table in tables}
    return tuple(sorted(labels)), labels | names


def _columns_named(text: Text, tables: Iterable[TableName], known: KnownTables) -> set[str]:
    return {
        f"{known.tables[table].label}.{column.name}"
        for table in tables
        for column in known.tables[table].columns
        if text.names(plain(column.name))
    }


def _read_by_query(sql: str, known: KnownTables) -> References:
    statements = _parse(sql, known.dialect)
    if len(statements) != 1:
        raise Rejected(f"it holds {len(statements)} statements, not one")
    if isinstance(statements[0], EXPRESSIONS):
        raise Rejected("it is no SQL statement")
    is_query = isinstance(statements[0], exp.Query | exp.Values)
    if not is_query or not only_reads(statements, known.dialect):
        raise Rejected("it is not a statement that only reads")
    if any(_is_parameter(node, known.dialect) for node in statements[0].walk()):
        raise Rejected("it has parameters, such as $1")
    return _sound(references_of(statements, known.names), known)


def _is_parameter(node: exp.Expr, dialect: str) -> bool:
    if isinstance(node, exp.Parameter):
        # @ begins a variable of MySQL, which is always there, and is an operator of PostgreSQL.
        return dialect == "sqlite" or isinstance(node.this, exp.Literal)
    # The parser takes the end of a slice, a[:n], for a parameter too.
    return isinstance(node, exp.Placeholder) and not node.find_ancestor(exp.Bracket)


def _sound(found: References, known: KnownTables) -> References:
    """What SQL reads, if the server would find all its names; else raises Rejected."""
    if found.unknown:
        name = min(found.unknown)
        raise _unknown_table(name, known.names.is_undecided("", name))
    if found.unknown_aliases:
        raise Rejected(f"{min(found.unknown_aliases)} names no table of the statement")
    if found.unknown_columns:
        where = ", ".join(_labels(found, known)) or "a statement without tables"
        raise Rejected(f"column {min(found.unknown_columns)} does not exist in {where}")
    if found.ambiguous:
        name = min(found.ambiguous)
        raise Rejected(f"column {name} could be of several tables of the statement; name one")
    if found.problem is not None:
        raise Rejected("the parts of its UNION do not have the same number of columns")
    if not found.parses:
        raise Rejected(
            "its tables cannot be told: they are too many, or it is nested too deeply or of a kind "
            "unknown"
        )
    return found


def _unknown_table(name: str, is_undecided: bool) -> Rejected:
    if is_undecided:
        return Rejected(f"table {name} exists in several schemas; name one")
    return Rejected(f"table {name} does not exist")


def _labels(found: References, known: KnownTables) -> tuple[str, ...]:
    return tuple(sorted({known.label(table) for table in found.tables}))


def _names(found: References, known: KnownTables) -> set[str]:
    """All that SQL names: tables, those that are partitions too, columns, labels of enums."""
    columns = (".".join((*table, name)) for table, name in found.columns)
    labels = (known.enum_label(*literal) for literal in found.literals)
    return {*map(".".join, found.tables), *columns, *filter(None, labels)}


def _created(sql: str, known: KnownTables) -> tuple[set[TableName], set[str]]:
    """The tables that statements create, and all else that they name; raises Rejected."""
    created: set[TableName] = set()
    names: set[str] = set()
    for statement in _parse(sql, known.dialect):
        if not isinstance(statement, exp.Create) or statement.kind not in ("TABLE", "VIEW"):
            raise Rejected("it is not made of CREATE TABLE or CREATE VIEW statements alone")
        created.add(_declared(statement.this, known))
        for reference in statement.find_all(exp.Reference):
            names.add(known.label(_declared(reference.this, known)))
        if statement.expression is not None:
            found = _sound(references_of([statement.expression], known.names), known)
            names |= {*_labels(found, known), *_names(found, known)}
    if not created:
        raise Rejected("it holds no statement")
    return created, names


def _declared(node: exp.Expr, known: KnownTables) -> TableName:
    """The table that DDL names; raises Rejected, also when it lacks a column in the brackets."""
    named, items = (node.this, node.expressions) if isinstance(node, exp.Schema) else (node, [])
    table, rows = _table(named, known)
    for item in items:
        column = item.this if isinstance(item, exp.ColumnDef) else item
        if isinstance(column, exp.Identifier) and known.names.fold(column) not in rows.by_name:
            raise Rejected(f"column {column.name} does not exist in {known.label(table)}")
    return table


def _table(node: exp.Expr, known: KnownTables) -> tuple[TableName, Rows]:
    name, schema = node.this, node.args.get("db")
    if not isinstance(node, exp.Table) or not isinstance(name, exp.Identifier):
        raise Rejected("it cannot be told which table it creates")
    in_schema = "" if schema is None else known.names.fold(schema)
    folded = known.names.fold(name)
    rows = known.names.find(in_schema, folded)
    if rows is None or rows.table is None:
        written = f"{in_schema}.{folded}" if in_schema else folded
        raise _unknown_table(written, known.names.is_undecided(in_schema, folded))
    return rows.table, rows


def _parse(sql: str, dialect: str) -> list[exp.Expr]:
    try:
        return statements_in(sql, dialect)
    except SqlglotError as error:
        known = getattr(error, "errors", None) or [{}]
        detail = known[0].get("description") or "unreadable text"
        if _INTERNAL in detail:
            detail = "unreadable text"
        line = known[0].get("line")
        raise _unreadable(detail + (f", line {line}" if line else "")) from None
    except RecursionError:
        raise _unreadable("it is nested too deeply") from None
    except Exception:
        # On rubbish the parser fails in ways of its own, with the SQL in the message.
        raise _unreadable("unreadable text") from None


def _unreadable(detail: str) -> Rejected:
    # Servers take some of what it does not; but nothing tells then what is named, or written.
    return Rejected(f"our parser cannot read it: {detail}")
