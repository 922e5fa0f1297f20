"""What users wrote is trained on only where it fits the schema; rejections say why."""

from __future__ import annotations

import unicodedata

import pytest

from twd_shared.schema_model.models import Column, PartitionOf, Table
from twd_training.examples.checking import check
from twd_training.examples.known_tables import KnownTables
from twd_training.examples.models import Submission, TrainingItem

from .conftest import CUSTOMER, INVOICE, WAREHOUSE, snapshot_of

HOSTILE = Table(
    schema="public",
    name='Đơn "hàng"',
    kind="table",
    columns=(Column(name="Số tiền", type="numeric"),),
)
TWICE = [
    Table(schema=schema, name="log", kind="table", columns=(Column(name="id", type="int"),))
    for schema in ("a", "b")
]
SPACED = Table(
    schema="public",
    name="Stock Items",
    kind="table",
    columns=(Column(name="Unit price", type="numeric"), Column(name="sold-on", type="date")),
)
TOTALS = Table(
    schema="public",
    name="totals",
    kind="view",
    columns=(Column(name="customer_id", type="integer"), Column(name="t", type="numeric")),
)
KNOWN = KnownTables.of(snapshot_of(CUSTOMER, INVOICE, WAREHOUSE, HOSTILE, *TWICE, SPACED, TOTALS))


def pair(sql: str, known: KnownTables = KNOWN) -> TrainingItem:
    return check(Submission("1", "question_sql", "?", sql), "7", known)


def ddl(sql: str, known: KnownTables = KNOWN) -> TrainingItem:
    return check(Submission("1", "ddl", None, sql), "7", known)


