"""What of a schema's texts is a secret: told by patterns that no text keeps busy."""

from __future__ import annotations

import time

import pytest

from twd_shared.schema_model.models import Column, Constraint, Index, Table
from twd_shared.schema_model.secrets import holds_a_secret, without_secrets

CANARY = "canary-77"


def view(query: str) -> Table:
    return Table(schema="s", name="v", kind="view", definition=query)


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite", "mysql"])
@pytest.mark.parametrize(
    ("query", "told"),
    [
        (
            f"SELECT id FROM dblink('host=there password={CANARY}'::text, 'select 1'::text) t(id)",
            "SELECT id FROM dblink('…'::text, 'select 1'::text) t(id)",
        ),
        (f"SELECT 'it''s postgresql://u:{CANARY}@there/shop', 'b'", "SELECT '…', 'b'"),
        (f"SELECT 'host=there password=' || '{CANARY}'", "SELECT '…' || '…'"),
        (f"SELECT format('password=%s', '{CANARY}')", "SELECT format('…', '…')"),
        (f"SELECT 1 -- password={CANARY}", "SELECT 1 "),
        (f"SELECT '{CANARY} password=' AS \"a password=\"", "SELECT '…' AS \"a password=\""),
    ],
)
def test_a_literal_that_holds_a_secret_is_not_told(query: str, told: str, dialect: str) -> None:
    assert without_secrets(view(query), dialect).definition == told


@pytest.mark.parametrize(
    ("dialect", "query", "told"),
    [
        ("postgresql", r"SELECT E'it\'s', E'pwd=\'x'", r"SELECT E'it\'s', '…'"),
        ("postgresql", r"SELECT 'C:\', 'pwd=x'", r"SELECT 'C:\', '…'"),
        ("mysql", r"select 'it\'s', 'pwd=x', `it's`", r"select 'it\'s', '…', `it's`"),
        ("sqlite", "select [it's], `it's`, 'pwd=x'", "select [it's], `it's`, '…'"),
    ],
)
def test_a_literal_ends_where_its_dialect_says(dialect: str, query: str, told: str) -> None:
    assert without_secrets(view(query), dialect).definition == told


@pytest.mark.parametrize(
    "query",
    [
        "SELECT password FROM users WHERE token = 'a' AND kind = 'authorization'",
        "SELECT 'pass', 'a token', 'http://there:80/x?key=1', \"password=\" FROM t",
        "SELECT 1 WHERE note = '' -- what passes",
    ],
)
def test_what_holds_no_secret_is_told_as_it_is(query: str) -> None:
    table = view(query)
    assert without_secrets(table, "postgresql") is table


def test_all_sql_of_a_table_is_told_without_secrets() -> None:
    secret = f"'password={CANARY}'"
    table = Table(
        schema="s",
        name="t",
        kind="table",
        columns=(
            Column(name="a", type="text", default=secret),
            Column(name="b", type="text", generated=f"a || {secret}"),
        ),
        constraints=(Constraint(name="c", definition=f"CHECK (a <> {secret})"),),
        indexes=(
            Index(
                name="i",
                columns=(f"(a || {secret})",),
                definition=f"CREATE INDEX i ON t ((a || {secret})) WHERE a <> {secret}",
                predicate=f"a <> {secret}",
            ),
        ),
        partition_key=f"LIST ((a || {secret}))",
    )
    told = str(without_secrets(table, "postgresql"))
    assert CANARY not in told
    assert told.count("'…'") == 8


@pytest.mark.parametrize(
    "text",
    [
        "://a:",
        " -u=",
        " -u ",
        "=" * 5 + " -u",
        "x",
        'password"',
        "-----BEGIN ",
        "password" + '"' * 7 + " " * 7,
    ],
)
def test_no_text_keeps_the_patterns_busy(text: str) -> None:
    begun = time.process_time()
    for length in (3_900, 4_000_000):
        holds_a_secret((text * length)[:length])
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite", "mysql"])
def test_no_comment_keeps_the_patterns_busy(dialect: str) -> None:
    begun = time.process_time()
    without_secrets(view("select 'pwd=x' " + "/* " * 60_000), dialect)
    assert time.process_time() - begun < 1


def test_what_is_too_long_to_look_at_is_a_secret() -> None:
    assert holds_a_secret("x" * 5_000)
