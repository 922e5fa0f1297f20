"""Categories of columns: told on request alone, and never of a person, on a real PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa

from twd_schema.extraction.postgresql.samples import category
from twd_schema.extraction.reading import SchemaReader
from twd_shared.clients.catalog import Connection
from twd_shared.clients.extraction_options import ExtractionOptions
from twd_shared.schema_model.fingerprint import object_fingerprints
from twd_shared.schema_model.models import Snapshot

Read = Callable[..., Snapshot]
CANARY = "canary-9f2c"

# 900 rows: each column is told by what stands in it, but for those that must not be.
ORDERS = f"""
create type mood as enum ('sad', 'ok');
create domain email_address as text;
create table orders (
    status text, "Kênh bán" varchar(20), priority char(3), few text, half text,
    email text, phone text, ho_ten text, "HọTên" text, created_by text,
    contact email_address, reached text, called text, access text, code text, lines text,
    many text, alike boolean, mood mood);
insert into orders select
    (array['new', 'paid', 'sent'])[1 + n % 3], (array['web', 'cửa hàng'])[1 + n % 2], 'low',
    case when n < 5 then 'rare' else 'often' end, case when n % 2 = 0 then 'yes' end,
    'x', 'x', 'x', 'x', 'x', 'x',
    (array['an@example.com', 'binh@example.com'])[1 + n % 2],
    (array['+84 90 123 45 67', '555-0199'])[1 + n % 2],
    (array['eyJhbGciOi', 'sk_live_{CANARY}4a8b'])[1 + n % 2],
    repeat('long ', 20), E'two\\nlines', 'value ' || n % 40, n % 2 = 0, 'ok'
