"""Connection strings of users: only a plain address of an allowed dialect is connected to."""

from __future__ import annotations

from typing import Any

import pytest

from twd_schema.extraction.reading import READABLE_DIALECTS
from twd_shared import settings
from twd_shared.errors import ConfigurationError, UnknownDialect, UnusableConnectionString
from twd_shared.sources.address import SourceAddress, source_address

ALLOWED = frozenset({"postgresql", "mysql"})
CANARY = "canary-77"


def test_each_database_type_that_is_read_may_be_allowed_and_no_other() -> None:
    settings.check({"TWD_SOURCE_DIALECTS": " , ".join(READABLE_DIALECTS)})
    with pytest.raises(ConfigurationError, match="TWD_SOURCE_DIALECTS"):
        settings.check({"TWD_SOURCE_DIALECTS": "postgresql,oracle"})


def test_an_address_is_taken_apart(connection_to: Any) -> None:
    connection = connection_to("postgresql://rea%40der:p%2Fw@db.example:6543/shop?sslmode=require")
    assert source_address(connection, ALLOWED) == SourceAddress(
        "postgresql", "db.example", 6543, "shop", "rea@der", "p/w", "require"
    )


def test_a_database_is_named_as_psql_would_have_it(connection_to: Any) -> None:
    address = source_address(connection_to("postgresql://u:p@h/Web%20shop%40home"), ALLOWED)
    assert address.database == "Web shop@home"


def test_an_ipv6_address_is_an_address(connection_to: Any) -> None:
    assert source_address(connection_to("postgresql://u@[::1]:5432/shop"), ALLOWED).host == "::1"


def test_an_address_never_prints_its_password(connection_to: Any) -> None:
    address = source_address(connection_to(f"postgresql://u:{CANARY}@h/shop"), ALLOWED)
    assert CANARY not in repr(address)


@pytest.mark.parametrize(
    ("dsn", "reason"),
    [
        (f"{CANARY}", "cannot be parsed"),
        (f"postgresql:/u:{CANARY}@h/shop", "cannot be parsed"),
        (f"postgresql://u:p@h:{CANARY}/shop", "cannot be parsed"),
        ("postgresql://u:p@/shop", "names no host"),
        ("postgresql://u:p@h", "no database"),
        ("postgresql:///shop?host=/var/run/postgresql", "names no host"),
        (f"postgresql://u:a@{CANARY}@h/shop", "write it as %40"),
        (f"postgresql://u:a@h/x{CANARY}@h/shop", "write it as %40"),
        ("postgresql://u:p@a..b/shop", "a host that cannot exist"),
        (f"postgresql://u:p@{'a' * 64}/shop", "a host that cannot exist"),
        ("postgresql://u:p@h h/shop", "a host that cannot exist"),
        ("postgresql://u:p@%2Fvar%2Frun/shop", "a host that cannot exist"),
        ("postgresql://u:p@a,127.0.0.1/shop", "a host that cannot exist"),
        ("postgresql://u:p@[fe80::1%25eth0]/shop", "a host that cannot exist"),
        ("postgresql://u:p@[fe80::1%eth0]/shop", "a host that cannot exist"),
        ("postgresql://u%00options%00-c%20x=1:p@h/shop", "user or database that cannot exist"),
        ("postgresql://u:p@h/shop%00options%00-c%20x=1", "user or database that cannot exist"),
        ("postgresql://u:p@h:99999/shop", "port 99999; ports go from 1 to 65535"),
        ("postgresql://u:p@h:0/shop", "port 0; ports go from 1 to 65535"),
        ("postgresql://u:p@h:-1/shop", "port -1; ports go from 1 to 65535"),
        ("postgresql://u:p@h/shop?sslmode=verify", "an option other than"),
        ("postgresql://u:p@h/shop?sslmode=require&sslmode=disable", "an option other than"),
        ("postgresql://u:p@h/shop?sslrootcert=/etc/passwd", "an option other than"),
        ("postgresql://u:p@h/shop?passfile=/root/.pgpass", "an option other than"),
        ("postgresql://u:p@h/shop?service=admin", "an option other than"),
        ("postgresql://u:p@h/shop?options=-c%20search_path=x", "an option other than"),
    ],
)
def test_an_address_that_cannot_or_must_not_be_used_is_refused(
    connection_to: Any, dsn: str, reason: str
) -> None:
    with pytest.raises(UnusableConnectionString, match=reason) as raised:
        source_address(connection_to(dsn), ALLOWED)
    assert "connection 7 (shop)" in str(raised.value)
    assert "Correct it in the application" in str(raised.value)
    assert CANARY not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("dsn", "db_type"),
    [
        (f"mysql://u:{CANARY}@h/shop", "postgresql"),
        (f"postgresql+asyncpg://u:{CANARY}@h/shop", "mysql"),
        (f"sqlite:////{CANARY}/shop.db", "postgresql"),
    ],
)
def test_a_string_of_another_type_than_the_connection_is_refused_naming_both(
    connection_to: Any, dsn: str, db_type: str
) -> None:
    with pytest.raises(UnusableConnectionString) as raised:
        source_address(connection_to(dsn, db_type), ALLOWED)
    scheme = dsn.partition(":")[0].partition("+")[0]
    assert f"begins with {scheme!r}" in str(raised.value)
    assert f"type {db_type!r}" in str(raised.value)
    assert CANARY not in str(raised.value)


@pytest.mark.parametrize(
    ("scheme", "db_type"),
    [
        ("postgres", "postgresql"),
        ("postgresql+psycopg2", "postgresql"),
        ("mariadb", "mysql"),
        ("mysql+pymysql", "mysql"),
        ("mariadb+pymysql", "mysql"),
    ],
)
def test_other_names_of_the_same_type_are_taken(
    connection_to: Any, scheme: str, db_type: str
) -> None:
    address = source_address(connection_to(f"{scheme}://u:p@h/shop", db_type), ALLOWED)
    assert address.dialect == db_type


@pytest.mark.parametrize("option", ["local_infile=1", "unix_socket=/tmp/x", "read_default_file=/x"])
def test_options_of_mysql_that_reach_this_machine_are_refused(
    connection_to: Any, option: str
) -> None:
    with pytest.raises(UnusableConnectionString):
        source_address(connection_to(f"mysql://u:p@h/shop?{option}", "mysql"), ALLOWED)


@pytest.mark.parametrize("db_type", ["sqlite", "oracle", "unknown"])
def test_a_dialect_that_is_not_allowed_is_named_with_the_setting(
    connection_to: Any, db_type: str
) -> None:
    with pytest.raises(UnknownDialect, match=rf"'{db_type}'.*TWD_SOURCE_DIALECTS"):
        source_address(connection_to(f"{db_type}:////etc/x.db", db_type), ALLOWED)


def test_a_sqlite_address_needs_a_file(connection_to: Any) -> None:
    for dsn in ("sqlite://", "sqlite:///:memory:", "sqlite:////a.db?mode=rwc"):
        with pytest.raises(UnusableConnectionString, match="names no database file"):
            source_address(connection_to(dsn, "sqlite"), frozenset({"sqlite"}))
