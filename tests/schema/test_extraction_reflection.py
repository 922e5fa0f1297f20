"""SQLite through reflection: the same model, exact, and the file is left as it was."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from twd_schema.extraction.deadline import Deadline
from twd_schema.extraction.dialects.sqlite import query_of
from twd_schema.extraction.reading import SchemaReader
from twd_schema.extraction.reflection import connected
from twd_shared.errors import SourceUnavailable
from twd_shared.schema_model.ddl.script import schema_script
from twd_shared.schema_model.ddl.table import table_ddl
from twd_shared.schema_model.models import Column, Constraint, Index, Key, Snapshot, Table
from twd_shared.sources.address import SourceAddress
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy

SCHEMA = """
create table regions (country text not null, code text not null collate nocase,
    primary key (country, code));
create table shops (
    id integer primary key autoincrement, name varchar(40) not null default 'new',
    price numeric(10, 2), twice numeric generated always as (price * (2)) stored,
    half as (price / 2), "the ""size"" )" geometry ( 3 , 4326 ), untyped,
    added text default (lower('NOW')), parent int references shops,
    country text, region text, -- check (no)
    constraint shops_name_key unique (name), unique (country, region),
    constraint price_check check (price >= 0 and
        name <> ')'),
    constraint shops_region_fkey foreign key (country, region)
        references regions (country, code) on delete cascade deferrable initially deferred);
create index shops_price_idx on shops (price desc, lower(name)) where price > 1;
create unique index shops_added on shops (added);
create view cheap as select id from shops where price < 5;
"""
HOSTILE = ("a`b", 'say "x"', "it's", "line\nbreak", "bảng; drop table shops", "select", "🙂 %s :x")
# https://www.sqlite.org/lang_keywords.html
KEYWORDS = """
    abort action add after all alter always analyze and as asc attach autoincrement before begin
    between by cascade case cast check collate column commit conflict constraint create cross
    current current_date current_time current_timestamp database default deferrable deferred
    delete desc detach distinct do drop each else end escape except exclude exclusive exists
    explain fail filter first following for foreign from full generated glob group groups having
    if ignore immediate in index indexed initially inner insert instead intersect into is isnull
    join key last left like limit match materialized natural no not nothing notnull null nulls
    of offset on or order others outer over partition plan pragma preceding primary query raise
    range recursive references regexp reindex release rename replace restrict returning right
    rollback row rows savepoint select set table temp temporary then ties to transaction trigger
    unbounded union unique update using vacuum values view virtual when where window with
    without
""".split()

Read = Callable[..., Snapshot]


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """A new database file of these statements."""

    def made(*statements: str, name: str = "shop.db") -> Path:
        path = tmp_path / name
        with closing(sqlite3.connect(path)) as connection:
            for statement in statements:
                connection.executescript(statement)
        return path

    return made


@pytest.fixture
def read(tmp_path: Path, connection_to: Any) -> Read:
    """Read a file in the test's own folder."""
    reader = SchemaReader(
        frozenset({"sqlite"}), ReadLimits(lock_seconds=0.2), reach_policy("", str(tmp_path))
    )
    return lambda file: reader.read(connection_to(f"sqlite:///{file}", "sqlite"))


@pytest.fixture
def file(make: Callable[..., Path]) -> Path:
    return make(SCHEMA)


@pytest.fixture
def snapshot(file: Path, read: Read) -> Snapshot:
    return read(file)


def table(snapshot: Snapshot, name: str) -> Table:
    [found] = [item for item in snapshot.tables if item.name == name]
    return found


def test_tables_and_views_are_read(snapshot: Snapshot) -> None:
    assert [(item.label, item.kind) for item in snapshot.tables] == [
        ("main.cheap", "view"),
        ("main.regions", "table"),
        ("main.shops", "table"),
    ]


def test_columns_are_read_with_their_types_as_written(snapshot: Snapshot) -> None:
    assert table(snapshot, "shops").columns == (
        Column(name="id", type="INTEGER", identity="by default"),
        Column(name="name", type="varchar(40)", nullable=False, default="'new'"),
        Column(name="price", type="numeric(10, 2)"),
        Column(name="twice", type="numeric", generated="price * (2)"),
        Column(name="half", type="", generated="price / 2", virtual=True),
        Column(name='the "size" )', type="geometry ( 3 , 4326 )"),
        Column(name="untyped", type=""),
        Column(name="added", type="TEXT", default="(lower('NOW'))"),
        Column(name="parent", type="INT"),
        Column(name="country", type="TEXT"),
        Column(name="region", type="TEXT"),
    )