from generate_series(1, 900) n;
create table visits (at date, kind text) partition by range (at);
create table visits_2024 partition of visits for values from ('2024-01-01') to ('2025-01-01');
insert into visits select '2024-02-03', (array['walk', 'call'])[1 + n % 2]
from generate_series(1, 100) n;
create table small (kind text);
insert into small values ('a'), ('a'), ('b'), ('b');
analyze;
"""


@pytest.fixture(scope="module")
def orders(services: Any, execute: Callable[..., None]) -> str:
    """A database of analyzed tables, as its owner."""
    dsn = services.database()
    execute(dsn, ORDERS)
    return dsn


@pytest.fixture
def read(reader: SchemaReader) -> Read:
    """Read a database: read(dsn, samples=False)."""

    def reading(dsn: str, samples: bool = True) -> Snapshot:
        options = ExtractionOptions(samples=samples)
        return reader.read(Connection("7", "shop", "postgresql", True, dsn, options))

    return reading


def categories(snapshot: Snapshot) -> dict[str, dict[str, tuple[str, ...]]]:
    return {item.table: item.categories for item in snapshot.statistics if item.categories}


def test_columns_of_few_values_are_told_and_those_of_persons_are_not(
    orders: str, read: Read
) -> None:
    assert categories(read(orders)) == {
        "orders": {
            "status": ("new", "paid", "sent"),
            "Kênh bán": ("cửa hàng", "web"),
            "priority": ("low",),
            "half": ("yes",),
        },
        "visits": {"kind": ("call", "walk")},
    }


def test_nothing_is_told_of_a_connection_that_did_not_ask_for_it(orders: str, read: Read) -> None:
    assert categories(read(orders, samples=False)) == {}


def test_a_role_that_may_not_read_a_table_is_told_nothing_of_it(
    orders: str, read: Read, execute: Callable[..., None]
) -> None:
    role = f"r_{uuid.uuid4().hex[:8]}"
    execute(
        orders,
        f"create role {role} login password '{role}'",
        f"grant select (status, email) on orders to {role}",
    )
    url = sa.make_url(orders).set(username=role, password=role)
    told = categories(read(url.render_as_string(hide_password=False)))
    assert told == {"orders": {"status": ("new", "paid", "sent")}}


def test_a_table_of_row_security_is_told_nothing_of(
    services: Any, execute: Callable[..., None], read: Read
) -> None:
    dsn, role = services.database(), f"r_{uuid.uuid4().hex[:8]}"
    execute(
        dsn,
        "create table t as select 'a' as kind from generate_series(1, 100)",
        f"create role {role} login password '{role}'",
        f"grant select on t to {role}",
        "analyze t",
    )
    url = sa.make_url(dsn).set(username=role, password=role).render_as_string(hide_password=False)
    assert categories(read(url)) == {"t": {"kind": ("a",)}}
    execute(dsn, "alter table t enable row level security")
    assert categories(read(url)) == {}


def test_a_table_that_was_never_analyzed_is_told_nothing_of(
    services: Any, execute: Callable[..., None], read: Read
) -> None:
    dsn = services.database()
    execute(
        dsn,
        "create table t (kind text) with (autovacuum_enabled = false)",
        "insert into t select 'a' from generate_series(1, 100)",
    )
    assert categories(read(dsn)) == {}


def test_categories_are_no_part_of_the_fingerprint(orders: str, read: Read) -> None:
    with_samples, without = read(orders), read(orders, samples=False)
    assert categories(with_samples) != categories(without)
    assert object_fingerprints(with_samples) == object_fingerprints(without)


def told(name: str, *values: str, rows: int = 1000, distinct: float | None = None) -> bool:
    """Whether a column of this name and these values, equally frequent, is a category."""
    row: Any = {
        "attname": name,
        "n_distinct": float(len(values)) if distinct is None else distinct,
        "values": list(values),
        "frequencies": ",".join([str(1 / len(values))] * len(values)),
    }
    return bool(category(row, rows))


@pytest.mark.parametrize(
    "name",
    [
        "status", "order_status", "paymentMethod", "kind", "language", "page_size", "stage",
        "trạng_thái", "customer_segment", "manager_level", "outcome", "currency", "country_code",
        "loai_khach_hang", "first_channel", "report_type", "lead_source", "handler_kind", "standby",
        "env", "nvl_kind", "ship_to",
    ],
)  # fmt: skip
def test_a_name_that_names_no_person_is_told(name: str) -> None:
    assert told(name, "one", "two")


@pytest.mark.parametrize(
    "name",
    [
        "name", "FirstName", "customername", "user_name", "E_Mail", "workEmail2", "emailaddress",
        "phone_number", "PhoneNumber", "mobileno", "home address", "ZIP", "birthdate", "dob",
        "customer_age", "sex", "SSN", "passport_no", "iban", "card_type", "pwd", "PasswordHash",
        "apiKey", "api_key", "accesstoken", "clientSecret", "ip", "ip_address", "lat", "religion",
        "salary_band", "notes", "comment", "description", "message", "body", "created_by",
        "sales_manager", "customers", "assignee", "author", "patient",
        "ho_ten", "HọTên", "họ và tên", "ten", "sdt", "so_dien_thoai", "sodienthoai", "địa_chỉ",
        "ĐịaChỉ", "ngày sinh", "cmnd", "mật_khẩu", "giới_tính", "lương", "ghi_chú",
        "ho\u0323_te\u0302n",
        "sales_rep", "technician", "spouse", "father", "first", "last", "contact_last", "hiv",
        "hiv_status", "blood_type", "nhan_vien", "NhânViên", "nhân viên kinh doanh", "khach_hang",
        "khách_hàng", "nguoi_tao", "nguoi_duyet", "Người duyệt", "bac_si", "bác_sĩ", "giao_vien",
        "tai_xe", "lai_xe", "nhom_mau", "nhóm_máu", "tinh_trang_hon_nhan",
        "assigned_to", "responsible", "salesperson", "mentor", "coach", "tutor", "handler",
        "requester", "approvedby", "reported_to", "pic", "phu_trach", "phụ trách", "nv_ban_hang",
        "bs_dieu_tri", "gv_chu_nhiem", "nvkd",
    ],
)  # fmt: skip
def test_a_name_that_names_a_person_or_secret_is_never_told(name: str) -> None:
    assert not told(name, "one", "two")


@pytest.mark.parametrize(
    "value",
    [
        "an@example.com", "https://example.com/u/an", "0901234567", "+84 90 123 45 67", "555-0199",
        "(090) 123-4567", "4111 1111 1111 1111", "1990-02-28", "10.0.0.1", "fe80::1:2:3",
        "aa:bb:cc:dd:ee:ff", "eyJhbGciOiJIUzI1NiJ9.e30.x", "sk_live_4a8b9c0d1e2f",
        "AKIAIOSFODNN7EXAMPLE", "550e8400-e29b-41d4-a716-446655440000",
        "a8f5f167f44f4964e6c998dee827110c", "x" * 41, "two\nlines", "\x1b[31mred",
        "sk_live_abc", "sk_abc", "sk-abc", "pk_live_abc", "ghp_abc", "xoxb-abc", "AKIAABC",
        "glpat-abc", "Bearer abc", "-----BEGIN KEY",
    ],
)  # fmt: skip
def test_one_value_that_may_be_of_a_person_or_a_secret_hides_the_column(value: str) -> None:
    assert not told("kind", "plain", value)


@pytest.mark.parametrize(
    "value",
    [
        "10:30", "v1.2.3", "12.50", "2024", "IN_PROGRESS_OF_PAYMENT", "cửa hàng", "", "Q1-24",
        "sk_SK", "skilled", "Asia", "task_abc",
    ],
)  # fmt: skip
def test_an_ordinary_value_is_told(value: str) -> None:
    assert told("kind", "plain", value)


@pytest.mark.parametrize(
    "values",
    [
        ("Nguyễn Văn A", "Trần Thị B"),
        ("Nguye\u0302\u0303n Va\u0306n A", "Tra\u0302\u0300n Thi\u0323 B"),
        ("NGUYEN VAN A", "TRAN THI B"),
        ("John Smith", "Mary-Ann O'Neill", "admin"),
        ("Smith, J.", "Lê Văn Bốn Năm"),
    ],
)
def test_values_that_are_mostly_like_names_of_people_hide_the_column(
    values: tuple[str, ...],
) -> None:
    assert not told("kind", *values)


@pytest.mark.parametrize(
    "values",
    [
        ("New", "In Progress"),
        ("Tier 1", "Tier 2"),
        ("Cash on delivery", "Credit card"),
        ("IN_PROGRESS", "NOT_STARTED"),
    ],
)
def test_values_that_are_not_mostly_like_names_of_people_are_told(values: tuple[str, ...]) -> None:
    assert told("kind", *values)


def test_a_value_of_fewer_than_ten_rows_hides_the_column() -> None:
    assert told("kind", "one", "two", rows=20)
    assert not told("kind", "one", "two", rows=19)


def test_a_column_whose_values_are_not_all_known_is_not_told() -> None:
    assert not told("kind", "one", "two", distinct=3.0)


def test_a_value_that_is_no_text_costs_the_samples_and_not_the_schema(
    services: Any, read: Read, execute: Callable[..., None]
) -> None:
    url = sa.make_url(services.postgres).set(database=f"ascii_{uuid.uuid4().hex[:8]}")
    execute(
        services.postgres,
        f"create database {url.database} encoding 'SQL_ASCII' template template0 locale 'C'",
    )
    dsn = url.render_as_string(hide_password=False)
    with closing(psycopg2.connect(dsn, client_encoding="SQL_ASCII")) as session:
        session.autocommit = True
        cursor = session.cursor()
        cursor.execute("create table t (kind text)")
        cursor.execute(b"insert into t select 'caf\xe9' from generate_series(1, 300)")
        cursor.execute("analyze t")
    snapshot = read(dsn)
    assert [table.name for table in snapshot.tables] == ["t"]
    assert snapshot.unknown == ("samples",)
    assert categories(snapshot) == {}
