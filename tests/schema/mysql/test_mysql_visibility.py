"""A role is shown only what it was granted: what is not shown was not dropped for that."""

from __future__ import annotations

from typing import Any

import pytest

from twd_shared.errors import EmptySchema

TABLES = """
create table parents (id int primary key, b int check (b > 0));
create table children (id int primary key, parent int,
    constraint fk foreign key (parent) references parents (id) on delete cascade);
create view v as select * from parents;
"""


@pytest.fixture
def database(server: Any) -> str:
    return server.database(TABLES)


def seen(snapshot: Any) -> list[str]:
    return [table.name for table in snapshot.tables]


def test_a_role_with_the_whole_database_sees_all(server: Any, read: Any, database: str) -> None:
    snapshot = read(database, server.role(f"select on {database}.*"))
    assert (seen(snapshot), snapshot.granted) == (["children", "parents", "v"], None)


def test_a_role_with_every_database_sees_all(server: Any, read: Any, database: str) -> None:
    assert read(database, server.role("select on *.*")).granted is None


def test_a_role_that_may_only_select_reads_the_same_tables(
    server: Any, read: Any, database: str
) -> None:
    role = server.role(f"select on {database}.parents", f"select on {database}.children")
    whole = [table for table in read(database).tables if table.kind == "table"]
    assert list(read(database, role).tables) == whole


def test_a_query_that_is_hidden_is_unknown(server: Any, read: Any, database: str) -> None:
    snapshot = read(database, server.role(f"select on {database}.*"))
    assert snapshot.tables[-1].definition is None
    assert "definitions" in snapshot.unknown
    assert "definitions" not in read(database).unknown


def test_a_revoked_grant_is_told_from_a_dropped_table(
    server: Any, read: Any, database: str
) -> None:
    role = server.role(*(f"select on {database}.{name}" for name in ("parents", "children", "v")))
    server.execute(
        *(
            f"revoke select on {database}.parents from {role}@'{host}'"
            for host in ("127.0.0.1", "localhost")
        ),
        f"drop table {database}.children",
    )
    snapshot = read(database, role)
    assert seen(snapshot) == ["v"]
    assert snapshot.granted == ((database, "children"), (database, "v"))


def test_a_role_gets_what_its_role_was_granted(server: Any, read: Any, database: str) -> None:
    user = server.role()
    server.execute(f"create role r_{user}", f"grant select on {database}.* to r_{user}")
    for host in ("127.0.0.1", "localhost"):
        server.execute(f"grant r_{user} to {user}@'{host}'")
        server.execute(server.default_role(f"r_{user}", f"{user}@'{host}'"))
    assert read(database, user).granted is None


def test_a_table_of_which_only_the_name_is_shown_is_not_read(
    server: Any, read: Any, database: str
) -> None:
    role = server.role(f"delete on {database}.children", f"select on {database}.parents")
    snapshot = read(database, role)
    assert (seen(snapshot), snapshot.granted) == (["parents"], ((database, "parents"),))


def test_a_role_that_is_shown_nothing_reads_nothing(server: Any, read: Any, database: str) -> None:
    role = server.role(f"delete on {database}.*")
    with pytest.raises(EmptySchema, match="shows no table"):
        read(database, role)