def test_a_collation_is_read(snapshot: Snapshot) -> None:
    assert [item.collation for item in table(snapshot, "regions").columns] == [None, "nocase"]


def test_keys_and_constraints_are_read_with_their_names(snapshot: Snapshot) -> None:
    shops = table(snapshot, "shops")
    assert shops.primary_key == Key(name=None, columns=("id",))
    assert shops.unique_constraints == (
        Key(name=None, columns=("country", "region")),
        Key(name="shops_name_key", columns=("name",)),
    )
    assert shops.constraints == (
        Constraint(name="price_check", definition="CHECK (price >= 0 and\n        name <> ')')"),
    )


def test_indexes_are_read_with_expressions_and_conditions(snapshot: Snapshot) -> None:
    assert table(snapshot, "shops").indexes == (
        Index(
            name="shops_added",
            columns=("added",),
            unique=True,
            definition="CREATE UNIQUE INDEX shops_added on shops (added)",
        ),
        Index(
            name="shops_price_idx",
            columns=("price", "lower(name)"),
            definition="CREATE INDEX shops_price_idx on shops (price desc, lower(name))"
            " where price > 1",
            predicate="price > 1",
        ),
    )


def test_a_composite_foreign_key_keeps_its_columns_and_action(snapshot: Snapshot) -> None:
    key = table(snapshot, "shops").foreign_keys[1]
    assert (key.name, key.referenced_schema) == ("shops_region_fkey", "main")
    assert (key.columns, key.referenced_columns) == (("country", "region"), ("country", "code"))
    assert (key.on_delete, key.deferrable, key.initially_deferred) == ("CASCADE", True, True)


def test_a_foreign_key_without_columns_refers_to_the_primary_key(snapshot: Snapshot) -> None:
    key = table(snapshot, "shops").foreign_keys[0]
    assert (key.name, key.columns, key.referenced_columns) == (None, ("parent",), ("id",))


def test_a_foreign_key_to_a_primary_key_of_more_columns_is_made_again_without_any(
    make: Callable[..., Path], read: Read
) -> None:
    file = make(
        "create table regions (country int, code int, primary key (country, code));"
        "create table shops (region int references regions)"
    )
    before = read(file)
    again = make(*(f"{statement};" for statement in schema_script(before)), name="again.db")
    assert table(before, "shops").foreign_keys[0].referenced_columns == ()
    assert read(again).tables == before.tables


def test_a_foreign_key_names_what_it_refers_to_as_that_is_called(
    make: Callable[..., Path], read: Read
) -> None:
    file = make(
        'create table Artist (ArtistId integer primary key); create table "Ä" (x int);',
        'create table "ä" (x int); create table album (id int references ARTIST (artistid),'
        ' artist int references artist, a int references "ä" (X), gone int references Gone (X))',
    )
    keys = table(read(file), "album").foreign_keys
    assert {(key.columns, key.referenced_table, key.referenced_columns) for key in keys} == {
        (("id",), "Artist", ("ArtistId",)),
        (("artist",), "Artist", ("ArtistId",)),
        (("a",), "ä", ("x",)),
        (("gone",), "Gone", ("X",)),
    }


def test_a_view_comes_with_its_query(snapshot: Snapshot) -> None:
    cheap = table(snapshot, "cheap")
    assert cheap.definition == "select id from shops where price < 5"
    assert table_ddl(cheap, "sqlite") == (
        "CREATE VIEW main.cheap (id) AS\nselect id from shops where price < 5;"
    )


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW v AS select 1 as x",
        'create temp view if not exists "a ""as"" b" (x) as select 1 as x',
        "CREATE VIEW [as] (`a)`, 'as') AS select 1 as x",
        "CREATE VIEW v /* as */ as -- as\n select 1 as x",
    ],
)
def test_a_views_query_is_taken_out_of_its_statement(statement: str) -> None:
    assert query_of(statement) == "select 1 as x"


def test_a_view_or_virtual_table_that_cannot_be_asked_spoils_no_other(
    make: Callable[..., Path], read: Read
) -> None:
    file = make(
        "create table gone (x); create view broken as select * from gone; drop table gone;",
        "create table kept (a int);",
        "pragma writable_schema = on; insert into sqlite_schema values"
        " ('table', 'searched', 'searched', 0, 'CREATE VIRTUAL TABLE searched USING absent(a)');",
    )
    assert [(item.name, len(item.columns)) for item in read(file).tables] == [
        ("broken", 0),
        ("kept", 1),
        ("searched", 0),
    ]


