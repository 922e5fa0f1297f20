"""SQL is told in the new names of what it reads, where it stands, or not at all."""

from __future__ import annotations

import pytest

from twd_shared.schema_model.renames import Rename
from twd_shared.sql.names import SchemaNames
from twd_shared.sql.renaming import NewNames, in_new_names

from .sample_names import table

BEFORE = [
    table("customer", "customer_id", "full_name", "city"),
    table("invoice", "invoice_id", "customer_id", "total"),
    table("warehouse", "city", schema="stock"),
]
AFTER = [
    table("client", "customer_id", "name", "city"),
    table("invoice", "invoice_id", "customer_id", "Total amount"),
    table("warehouse", "city", schema="depot"),
]
RENAMES = [
    Rename(kind="table", old=("public", "customer"), new=("public", "client")),
    Rename(
        kind="table",
        old=("public", "customer"),
        new=("public", "client"),
        old_member="full_name",
        new_member="name",
    ),
    Rename(
        kind="table",
        old=("public", "invoice"),
        new=("public", "invoice"),
        old_member="total",
        new_member="Total amount",
    ),
    Rename(kind="table", old=("stock", "warehouse"), new=("depot", "warehouse")),
    Rename(kind="enum", old=("public", "invoice"), new=("public", "receipt")),
]


def told(sql: str, dialect: str = "postgresql") -> str | None:
    return in_new_names(
        sql, SchemaNames(dialect, BEFORE), SchemaNames(dialect, AFTER), NewNames.of(RENAMES)
    )


@pytest.mark.parametrize(
    ("sql", "new"),
    [
        ("select full_name from customer", "select name from client"),
        ("select c.full_name from customer c", "select c.name from client c"),
        ("select c.full_name from customer as c", "select c.name from client as c"),
        (
            "SELECT Customer.Full_Name -- whose?\n  FROM public.Customer;",
            "SELECT client.name -- whose?\n  FROM public.client;",
        ),
        ('select "full_name" from "customer"', "select name from client"),
        (
            "select public.customer.city from public.customer",
            "select public.client.city from public.client",
        ),
        ("select sum(total) from invoice", 'select sum("Total amount") from invoice'),
        (
            "select full_name, sum(total) from customer join invoice using (customer_id)"
            " group by full_name order by full_name",
            'select name, sum("Total amount") from client join invoice using (customer_id)'
            " group by name order by name",
        ),
        (
            "with x as (select full_name from customer) select x.full_name from x",
            "with x as (select name from client) select x.name from x",
        ),
        (
            "select (select max(total) from invoice i where i.customer_id = customer.customer_id)"
            " from customer",
            'select (select max("Total amount") from invoice i where i.customer_id ='
            " client.customer_id) from client",
        ),
        (
            "select customer.city, other.city from customer, customer other",
            "select client.city, other.city from client, client other",
        ),
        (
            "select customer.city from customer customer",
            "select customer.city from client customer",
        ),
        ("select city from stock.warehouse", "select city from depot.warehouse"),
        ("select city from warehouse", "select city from depot.warehouse"),
        (
            "select city from customer union select city from warehouse order by city",
            "select city from client union select city from depot.warehouse order by city",
        ),
        (
            "select full_name from customer union select city from customer",
            "select name from client union select city from client",
        ),
        ("select 'full_name', city from customer", "select 'full_name', city from client"),
        ("select invoice_id from invoice", "select invoice_id from invoice"),
        ("select * from customer -- đ", "select * from client -- đ"),
    ],
)
def test_each_name_is_told_anew_where_it_stands(sql: str, new: str) -> None:
    assert told(sql) == new


@pytest.mark.parametrize(
    "sql",
    [
        "select full_name as total from customer",
        "select c.total from (select customer_id as total from customer) c",
        "with x(full_name) as (select city from customer) select full_name from x",
        "select full_name from customer union select city from customer order by full_name",
        "select x.full_name from (select full_name from customer union select city from warehouse)"
        " as x",
        "select (",
        "call do_it()",
    ],
)
def test_what_is_not_certain_is_not_told(sql: str) -> None:
    assert told(sql) is None


@pytest.mark.parametrize(
    "sql",
    [
        "select stock.size_of(city) from stock.warehouse",
        "select city from stock.warehouse where city = 'x'::stock.place",
        "select city from stock.warehouse cross join stock.cities_near(3) as near",
    ],
)
def test_whether_a_function_or_type_left_the_schema_with_a_table_is_not_guessed(sql: str) -> None:
    assert told(sql) is None
    assert told(sql.replace("stock.", "depot.").replace("depot.warehouse", "stock.warehouse"))


def test_a_new_name_that_another_table_has_too_is_not_guessed() -> None:
    before = [table("a", "x"), table("b", "y")]
    after = [table("a", "y"), table("b", "y")]
    rename = Rename(
        kind="table", old=("public", "a"), new=("public", "a"), old_member="x", new_member="y"
    )
    given = in_new_names(
        "select x from a, b",
        SchemaNames("postgresql", before),
        SchemaNames("postgresql", after),
        NewNames.of([rename]),
    )
    assert given is None


def test_names_that_were_swapped_are_swapped() -> None:
    names = SchemaNames("postgresql", [table("a", "x", "y")])
    swapped = [
        Rename(
            kind="table", old=("public", "a"), new=("public", "a"), old_member=old, new_member=new
        )
        for old, new in (("x", "y"), ("y", "x"))
    ]
    told = NewNames.of(swapped)
    assert in_new_names("select x, a.y from a", names, names, told) == "select y, a.x from a"
    # The result's name was the first part's: which part is meant now?
    union = "select x from a union select y from a order by x"
    assert in_new_names(union, names, names, told) is None


def test_mysql_names_are_found_without_case_and_quoted_its_way() -> None:
    assert told("select `TOTAL` from Invoice", "mysql") == "select `Total amount` from Invoice"