def test_a_partition_whose_parents_form_a_circle_is_known_by_a_name() -> None:
    [one, other] = (
        Table(
            schema="public",
            name=name,
            kind="table",
            partition_of=PartitionOf(schema="public", table=parent, bound="DEFAULT"),
        )
        for name, parent in (("one", "other"), ("other", "one"))
    )
    assert KnownTables.of(snapshot_of(one, other)).label(("public", "one")) == "public.other"


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("select * from customer", {"public.customer"}),
        ("SELECT Full_Name FROM Customer;", {"public.customer"}),
        (
            "select c.full_name, sum(i.total_amount) s from customer c"
            " join public.invoice i using (customer_id) group by 1 having sum(total_amount) > 1"
            " order by s",
            {"public.customer", "public.invoice"},
        ),
        (
            "with x as (select full_name as n from customer) select n from x where x.n <> ''",
            {"public.customer"},
        ),
        (
            "with recursive r as (select 1 as k union all select k + 1 from r where k < 5)"
            " select k from r, warehouse",
            {"stock.warehouse"},
        ),
        (
            "select (select count(*) from invoice i where i.customer_id = c.customer_id)"
            " from customer c",
            {"public.customer", "public.invoice"},
        ),
        (
            "select q.s from customer c, lateral (select sum(total_amount) as s from invoice i"
            " where i.customer_id = c.customer_id) q",
            {"public.customer", "public.invoice"},
        ),
        ("select count from (select count(*) from customer) x", {"public.customer"}),
        ("select c from customer c", {"public.customer"}),
        (
            "select upper(full_name) as name, count(*) as n from customer group by name"
            " having count(*) > 1 order by n, name",
            {"public.customer"},
        ),
        (
            "select upper(name) as name from (select full_name as name from customer) x",
            {"public.customer"},
        ),
        (
            "with x as (select full_name as name from customer)"
            " select (select max(name) from x) as name from warehouse where city = 'x'",
            {"public.customer", "stock.warehouse"},
        ),
        ("select xmin, full_name from customer", {"public.customer"}),
        (
            "select g.d, city from generate_series(1, 3) as g(d), stock.warehouse",
            {"stock.warehouse"},
        ),
        ("select customer_id from customer union select 1 order by 1", {"public.customer"}),
        ('select "Số tiền" from "Đơn ""hàng"""', {HOSTILE.label}),
        ("select id from a.log", {"a.log"}),
        ("select full_name from customer; -- by name", {"public.customer"}),
        ("select @customer_id from customer where full_name <> ':id $1 ?'", {"public.customer"}),
        (
            "select (string_to_array(full_name, ' '))[:customer_id + 1] from customer",
            {"public.customer"},
        ),
    ],
)
def test_a_query_on_what_exists_is_accepted_with_its_tables(sql: str, tables: set[str]) -> None:
    item = pair(sql)
    assert (set(item.tables), item.reason) == (tables, "")


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select * from nobody", "table nobody does not exist"),
        ("select * from stock.customer", "table stock.customer does not exist"),
        ("select id from log", "table log exists in several schemas; name one"),
        ("select nope from customer", "column nope does not exist in public.customer"),
        ("select c.nope from customer c", "column c.nope does not exist in public.customer"),
        (
            "select upper(nope) as nope from customer",
            "column nope does not exist in public.customer",
        ),
        (
            "select full_name as nope from customer where nope = 'x'",
            "column nope does not exist in public.customer",
        ),
        ("select z.city from customer c", "z names no table of the statement"),
        (
            "select customer_id from customer, invoice",
            "column customer_id could be of several tables of the statement; name one",
        ),
        (
            "select customer_id from customer union select customer_id, full_name from customer",
            "the parts of its UNION do not have the same number of columns",
        ),
        ("select full_name from customer where customer_id = $1", "it has parameters"),
        ("select full_name from customer where customer_id = :id limit 3", "it has parameters"),
        ("select full_name from customer where customer_id = %(id)s", "it has parameters"),
        ("select full_name from customer limit ?", "it has parameters"),
        ("select 1; select 2", "it holds 2 statements, not one"),
        ("select 1; select 2; -- both", "it holds 2 statements, not one"),
        ("", "it is empty"),
        ("-- nothing", "it holds 0 statements, not one"),
        ("delete from customer", "it is not a statement that only reads"),
        (
            "with d as (delete from customer returning *) select * from d",
            "it is not a statement that only reads",
        ),
        ("select full_name into copy from customer", "it is not a statement that only reads"),
        ("select * from customer for update", "it is not a statement that only reads"),
        ("explain select 1", "it is not a statement that only reads"),
        ("call do_it()", "it is not a statement that only reads"),
        ("SELEC * FORM customer", "it is no SQL statement"),
        ("hello", "it is no SQL statement"),
        ("select (", "our parser cannot read it"),
        ("select full_name %> 'x' from customer", "our parser cannot read it: unreadable text"),
        ("select 'open", "our parser cannot read it"),
    ],
)
def test_a_statement_that_cannot_run_or_writes_is_rejected(sql: str, reason: str) -> None:
    item = pair(sql)
    assert not item.accepted
    assert item.reason.startswith(reason)


def test_a_deeply_nested_statement_is_rejected_not_fatal() -> None:
    assert not pair("select " + "(" * 5000 + "1" + ")" * 5000).accepted


def test_mysql_names_are_compared_without_case() -> None:
    known = KnownTables.of(snapshot_of(CUSTOMER, dialect="mysql"))
    assert pair("select `FULL_NAME` from `Customer`", known).tables == ("public.customer",)


def test_a_mysql_variable_is_no_parameter() -> None:
    known = KnownTables.of(snapshot_of(CUSTOMER, dialect="mysql"))
    assert pair("select @row := @row + 1, full_name from customer", known).accepted
    assert not pair("select full_name from customer where customer_id = ?", known).accepted