def test_the_inner_tables_of_a_virtual_table_are_not_the_users(
    make: Callable[..., Path], read: Read
) -> None:
    snapshot = read(make("create virtual table searched using fts5(a, b)"))
    assert [(item.name, [c.name for c in item.columns]) for item in snapshot.tables] == [
        ("searched", ["a", "b"])
    ]


def test_a_table_says_how_it_is_stored(make: Callable[..., Path], read: Read) -> None:
    snapshot = read(make("create table t (a int primary key) without rowid, strict"))
    assert snapshot.tables[0].storage == ("STRICT", "WITHOUT ROWID")


def test_rows_are_estimated_where_the_file_was_analyzed(
    make: Callable[..., Path], read: Read
) -> None:
    file = make(
        "create table t (a int); insert into t values (1), (2), (3);",
        "create index i on t (a); analyze; create table late (a int)",
    )
    assert {item.table: item.row_estimate for item in read(file).statistics} == {
        "t": 3,
        "late": None,
    }


@pytest.mark.parametrize("stat", ["99999999999999999999 1", "²", "-3", "", "many"])
def test_a_count_that_no_analyze_has_written_is_unknown(
    make: Callable[..., Path], read: Read, stat: str
) -> None:
    file = make(
        "create table t (a int); insert into t values (1); create index i on t (a); analyze;",
        f"update sqlite_stat1 set stat = '{stat}'; insert into sqlite_stat1 (stat) values (1), (2)",
    )
    assert [item.row_estimate for item in read(file).statistics] == [None]


def test_what_the_dialect_cannot_tell_is_named(snapshot: Snapshot) -> None:
    assert snapshot.unknown == (
        "comments",
        "composites",
        "domains",
        "enums",
        "extensions",
        "partitions",
        "ranges",
        "routines",
        "sequences",
    )


