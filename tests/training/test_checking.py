"""What users wrote is trained on only where it fits the schema; rejections say why."""

from __future__ import annotations

import pytest

from twd_shared.schema_model.models import Column, Table
from twd_training.examples.checking import KnownTables, Rejected, check, tables_of_query
from twd_training.examples.models import Submission

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
KNOWN = KnownTables.of(snapshot_of(CUSTOMER, INVOICE, WAREHOUSE, HOSTILE, *TWICE))


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
    ],
)
def test_a_query_on_what_exists_is_accepted_with_its_tables(sql: str, tables: set[str]) -> None:
    assert set(tables_of_query(sql, KNOWN)) == tables


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select * from nobody", "table nobody does not exist"),
        ("select * from stock.customer", "table stock.customer does not exist"),
        ("select id from log", "table log exists in several schemas; name one"),
        ("select nope from customer", "column nope does not exist in public.customer"),
        ("select c.nope from customer c", "column nope does not exist in public.customer"),
        (
            "select upper(nope) as nope from customer",
            "column nope does not exist in public.customer",
        ),
        (
            "select full_name as nope from customer where nope = 'x'",
            "column nope does not exist in public.customer",
        ),
        ("select z.city from customer c", "z.city names no table of the statement"),
        ("select 1; select 2", "it holds 2 statements, not one"),
        ("", "it holds 0 statements, not one"),
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
        ("select (", "it cannot be parsed"),
        ("select 'open", "it cannot be parsed"),
    ],
)
def test_a_statement_that_cannot_run_or_writes_is_rejected(sql: str, reason: str) -> None:
    with pytest.raises(Rejected) as rejection:
        tables_of_query(sql, KNOWN)
    assert str(rejection.value).startswith(reason)


def test_a_deeply_nested_statement_is_rejected_not_fatal() -> None:
    with pytest.raises(Rejected):
        tables_of_query("select " + "(" * 5000 + "1" + ")" * 5000, KNOWN)


def test_mysql_names_are_compared_without_case() -> None:
    known = KnownTables.of(snapshot_of(CUSTOMER, dialect="mysql"))
    assert tables_of_query("select `FULL_NAME` from `Customer`", known) == ("public.customer",)


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
            Submission("1", "ddl", None, "create table warehouse (city text)"),
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
    with pytest.raises(Rejected):
        tables_of_query("call secret_thing('4711000047110')", KNOWN)
    assert "4711000047110" not in caplog.text


def test_sqlite_names_are_compared_without_case() -> None:
    name = Column(name="FullName", type="TEXT")
    mixed = Table(schema="main", name="Customer", kind="table", columns=(name,))
    known = KnownTables.of(snapshot_of(mixed, dialect="sqlite"))
    assert tables_of_query("select fullname from CUSTOMER", known) == ("main.Customer",)
    assert tables_of_query('select "FullName" from "Customer"', known) == ("main.Customer",)
