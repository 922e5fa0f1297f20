"""A pair is accepted where PostgreSQL finds all that it names, and rejected where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from twd_shared.schema_model.models import Column, Table
from twd_training.examples.checking import check
from twd_training.examples.known_tables import KnownTables
from twd_training.examples.models import Submission

from .conftest import snapshot_of

pytestmark = pytest.mark.integration

# As long as PostgreSQL lets a name be, in bytes.
LONG = "l" * 63
LONG_VIETNAMESE = "ệ" * 21

TABLES = {
    "customer": "customer_id integer, full_name text, city text, tags text[], info jsonb",
    "invoice": "invoice_id integer, customer_id integer, total numeric, at timestamptz",
    "khách": 'mã integer, "Tên" text',
    LONG: f'"{LONG}" integer, "{LONG_VIETNAMESE}" integer',
}

FOUND = [
    "select tag, n from customer c cross join lateral unnest(c.tags) with ordinality as u(tag, n)",
    "select row_number from (select row_number() over () from customer) x where row_number = 1",
    "select date_trunc from (select date_trunc('month', at) from invoice) x",
    "select string_agg from (select string_agg(city, ',') from customer) x",
    "values (1, 'a'), (2, 'b')",
    "select column1 from (values (1), (2)) v",
    "with recursive t(id) as (select 1 union all select id + 1 from t where id < 3)"
    " search depth first by id set ordercol select id from t order by ordercol",
    "select full_name from customer where city = user",
    "select value from customer cross join lateral jsonb_each_text(info)",
    "select count(*) from information_schema.tables",
    "select relname from pg_catalog.pg_class",
    "select customer from customer",
    "select ctid, full_name from customer",
    "select distinct on (city) city, full_name from customer order by city, full_name",
    "select i.total from customer c left join invoice i using (customer_id) order by customer_id",
    "select upper(city) as town, count(*) from customer group by town order by town",
    "select mã from khách where \"Tên\" like 'A%'",
    "select (select max(total) from invoice i where i.customer_id = c.customer_id) from customer c",
    f"select {LONG.upper()}er, {LONG}.{LONG}er from {LONG}er where {LONG_VIETNAMESE}ệệ > 0",
    f'select a."{LONG}b" from (select 1 as {LONG}a) a order by "{LONG}c"',
]
NOT_FOUND = [
    "select s.full_name from (select city from customer) s",
    "with c as (select * from customer) select c.nope from c",
    "select c.full_name from customer as c(a, b, d, e, f)",
    "select city, sum(customer_id) as n from customer group by city having n > 3",
    "select nope from customer",
    f'select "{LONG.upper()}er" from {LONG}',
    f"select {LONG[:-1]} from {LONG}",
    f"select {LONG}a from (select 1 as {LONG}b, 2 as {LONG}c) x",
    "select c.nope from customer c, invoice i",
    "select customer_id from customer, invoice",
    "select full_name from customers",
    "select Tên from khách",
    "select x.city from customer c",
    "select city from customer union select city, full_name from customer",
]


@pytest.fixture(scope="module")
def shop(services: Any) -> Iterator[Any]:
    """Statements on a database with the tables."""
    connection = psycopg2.connect(services.database())
    connection.autocommit = True
    with connection.cursor() as cursor:
        for name, columns in TABLES.items():
            cursor.execute(f"create table {name} ({columns})")
        yield cursor
    connection.close()


@pytest.fixture(scope="module")
def known() -> KnownTables:
    return KnownTables.of(
        snapshot_of(
            *(
                Table(
                    schema="public",
                    name=name,
                    kind="table",
                    columns=tuple(
                        Column(name=column.split()[0].strip('"'), type=column.split()[1])
                        for column in columns.split(", ")
                    ),
                )
                for name, columns in TABLES.items()
            )
        )
    )


@pytest.mark.parametrize(
    ("sql", "is_found"), [(s, True) for s in FOUND] + [(s, False) for s in NOT_FOUND]
)
def test_a_pair_is_judged_as_postgresql_judges_it(
    shop: Any, known: KnownTables, sql: str, is_found: bool
) -> None:
    try:
        shop.execute(f"prepare asked as {sql}")
        shop.execute("deallocate asked")
        is_prepared = True
    except psycopg2.ProgrammingError:
        is_prepared = False
    item = check(Submission("1", "question_sql", "?", sql), "7", known)
    assert (is_prepared, item.accepted) == (is_found, is_found), item.reason