def test_hostile_names_come_over_as_they_are(make: Callable[..., Path], read: Read) -> None:
    def quoted(name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    file = make(
        *(
            f"create table {quoted(name)} ({quoted(name)} int, b int, primary key ({quoted(name)}),"
            f" constraint {quoted('fk' + name)} foreign key (b) references {quoted(name)}"
            f" ({quoted(name)}), constraint {quoted('ck' + name)} check (b > 0))"
            for name in HOSTILE
        )
    )
    assert [
        (
            item.name,
            item.columns[0].name,
            item.foreign_keys[0].name,
            item.foreign_keys[0].referenced_table,
            item.constraints[0].name,
        )
        for item in read(file).tables
    ] == [(name, name, "fk" + name, name, "ck" + name) for name in sorted(HOSTILE)]


def test_written_ddl_makes_the_same_tables_again(
    make: Callable[..., Path], read: Read, snapshot: Snapshot
) -> None:
    copy = make(*(f"{statement};" for statement in schema_script(snapshot)), name="copy.db")
    assert read(copy).tables == snapshot.tables


def test_conflicts_names_of_counting_keys_and_quoted_defaults_are_made_again(
    make: Callable[..., Path], read: Read
) -> None:
    file = make(
        "create table a (id integer constraint a_key primary key on conflict fail autoincrement,"
        ' x text unique on conflict ignore, "y,z" text, w int default [plain] unique,'
        ' v text default `say "x"`, constraint pair unique (x, "y,z") on conflict replace);'
        "create table b (id int, n int, primary key (id, n) on conflict rollback);"
        "create table c (id integer primary key asc on conflict replace,"
        " u unique on conflict abort)",
    )
    a, b, c = read(file).tables
    assert a.primary_key == Key(
        name="a_key", columns=("id",), definition="PRIMARY KEY (id) ON CONFLICT FAIL"
    )
    assert [key.definition for key in a.unique_constraints] == [
        None,
        "UNIQUE (x) ON CONFLICT IGNORE",
        'UNIQUE (x, "y,z") ON CONFLICT REPLACE',
    ]
    assert [column.default for column in a.columns if column.default] == ["[plain]", '`say "x"`']
    assert b.primary_key == Key(
        name=None, columns=("id", "n"), definition="PRIMARY KEY (id, n) ON CONFLICT ROLLBACK"
    )
    assert c.unique_constraints == (Key(name=None, columns=("u",)),)
    copy = make(*(f"{statement};" for statement in schema_script(read(file))), name="copy.db")
    assert read(copy).tables == (a, b, c)


def test_types_that_only_quotes_make_one_are_made_again(
    make: Callable[..., Path], read: Read
) -> None:
    types = ["int); drop table kept; --", 'it"s', "select", "generated always", "primary key"]
    plain = ["unsigned big int", "double precision", "decimal(10 , -2)", "varchar ( 7 )"]
    quoted = ('"' + text.replace('"', '""') + '"' for text in types)
    columns = ", ".join(f"c{n} {text}" for n, text in enumerate([*quoted, *plain]))
    file = make(f"create table kept (i int); create table t ({columns})")
    before = read(file)
    assert [column.type for column in table(before, "t").columns] == types + plain
    script = schema_script(before)
    assert all(f" {text}" in script[-1] for text in plain)
    assert read(make(";".join(script), name="copy.db")).tables == before.tables


def test_a_collation_that_only_the_application_knows_is_written_as_a_name(
    tmp_path: Path, read: Read
) -> None:
    file = tmp_path / "shop.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.create_collation("x, y int", lambda *_: 0)
        connection.execute('create table t (a text collate "x, y int" primary key)')
    [statement] = schema_script(read(file))
    assert 'a TEXT COLLATE "x, y int"' in statement


def test_a_comment_at_the_end_of_an_expression_takes_nothing_of_the_ddl_in(
    make: Callable[..., Path], read: Read
) -> None:
    file = make(
        """create table t (
            a int default (1 -- one )
            ) check (a in (1, -- new
                           2  -- done )
                           ) -- all
                     ),
            b int as (a + 1 -- next
            ), c int default (2 /* -- */) default ('-- text'))"""
    )
    before = read(file)
    copy = make(";".join(schema_script(before)), name="copy.db")
    assert read(copy).tables == before.tables


def test_names_that_are_keywords_are_made_again(make: Callable[..., Path], read: Read) -> None:
    file = make(
        *(
            f'create table "{word}" ("{word}" int, constraint "{word}" unique ("{word}"));'
            f'create view "v_{word}" as select "{word}" from "{word}"'
            for word in KEYWORDS
        )
    )
    before = read(file)
    copy = make(*(f"{statement};" for statement in schema_script(before)), name="copy.db")
    assert read(copy).tables == before.tables


def test_two_readings_are_equal(snapshot: Snapshot, file: Path, read: Read) -> None:
    assert read(file) == snapshot


def test_reading_says_nothing_in_the_log(
    file: Path, read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        read(file)
    assert caplog.records == []


def traces(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {item.name: (item.read_bytes(), item.stat().st_mtime_ns) for item in folder.iterdir()}


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_reading_leaves_no_trace(
    make: Callable[..., Path], read: Read, tmp_path: Path, journal: str
) -> None:
    file = make(f"pragma journal_mode = {journal}", SCHEMA)
    before = traces(tmp_path)
    read(file)
    assert traces(tmp_path) == before


def test_what_is_still_in_the_write_ahead_log_is_read(
    make: Callable[..., Path], read: Read
) -> None:
    file = make("pragma journal_mode = wal; create table a (x)")
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("create table b (x)")
        assert [item.name for item in read(file).tables] == ["a", "b"]


def test_what_is_still_in_the_log_is_read_through_a_link_too(
    make: Callable[..., Path], read: Read, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    file = make("pragma journal_mode = wal; create table a (x)", name="data/shop.db")
    link = tmp_path / "link.db"
    link.symlink_to(file)
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("create table b (x)")
        assert [item.name for item in read(link).tables] == ["a", "b"]


def test_nothing_can_be_written_through_the_reading_connection(file: Path) -> None:
    address = SourceAddress("sqlite", "", None, str(file), "", "")
    with (
        Deadline(60) as deadline,
        connected(address, ReadLimits(), deadline) as connection,
        pytest.raises(DBAPIError, match="readonly"),
    ):
        connection.execute(sa.text("create table new (a int)"))


def test_a_file_that_a_writer_holds_is_given_up(file: Path, read: Read) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("begin exclusive")
        with pytest.raises(SourceUnavailable, match=r"connection 7 \(shop\)"):
            read(file)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path, read: Read) -> None:
    missing = tmp_path / "missing.db"
    with pytest.raises(SourceUnavailable, match=r"connection 7 \(shop\)"):
        read(missing)
    assert not missing.exists()


def test_a_file_that_is_no_database_is_an_error_of_ours(tmp_path: Path, read: Read) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("no database" * 100)
    with pytest.raises(SourceUnavailable, match="is a SQLite database"):
        read(other)