@pytest.mark.parametrize(
    ("submission", "tables", "reason"),
    [
        (
            Submission("1", "documentation", None, "An invoice is paid by its customer."),
            ("public.customer", "public.invoice"),
            "",
        ),
        (Submission("1", "documentation", None, "  "), (), "it is empty"),
        (Submission("1", "question_sql", None, "select 1"), (), "it has no question"),
        (Submission("1", "question_sql", " ", "select 1"), (), "it has no question"),
        (
            Submission("1", "question_sql", "x" * 100_001, "select 1"),
            (),
            "its question is longer than 100000 characters",
        ),
        (
            Submission("1", "ddl", None, "create table warehouse (city text)"),
            ("stock.warehouse",),
            "",
        ),
        (
            Submission("1", "ddl", None, "create table warehouse (city text); -- of goods"),
            ("stock.warehouse",),
            "",
        ),
        (
            Submission("1", "ddl", None, "create table warehouse (town text)"),
            (),
            "column town does not exist in stock.warehouse",
        ),
        (
            Submission("1", "ddl", None, "drop table warehouse"),
            (),
            "it is not made of CREATE TABLE or CREATE VIEW statements alone",
        ),
        (
            Submission("1", "documentation", None, "x" * 100_001),
            (),
            "it is longer than 100000 characters",
        ),
    ],
)
def test_other_submissions(submission: Submission, tables: tuple[str, ...], reason: str) -> None:
    item = check(submission, "7", KNOWN)
    assert (item.tables, item.reason, item.accepted) == (tables, reason, not reason)


def test_sql_of_users_reaches_no_log(caplog: pytest.LogCaptureFixture) -> None:
    assert not pair("call secret_thing('4711000047110')").accepted
    assert "4711000047110" not in caplog.text


def test_sqlite_names_are_compared_without_case() -> None:
    name = Column(name="FullName", type="TEXT")
    mixed = Table(schema="main", name="Customer", kind="table", columns=(name,))
    known = KnownTables.of(snapshot_of(mixed, dialect="sqlite"))
    assert pair("select fullname from CUSTOMER", known).tables == ("main.Customer",)
    assert pair('select "FullName" from "Customer"', known).tables == ("main.Customer",)


# --- DDL and documentation ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("create view totals as select nope from invoice", "column nope does not exist in"),
        ("create view totals as select 1 from nobody", "table nobody does not exist"),
        ("create table customer as select 1 from nobody", "table nobody does not exist"),
        (
            "create table invoice (customer_id int references nobody (x))",
            "table nobody does not exist",
        ),
        (
            "create table invoice (customer_id int, foreign key (customer_id) references customer"
            " (nope))",
            "column nope does not exist in public.customer",
        ),
        ("create view totals (a, b) as select 1, 2", "column a does not exist in public.totals"),
    ],
)
def test_ddl_that_builds_on_what_is_not_there_is_rejected(sql: str, reason: str) -> None:
    item = ddl(sql)
    assert not item.accepted
    assert item.reason.startswith(reason)


def test_ddl_of_a_view_names_what_its_query_reads() -> None:
    item = ddl(
        "create view totals as select customer_id, sum(total_amount) as t from invoice group by 1"
    )
    assert (item.tables, item.reason) == (("public.totals",), "")
    assert {"public.invoice", "public.invoice.total_amount"} < set(item.names)


def test_ddl_names_the_tables_that_it_refers_to() -> None:
    item = ddl("create table invoice (customer_id int references customer (customer_id))")
    assert item.tables == ("public.invoice",)
    assert {"public.customer", "public.invoice.customer_id"} < set(item.names)


@pytest.mark.parametrize(
    "text",
    [
        "The table Stock Items holds the Unit price; see sold-on.",
        "the unit price of STOCK ITEMS (sold-on is later)",
        'In "Stock Items": "Unit price", "sold-on".',
    ],
)
def test_documentation_is_linked_to_names_of_several_words(text: str) -> None:
    item = check(Submission("1", "documentation", None, text), "7", KNOWN)
    assert item.tables == ("public.Stock Items",)
    columns = {"public.Stock Items.Unit price", "public.Stock Items.sold-on"}
    assert set(item.names) == {"public.Stock Items", *columns}


def test_documentation_is_not_linked_to_a_part_of_a_word() -> None:
    text = "Restock Items, a Stock Itemset, and unsold-on."
    assert check(Submission("1", "documentation", None, text), "7", KNOWN).names == ()


def test_documentation_finds_a_name_that_is_written_with_combining_marks() -> None:
    table = Table(schema="public", name="đơn hàng", kind="table", columns=())
    known = KnownTables.of(snapshot_of(table))
    text = unicodedata.normalize("NFD", "Mỗi Đơn Hàng có một khách.")
    assert check(Submission("1", "documentation", None, text), "7", known).tables == (table.label,)
