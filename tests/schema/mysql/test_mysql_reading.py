"""What is read of a real MySQL or MariaDB server, and that it is the same each time."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from twd_schema.extraction.deadline import Deadline
from twd_schema.extraction.dialects.mysql_catalog import literal
from twd_schema.extraction.reflection import connected
from twd_shared.schema_model.ddl.names import quote_name
from twd_shared.schema_model.ddl.script import schema_script
from twd_shared.schema_model.models import (
    Column,
    Constraint,
    Index,
    Key,
    Snapshot,
    Table,
    encode,
)
from twd_shared.sources.address import source_address
from twd_shared.sources.limits import ReadLimits

HOSTILE = ("a`b", 'say "x"', "it's", "line\nbreak", "bảng; drop table shops", "select", "a.b %s :x")

SHOPS = r"""
create table regions (country varchar(2) not null, code varchar(9) not null,
    primary key (country, code)) comment 'it''s \\ here';
create table shops (
    id bigint unsigned auto_increment primary key,
    name varchar(40) not null default 'it''s \\ new' comment 'say "x" tiếng Việt',
    kind enum('a','it''s') default 'it''s', flags set('x','y'),
    price decimal(10,2) unsigned, small tinyint(1),
    twice decimal(10,2) generated always as (price * 2) stored,
    label varchar(90) generated always as (concat(name, '''')) virtual,
    code varchar(20) character set latin1 collate latin1_bin,
    country varchar(2), region varchar(9), number int, at timestamp not null
        default current_timestamp on update current_timestamp, nothing varchar(4) default 'NULL',
    constraint shops_number unique (country, number),
    constraint price_check check (price >= 0 and name <> ')'),
    constraint shops_region foreign key (country, region) references regions (country, code)
        on update cascade on delete set null,
    key shops_name (name(10), number desc) comment 'hm', unique key shops_code (code(3)),
    fulltext key shops_text (name));
create view cheap as select id, price from shops where price < 5 with cascaded check option;
"""


def table(snapshot: Snapshot, name: str) -> Table:
    [found] = [item for item in snapshot.tables if item.name == name]
    return found


def column(snapshot: Snapshot, name: str) -> Column:
    [found] = [item for item in table(snapshot, "shops").columns if item.name == name]
    return found


@pytest.fixture(scope="module")
def database(server: Any) -> str:
    return server.database(SHOPS)


@pytest.fixture(scope="module")
def snapshot(database: str, read: Any) -> Snapshot:
    return read(database)


def test_tables_and_views_are_read(snapshot: Snapshot, database: str) -> None:
    assert [(item.schema, item.name, item.kind) for item in snapshot.tables] == [
        (database, "cheap", "view"),
        (database, "regions", "table"),
        (database, "shops", "table"),
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kind", "enum('a','it''s')"),
        ("flags", "set('x','y')"),
        ("price", "decimal(10,2) unsigned"),
        ("small", "tinyint(1)"),
        ("name", "varchar(40)"),
    ],
)
def test_a_type_is_spelled_as_the_server_does(snapshot: Snapshot, name: str, expected: str) -> None:
    assert column(snapshot, name).type == expected


def test_a_counting_column_is_an_identity(snapshot: Snapshot) -> None:
    assert column(snapshot, "id").identity == "by default"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("name", r"'it''s \\ new'"),
        ("kind", "'it''s'"),
        ("nothing", "'NULL'"),
        ("number", None),
        ("at", "current_timestamp() ON UPDATE current_timestamp()"),
    ],
)
def test_a_default_is_an_expression(snapshot: Snapshot, name: str, expected: str | None) -> None:
    assert column(snapshot, name).default == expected


def test_comments_come_over_as_they_are(snapshot: Snapshot) -> None:
    assert column(snapshot, "name").comment == 'say "x" tiếng Việt'
    assert table(snapshot, "regions").comment == "it's \\ here"


def test_a_nul_in_a_text_is_shown_or_escaped(server: Any, read: Any) -> None:
    # How a server cuts a table's or an index's comment at a NUL is its own matter.
    database = server.database(
        r"create table t (a int comment 'x\0y', b varchar(9) default 'p\0q', key k (a)"
        r" comment 'l\0m') comment 'n\0z'"
    )
    found = table(read(database), "t")
    assert found.columns[0].comment == "x\ufffdy"
    assert found.columns[1].default == r"'p\0q'"
    assert (found.comment or "").startswith("n\ufffd")
    assert (found.indexes[0].comment or "").startswith("l\ufffd")
    assert b"\\u0000" not in encode(found)


def test_a_literal_with_a_nul_is_written_with_its_escape(server: Any) -> None:
    written = literal("p\0q")
    assert written == r"'p\0q'"
    with closing(server.session()) as session, session.cursor() as cursor:
        cursor.execute(f"select {written}")
        assert cursor.fetchone() == ("p\0q",)


def test_generated_columns_say_how_they_are_computed(snapshot: Snapshot) -> None:
    twice, label = column(snapshot, "twice"), column(snapshot, "label")
    assert (twice.generated, twice.virtual) == ("`price` * 2", False)
    assert label.virtual
    assert "concat(`name`" in (label.generated or "")


def test_only_a_collation_that_is_not_the_tables_is_told(snapshot: Snapshot) -> None:
    assert (column(snapshot, "code").collation, column(snapshot, "name").collation) == (
        "latin1_bin",
        None,
    )


def test_keys_keep_the_order_of_their_columns(snapshot: Snapshot) -> None:
    assert table(snapshot, "regions").primary_key == Key(name=None, columns=("country", "code"))
    assert table(snapshot, "shops").unique_constraints == (
        Key(name="shops_number", columns=("country", "number")),
    )


def test_a_composite_foreign_key_keeps_its_columns_and_actions(
    snapshot: Snapshot, database: str
) -> None:
    [key] = table(snapshot, "shops").foreign_keys
    assert (key.referenced_schema, key.referenced_table) == (database, "regions")
    assert (key.columns, key.referenced_columns) == (("country", "region"), ("country", "code"))
    assert (key.on_update, key.on_delete) == ("CASCADE", "SET NULL")


def test_a_foreign_key_to_another_database_names_it(server: Any, read: Any) -> None:
    other = server.database("create table parents (id int primary key)")
    own = server.database(
        f"create table t (id int, foreign key (id) references {other}.parents (id))"
    )
    [key] = table(read(own), "t").foreign_keys
    assert (key.referenced_schema, key.referenced_table) == (other, "parents")


def test_check_constraints_are_read(snapshot: Snapshot) -> None:
    assert table(snapshot, "shops").constraints == (
        Constraint(name="price_check", definition="CHECK (`price` >= 0 and `name` <> ')')"),
    )


def test_an_index_comes_with_the_statement_that_makes_it(snapshot: Snapshot, database: str) -> None:
    indexes = {item.name: item for item in table(snapshot, "shops").indexes}
    on = f"ON `{database}`.`shops`"
    assert indexes["shops_name"] == Index(
        name="shops_name",
        columns=("name", "number"),
        definition=f"CREATE INDEX `shops_name` {on} (`name`(10), `number` DESC) COMMENT 'hm'",
        comment="hm",
    )
    assert indexes["shops_text"].definition == f"CREATE FULLTEXT INDEX `shops_text` {on} (`name`)"


def test_a_unique_index_on_a_part_of_a_value_is_no_constraint(snapshot: Snapshot) -> None:
    [index] = [item for item in table(snapshot, "shops").indexes if item.name == "shops_code"]
    assert (index.columns, index.unique) == (("code",), True)


def test_a_view_comes_with_its_query_and_without_defaults(snapshot: Snapshot) -> None:
    view = table(snapshot, "cheap")
    assert (view.definition or "").endswith("`price` < 5 WITH CASCADED CHECK OPTION")
    assert [(item.name, item.default) for item in view.columns] == [("id", None), ("price", None)]


def test_a_view_of_a_table_that_is_gone_is_still_a_view(server: Any, read: Any) -> None:
    database = server.database(
        "create table gone (x int); create view broken as select * from gone; drop table gone"
    )
    [broken] = read(database).tables
    assert (broken.name, broken.kind, broken.columns, broken.comment) == (
        "broken",
        "view",
        (),
        None,
    )


def test_a_partitioned_table_says_by_what(server: Any, read: Any) -> None:
    database = server.database(
        "create table t (at date) partition by range (year(at))"
        " (partition p0 values less than (2020), partition p1 values less than maxvalue)"
    )
    [found] = read(database).tables
    assert (found.kind, found.partition_key) == ("partitioned_table", "RANGE (year(`at`))")


def test_tables_whose_names_differ_only_in_case_are_not_mixed(server: Any, read: Any) -> None:
    database = server.database(
        "create table Shops (a int, b int, key k (a)); create table shops (c int, key k (c))"
    )
    assert [
        (item.name, [column.name for column in item.columns], [i.columns for i in item.indexes])
        for item in read(database).tables
    ] == [("Shops", ["a", "b"], [("a",)]), ("shops", ["c"], [("c",)])]


def test_sequences_are_read(server: Any, read: Any) -> None:
    if not server.is_mariadb:
        pytest.skip("MySQL has no sequences.")
    database = server.database(
        "create table t (id int); create sequence `a``b %s :x` start 5 increment 2 cycle"
    )
    [sequence] = read(database).sequences
    assert (sequence.name, sequence.start, sequence.increment, sequence.cycle) == (
        "a`b %s :x",
        5,
        2,
        True,
    )


def test_size_and_rows_are_estimated_for_tables_alone(snapshot: Snapshot) -> None:
    sizes = {item.table: item.size_bytes for item in snapshot.statistics}
    assert sorted(sizes) == ["regions", "shops"]
    assert all(size for size in sizes.values())


def test_what_the_dialect_cannot_tell_is_named(snapshot: Snapshot) -> None:
    assert snapshot.unknown == (
        "composites",
        "domains",
        "enums",
        "extensions",
        "partitions",
        "ranges",
        "routines",
    )


def test_a_large_schema_takes_as_many_statements_as_a_small_one(server: Any, read: Any) -> None:
    sent: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    def statements(tables: int) -> int:
        database = server.database(
            "create table t0 (id int primary key)",
            *(
                f"create table t{number} (id int primary key, parent int check (parent > 0),"
                f" foreign key (parent) references t{number - 1} (id))"
                for number in range(1, tables)
            ),
        )
        sent.clear()
        read(database)
        return len(sent)

    event.listen(sa.Engine, "before_cursor_execute", count)
    try:
        assert statements(2) == statements(30)
    finally:
        event.remove(sa.Engine, "before_cursor_execute", count)


def test_two_readings_are_equal(snapshot: Snapshot, database: str, read: Any) -> None:
    assert read(database) == snapshot


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def test_hostile_names_come_over_as_they_are(server: Any, read: Any) -> None:
    database = server.database(
        *(
            f"create table {quoted(name)} ({quoted(name)} int primary key, b int,"
            f" constraint {quoted('fk' + name)} foreign key (b) references {quoted(name)}"
            f" ({quoted(name)}), constraint {quoted('ck' + name)} check (b > 0))"
            for name in HOSTILE
        )
    )
    # As a role that may only SELECT: then the tables' own statements are taken apart as well.
    role = server.role(*(f"select on {database}.{quoted(name)}" for name in HOSTILE))
    seen = read(database, role)
    assert seen.tables == read(database).tables
    assert [
        (
            item.name,
            item.columns[0].name,
            item.foreign_keys[0].name,
            item.foreign_keys[0].referenced_table,
            item.constraints[0].name,
        )
        for item in seen.tables
    ] == [(name, name, "fk" + name, name, "ck" + name) for name in sorted(HOSTILE)]


def test_written_ddl_makes_the_same_tables_again(
    server: Any, read: Any, snapshot: Snapshot, database: str
) -> None:
    script = schema_script(snapshot)
    server.execute(f"drop database {database}", f"create database {database}")
    server.execute(*script, database=database)
    assert read(database).tables == snapshot.tables


def assert_is_made_again(server: Any, read: Any, database: str) -> None:
    before = read(database)
    server.execute(f"drop database {database}", f"create database {database}")
    server.execute(*schema_script(before), database=database)
    assert read(database).tables == before.tables


def test_a_view_is_made_after_those_that_it_reads(server: Any, read: Any) -> None:
    database = server.database(
        "create table t (a int); create view `last ``one` as select a, '`' as b from t;"
        "create sql security invoker view middle as"
        " select a, b as `it's a_first` from `last ``one`;"
        "create view a_first as select x.a, (select count(*) from t) as n from middle x"
    )
    assert_is_made_again(server, read, database)


def test_a_column_that_is_set_on_each_update_and_invisible_is_made_again(
    server: Any, read: Any
) -> None:
    if not server.is_mariadb:
        pytest.skip("MySQL writes it otherwise.")
    database = server.database(
        "create table t (a int, at timestamp(3) not null default current_timestamp(3)"
        " on update current_timestamp(3) invisible)"
    )
    assert_is_made_again(server, read, database)


@pytest.mark.parametrize(
    ("column", "is_invisible"),
    [
        ("b int invisible", True),
        ("b int not null default 5 invisible comment 'x'", True),
        ("b int as (a + 1) stored invisible", True),
        ("b int", False),
    ],
)
def test_a_column_that_is_not_in_select_all_is_told_as_such(
    server: Any, read: Any, column: str, is_invisible: bool
) -> None:
    database = server.database(f"create table t (a int, {column})")
    [table] = read(database).tables
    assert [item.invisible for item in table.columns] == [False, is_invisible]
    assert_is_made_again(server, read, database)


def test_characters_beyond_three_bytes_are_told_in_expressions(server: Any, read: Any) -> None:
    database = server.database(
        "create table t (a varchar(20), b varchar(20) as (concat(a, '😀????')) stored,"
        " c varchar(9) check (c <> '💥'), constraint k check (a <> '🚀' or a <> '????'))"
        " character set utf8mb4",
        "create view v as select '𝄞' as e, '?' as f, a from t where a <> '????'"
        " with local check option",
    )
    table, view = read(database).tables
    assert table.columns[1].generated is not None
    assert "'😀????'" in table.columns[1].generated
    texts = {item.name: item.definition for item in table.constraints}
    assert "'💥'" in texts["c"]
    assert "'🚀'" in texts["k"]
    assert "'????'" in texts["k"]
    assert view.definition.startswith("select '𝄞' AS `e`,'?' AS `f`,")
    assert "<> '????'" in view.definition
    assert view.definition.endswith(" WITH LOCAL CHECK OPTION")
    server.execute("create or replace view v as select '𝄢' as e", database=database)
    assert read(database).tables[1].definition.startswith("select '𝄢'")


def test_a_table_that_names_the_columns_of_its_versions_is_made_again(
    server: Any, read: Any
) -> None:
    if not server.is_mariadb:
        pytest.skip("MySQL has no versioned tables.")
    database = server.database(
        "create table t (a int, `until` timestamp(6) generated always as row end,"
        " since timestamp(6) generated always as row start,"
        " period for system_time (since, `until`)) with system versioning"
    )
    assert_is_made_again(server, read, database)


def test_a_primary_key_on_the_beginning_of_a_text_is_made_again(server: Any, read: Any) -> None:
    database = server.database("create table t (a text, b int, primary key (a(10), b))")
    assert_is_made_again(server, read, database)


def test_a_counting_column_whose_key_is_not_the_primary_one_is_made_again(
    server: Any, read: Any
) -> None:
    database = server.database(
        "create table plain (a int auto_increment, b int, key (a), key other (b));"
        "create table `t``x (` (`a``b` int auto_increment, b varchar(9), unique key"
        " `k ON ``t``` (`a``b`, b(3) desc) comment ' ON `y` (')"
    )
    assert_is_made_again(server, read, database)


def test_names_that_are_reserved_words_are_made_again(server: Any, read: Any) -> None:
    if not server.is_mariadb:
        pytest.skip("MySQL lists its words otherwise.")
    with closing(server.session()) as session, session.cursor() as cursor:
        cursor.execute(
            "select lower(word) from information_schema.keywords where word rlike '^[A-Z]'"
        )
        words = sorted({word for (word,) in cursor.fetchall()})
    database = server.database(
        *(
            f"create table {quoted(place)} ({', '.join(f'{quoted(word)} int' for word in some)},"
            f" primary key ({quoted(some[0])}))"
            for some in (words[at : at + 100] for at in range(0, len(words), 100))
            for place in some[:1]
        )
    )
    assert_is_made_again(server, read, database)


@pytest.mark.parametrize("word", ["rank", "groups", "system", "schema", "function", "lead"])
def test_what_mysql_alone_reserves_is_quoted(word: str) -> None:
    assert quote_name(word, "mysql") == f"`{word}`"


def test_nothing_can_be_written_through_the_reading_connection(
    server: Any, database: str, connection_to: Any
) -> None:
    address = source_address(connection_to(server.dsn(database), "mysql"), frozenset({"mysql"}))
    limits = ReadLimits()
    with (
        Deadline(60) as deadline,
        connected(address, limits, deadline) as connection,
        pytest.raises(DBAPIError, match="READ ONLY"),
    ):
        connection.execute(sa.text("insert into regions values ('vn', 'hcm')"))
