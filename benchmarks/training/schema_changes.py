"""The changes of a schema that the corpus is judged by, each with its way back.

What a change removed and its way back does not restore, `restoring.py` makes again as it was.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """Statements run one by one on a copy of the sample database `database`."""

    database: str
    name: str
    statements: tuple[str, ...]
    back: tuple[str, ...] = ()


def _swapped(object: str, kind: str, one: str, other: str) -> tuple[str, ...]:
    """`kind` names what is renamed in `object`; empty for tables and views themselves."""
    if kind:
        start = f"{object} rename {kind}"
        return (
            f"{start} {one} to in_between",
            f"{start} {other} to {one}",
            f"{start} in_between to {other}",
        )
    return (
        f"{object} {one} rename to in_between",
        f"{object} {other} rename to {one}",
        f"{object} in_between rename to {other}",
    )


def _labels_swapped(one: str, other: str) -> tuple[str, ...]:
    start = "alter type mpaa_rating rename value"
    return (
        f"{start} '{one}' to 'between'",
        f"{start} '{other}' to '{one}'",
        f"{start} 'between' to '{other}'",
    )


def _pagila(
    name: str, *statements: str, back: tuple[str, ...] | str = (), views: str = ""
) -> SchemaChange:
    """`views` have to go first, as PostgreSQL alters no type of a column that a view reads."""
    first = (f"drop view if exists {views} cascade",) if views else ()
    back = (back,) if isinstance(back, str) else back
    return SchemaChange("pagila", name, (*first, *statements), back)


def _northwind(name: str, *statements: str, back: tuple[str, ...] | str = ()) -> SchemaChange:
    back = (back,) if isinstance(back, str) else back
    return SchemaChange("northwind", name, statements, back)


_FILM_LISTS = "film_list, nicer_but_slower_film_list"

RENAMES = (
    _pagila(
        "a column is renamed",
        "alter table film rename length to running_time",
        back="alter table film rename running_time to length",
    ),
    _pagila(
        "a key that others refer to is renamed",
        "alter table customer rename customer_id to id",
        back="alter table customer rename id to customer_id",
    ),
    _pagila(
        "a column gets capitals",
        'alter table film rename title to "Title"',
        back='alter table film rename "Title" to title',
    ),
    _pagila(
        "a column gets a keyword for a name",
        'alter table category rename name to "order"',
        back='alter table category rename "order" to name',
    ),
    _pagila(
        "a table is renamed",
        "alter table film rename to movie",
        back="alter table movie rename to film",
    ),
    _pagila(
        "a table gets a name with a space",
        'alter table inventory rename to "Stock Items"',
        back='alter table "Stock Items" rename to inventory',
    ),
    _pagila(
        "a view is renamed",
        "alter view customer_list rename to clients",
        back="alter view clients rename to customer_list",
    ),
    _pagila(
        "a view's column is renamed",
        "alter view film_list rename price to cost",
        back="alter view film_list rename cost to price",
    ),
    _pagila(
        "a materialized view is renamed",
        "alter materialized view rental_by_category rename to sales_by_category",
        back="alter materialized view sales_by_category rename to rental_by_category",
    ),
    _pagila(
        "the schema is renamed",
        "alter schema public rename to shop",
        back="alter schema shop rename to public",
    ),
    _pagila(
        "a partition is renamed",
        "alter table payment_p2022_01 rename to payment_january",
        back="alter table payment_january rename to payment_p2022_01",
    ),
    _pagila(
        "an enum's label is renamed",
        "alter type mpaa_rating rename value 'PG' to 'PG-7'",
        back="alter type mpaa_rating rename value 'PG-7' to 'PG'",
    ),
    _pagila(
        "an enum is renamed",
        "alter type mpaa_rating rename to age_rating",
        back="alter type age_rating rename to mpaa_rating",
    ),
    _pagila(
        "a domain is renamed",
        "alter domain year rename to production_year",
        back="alter domain production_year rename to year",
    ),
    _pagila(
        "a function is renamed",
        "alter function inventory_in_stock(integer) rename to is_in_stock",
        back="alter function is_in_stock(integer) rename to inventory_in_stock",
    ),
    _northwind(
        "a column that several tables have is renamed in one",
        "alter table customers rename company_name to name",
        back="alter table customers rename name to company_name",
    ),
    _northwind(
        "a column is renamed in all tables that have it",
        "alter table customers rename city to town",
        "alter table suppliers rename city to town",
        "alter table employees rename city to town",
        back=(
            "alter table customers rename town to city",
            "alter table suppliers rename town to city",
            "alter table employees rename town to city",
        ),
    ),
    _northwind(
        "a key is renamed on both sides",
        "alter table orders rename order_id to number",
        "alter table order_details rename order_id to number",
        back=(
            "alter table orders rename number to order_id",
            "alter table order_details rename number to order_id",
        ),
    ),
    _northwind(
        "a table and its column are renamed at once",
        "alter table order_details rename to order_lines",
        "alter table order_lines rename unit_price to price",
        back=(
            "alter table order_lines rename price to unit_price",
            "alter table order_lines rename to order_details",
        ),
    ),
    _northwind(
        "a column takes the name that another has just given up",
        "alter table customers rename contact_name to person",
        "alter table customers rename contact_title to contact_name",
        back=(
            "alter table customers rename contact_name to contact_title",
            "alter table customers rename person to contact_name",
        ),
    ),
    _northwind(
        "a column becomes what a query calls another",
        "alter table orders rename freight to ordered",
        back="alter table orders rename ordered to freight",
    ),
)

SWAPS = (
    _pagila(
        "two columns swap their names",
        *_swapped("alter table customer", "column", "first_name", "last_name"),
        back=_swapped("alter table customer", "column", "first_name", "last_name"),
    ),
    _northwind(
        "two columns of other types swap their names",
        *_swapped("alter table products", "column", "unit_price", "product_name"),
        back=_swapped("alter table products", "column", "unit_price", "product_name"),
    ),
    _northwind(
        "three columns pass their names on in a ring",
        "alter table customers rename city to in_between",
        "alter table customers rename region to city",
        "alter table customers rename country to region",
        "alter table customers rename in_between to country",
        back=(
            "alter table customers rename country to in_between",
            "alter table customers rename region to country",
            "alter table customers rename city to region",
            "alter table customers rename in_between to city",
        ),
    ),
    _pagila(
        "two tables swap their names",
        *_swapped("alter table", "", "actor", "customer"),
        back=_swapped("alter table", "", "actor", "customer"),
    ),
    _northwind(
        "two tables of like columns swap their names",
        *_swapped("alter table", "", "customers", "suppliers"),
        back=_swapped("alter table", "", "customers", "suppliers"),
    ),
    _pagila(
        "two views swap their names",
        *_swapped("alter view", "", "film_list", "nicer_but_slower_film_list"),
        back=_swapped("alter view", "", "film_list", "nicer_but_slower_film_list"),
    ),
    _pagila(
        "two partitions swap their names",
        *_swapped("alter table", "", "payment_p2022_01", "payment_p2022_02"),
        back=_swapped("alter table", "", "payment_p2022_01", "payment_p2022_02"),
    ),
    _pagila(
        "two labels of an enum swap their names",
        *_labels_swapped("PG", "R"),
        back=_labels_swapped("PG", "R"),
    ),
)

DROPS = (
    _pagila("a column is dropped", "alter table film drop rental_duration"),
    _pagila("a column is dropped with the views on it", "alter table film drop length cascade"),
    _pagila(
        "a column is dropped, and an outer query has one of its name",
        "alter table inventory drop film_id cascade",
    ),
    _northwind("a column that no view reads is dropped", "alter table products drop discontinued"),
    _northwind("a key is dropped", "alter table orders drop customer_id"),
    _pagila("a table is dropped", "drop table language cascade"),
    _pagila("a table is dropped with the views on it", "drop table category cascade"),
    _northwind("a table that refers to others is dropped", "drop table order_details"),
    _northwind(
        "several tables are dropped",
        "drop table employees, employee_territories, territories, region cascade",
    ),
    _pagila("a view is dropped", "drop view sales_by_store"),
    _pagila("a materialized view is dropped", "drop materialized view rental_by_category"),
    _pagila("a partition is dropped", "drop table payment_p2022_01"),
    _pagila("a function is dropped", "drop function inventory_in_stock(integer)"),
    _pagila("an enum is dropped with its columns", "drop type mpaa_rating cascade"),
)

RETURNS = (
    _pagila(
        "a column is dropped and made again",
        "alter table address drop district",
        "alter table address add district text",
    ),
    _pagila(
        "a column is dropped and made again with another type",
        "alter table film drop rental_duration",
        "alter table film add rental_duration interval",
        back=(
            "alter table film drop rental_duration",
            "alter table film add rental_duration smallint",
        ),
    ),
    _northwind(
        "a table is dropped and made again",
        "alter table orders drop constraint fk_orders_shippers",
        "create table kept (like shippers)",
        "drop table shippers",
        "create table shippers (like kept)",
        "drop table kept",
    ),
    _northwind(
        "a table is made again without a column",
        "drop table us_states",
        "create table us_states (state_id smallint, state_name varchar, state_abbr varchar(2))",
    ),
    _northwind(
        "a table is rewritten into a new one of its name",
        "create table new_territories as select * from territories",
        "alter table territories rename to old_territories",
        "alter table new_territories rename to territories",
        back=(
            "drop table territories",
            "alter table old_territories rename to territories",
        ),
    ),
    _pagila(
        "a view is replaced",
        "create or replace view sales_by_store as select 'all'::text as store, "
        "'none'::text as manager, sum(amount) as total_sales from payment",
    ),
    _pagila(
        "a view is made again with a column more",
        "drop view staff_list",
        "create view staff_list as select s.staff_id as id, s.first_name as name, a.address, "
        "'now'::text as since, c.city, 'Canada'::text as country from staff s "
        "join address a using (address_id) join city c using (city_id)",
        back="drop view staff_list",
    ),
    _pagila(
        "a view is made again without a column",
        "drop view customer_list",
        "create view customer_list as select customer_id as id, first_name as name, "
        "'x'::text as city from customer",
        back="drop view customer_list",
    ),
    _pagila(
        "a materialized view becomes a view",
        "drop materialized view rental_by_category",
        "create view rental_by_category as select name as category, 1.0 as total_sales "
        "from category",
        back="drop view rental_by_category",
    ),
    _pagila(
        "a table goes behind a view of its name",
        "alter table category rename to category_data",
        "create view category as select * from category_data",
        back=("drop view category", "alter table category_data rename to category"),
    ),
    _northwind(
        "a column becomes a generated one",
        "alter table products drop reorder_level",
        "alter table products add reorder_level smallint "
        "generated always as (units_in_stock / 2) stored",
    ),
    _pagila(
        "an enum is made again with fewer labels",
        f"drop view {_FILM_LISTS} cascade",
        "alter table film alter rating drop default",
        "alter type mpaa_rating rename to old_rating",
        "create type mpaa_rating as enum ('G', 'PG', 'R')",
        "alter table film alter rating type mpaa_rating using null",
        "drop type old_rating",
        back=(
            "alter type mpaa_rating add value 'PG-13'",
            "alter type mpaa_rating add value 'NC-17'",
        ),
    ),
)

TYPES = (
    _pagila(
        "a number becomes text",
        "drop materialized view rental_by_category",
        "alter table payment alter amount type text",
        back="alter table payment alter amount type numeric(5, 2) using amount::numeric",
        views="sales_by_store, sales_by_film_category",
    ),
    _pagila(
        "a number that is compared becomes text",
        "alter table film alter length type text",
        back="alter table film alter length type smallint using length::smallint",
        views=_FILM_LISTS,
    ),
    _pagila(
        "a truth value becomes text",
        "alter table customer alter activebool drop default",
        "alter table customer alter activebool type text",
        back="alter table customer alter activebool type boolean using activebool::boolean",
        views="customer_list",
    ),
    _pagila(
        "an array becomes text",
        "alter table film alter special_features type text using special_features::text",
        back="alter table film alter special_features type text[] using special_features::text[]",
    ),
    _pagila(
        "an enum becomes text",
        "alter table film alter rating drop default",
        "alter table film alter rating type text",
        back="alter table film alter rating type mpaa_rating using rating::mpaa_rating",
        views=_FILM_LISTS,
    ),
    _pagila(
        "a moment becomes a day",
        "alter table rental alter return_date type date",
        back="alter table rental alter return_date type timestamptz",
    ),
    _pagila(
        "a search document becomes text",
        "drop trigger film_fulltext_trigger on film",
        "drop index film_fulltext_idx",
        "alter table film alter fulltext type text using fulltext::text",
        back="alter table film alter fulltext type tsvector using fulltext::tsvector",
    ),
    _northwind(
        "a day becomes text",
        "alter table orders alter order_date type text",
        back="alter table orders alter order_date type date using order_date::date",
    ),
    _northwind(
        "a number gets wider",
        "alter table order_details alter quantity type bigint",
        back="alter table order_details alter quantity type smallint",
    ),
    _northwind(
        "text becomes a number",
        "alter table customers alter postal_code type integer using null",
        back="alter table customers alter postal_code type varchar(10)",
    ),
    _northwind(
        "text gets longer",
        "alter table customers alter company_name type varchar(200)",
        back="alter table customers alter company_name type varchar(40)",
    ),
    _northwind(
        "a key gets another type on one side",
        "alter table orders drop constraint fk_orders_customers",
        "alter table orders alter customer_id type integer using null",
        back="alter table orders alter customer_id type varchar(5)",
    ),
)

ADDITIONS = (
    _pagila(
        "a new column makes a name ambiguous",
        "alter table customer add amount numeric",
        back="alter table customer drop amount",
    ),
    _northwind(
        "a new column of the other side makes a name ambiguous",
        "alter table customers add ship_name text",
        back="alter table customers drop ship_name",
    ),
    _pagila(
        "a new column makes the name in USING ambiguous",
        "alter table film add category_id integer",
        back="alter table film drop category_id",
    ),
    _pagila(
        "a new column takes a name away from the outer query",
        "alter table inventory add rental_duration smallint",
        back="alter table inventory drop rental_duration",
    ),
    _pagila(
        "a new column takes part in a natural join",
        "alter table film_category add title text",
        back="alter table film_category drop title",
    ),
    _northwind(
        "a new column gives a natural join another condition",
        "alter table employee_territories add last_name varchar(20)",
        back="alter table employee_territories drop last_name",
    ),
    _pagila(
        "a new column takes a name away from GROUP BY",
        "alter table payment add paid_year integer",
        back="alter table payment drop paid_year",
    ),
    _pagila(
        "a new column is called as a sorted result is",
        "alter table payment add total numeric",
        back="alter table payment drop total",
    ),
    _pagila(
        "a new column makes a union uneven",
        "alter table film_actor add role text",
        back="alter table film_actor drop role",
    ),
    _pagila(
        "a table of a known name comes into another schema",
        "create schema archive",
        "create table archive.film (film_id integer, title text)",
        "create table archive.payment_p2022_01 (amount text)",
        back="drop schema archive cascade",
    ),
    _pagila(
        "a table comes that is called as a WITH query is",
        "create table used (used_key integer, uses integer)",
        "create table days (day integer)",
        back=("drop table used", "drop table days"),
    ),
    _northwind(
        "a view of a table comes into another schema",
        "create schema reports",
        "create view reports.customers as select customer_id, company_name from customers",
        back="drop schema reports cascade",
    ),
)

MOVES = (
    _pagila(
        "a table moves to another schema",
        "create schema archive",
        "alter table film_actor set schema archive",
        back=("alter table archive.film_actor set schema public", "drop schema archive"),
    ),
    _northwind(
        "a table moves, and an empty one takes its place",
        "create schema old",
        "alter table orders set schema old",
        "create table orders (like old.orders)",
        back=("drop table orders", "alter table old.orders set schema public", "drop schema old"),
    ),
    _northwind(
        "two tables move together",
        "create schema staff",
        "alter table employees set schema staff",
        "alter table employee_territories set schema staff",
        back=(
            "alter table staff.employees set schema public",
            "alter table staff.employee_territories set schema public",
            "drop schema staff",
        ),
    ),
    _pagila(
        "a view moves to another schema",
        "create schema reports",
        "alter view sales_by_store set schema reports",
        back=("alter view reports.sales_by_store set schema public", "drop schema reports"),
    ),
    _pagila(
        "an enum moves to another schema",
        "create schema types",
        "alter type mpaa_rating set schema types",
        back=("alter type types.mpaa_rating set schema public", "drop schema types"),
    ),
    _pagila(
        "a function moves to another schema",
        "create schema functions",
        "alter function inventory_in_stock(integer) set schema functions",
        back=(
            "alter function functions.inventory_in_stock(integer) set schema public",
            "drop schema functions",
        ),
    ),
    _pagila(
        "a partition is detached",
        "alter table payment detach partition payment_p2022_02",
        back="alter table payment attach partition payment_p2022_02 "
        "for values from ('2022-02-01 00:00:00+00') to ('2022-03-01 00:00:00+00')",
    ),
    _pagila(
        "a partition is detached and moved",
        "alter table payment detach partition payment_p2022_02",
        "create schema archive",
        "alter table payment_p2022_02 set schema archive",
        back=(
            "alter table archive.payment_p2022_02 set schema public",
            "alter table payment attach partition payment_p2022_02 "
            "for values from ('2022-02-01 00:00:00+00') to ('2022-03-01 00:00:00+00')",
            "drop schema archive",
        ),
    ),
    _pagila(
        "a partition is attached",
        "create table payment_p2022_08 (like payment)",
        "alter table payment attach partition payment_p2022_08 "
        "for values from ('2022-08-01 01:00:00+01') to ('2022-09-01 01:00:00+01')",
        back="drop table payment_p2022_08",
    ),
)

HARMLESS = (
    _pagila(
        "comments",
        "comment on table film is 'Films that can be rented'",
        "comment on column film.length is 'Minutes'",
    ),
    _pagila("an index", "create index on rental (return_date)"),
    _pagila("a check", "alter table film add constraint positive check (length > 0) not valid"),
    _pagila("a default", "alter table film alter rental_rate set default 1.99"),
    _pagila("NOT NULL set", "alter table address alter postal_code set not null"),
    _pagila("NOT NULL dropped", "alter table film alter title drop not null"),
    _pagila("VACUUM FULL", "vacuum full film", "analyze film"),
    _pagila("GRANT", "grant select on all tables in schema public to public"),
    _pagila("a foreign key less", "alter table inventory drop constraint inventory_film_id_fkey"),
    _pagila(
        "a trigger less",
        "drop trigger film_fulltext_trigger on film",
        "cluster film using idx_title",
    ),
    _pagila("an enum's label more", "alter type mpaa_rating add value 'X' after 'R'"),
    _northwind("a primary key less", "alter table us_states drop constraint pk_usstates"),
    _northwind("a unique constraint", "alter table region add unique (region_description)"),
    _northwind("row security", "alter table customers enable row level security"),
    _northwind("no logging", "alter table us_states set unlogged"),
    _northwind("a new table", "create table returns (order_id smallint, reason text)"),
    _northwind("a new column", "alter table orders add remark text"),
    _northwind(
        "a generated column",
        "alter table order_details add gross real "
        "generated always as (unit_price * quantity) stored",
    ),
    _northwind("a table that inherits", "create table vip_customers () inherits (customers)"),
    _northwind(
        "a new view",
        "create view german_customers as select * from customers where country = 'Germany'",
    ),
)

CHANGES = (*RENAMES, *SWAPS, *DROPS, *RETURNS, *TYPES, *ADDITIONS, *MOVES, *HARMLESS)
