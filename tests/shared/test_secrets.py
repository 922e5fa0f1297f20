"""What of a schema's texts is a secret: told by patterns that no text keeps busy."""

from __future__ import annotations

import time

import pytest

from twd_shared.schema_model.models import Column, Constraint, ForeignKey, Index, Key, Table
from twd_shared.schema_model.secret_comments import comment_without_secrets
from twd_shared.schema_model.secret_signs import holds_a_secret
from twd_shared.schema_model.secrets import without_secrets

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
        "SELECT password FROM users WHERE token <> '' AND kind = 'authorization'",
        "SELECT 'pass', 'a token', 'http://there:80/x?key=1', \"password=\" FROM t",
        "SELECT 1 WHERE note = '' -- what passes",
        "SELECT 1 WHERE (kind = 'A1'::text) = (token IS NOT NULL)",
        "SELECT 1 WHERE (kind IN ('A1', 'B2')) <> (token = '')",
        "SELECT 'A1' AS kind, x FROM tokens AS token WHERE kind = 'B2'",
    ],
)
def test_what_holds_no_secret_is_told_as_it_is(query: str) -> None:
    table = view(query)
    assert without_secrets(table, "postgresql") is table


@pytest.mark.parametrize(
    ("dialect", "condition", "told"),
    [
        ("postgresql", "((token)::text = 'a2b'::text)", "((token)::text = '…'::text)"),
        (
            "postgresql",
            "((api_key)::text = ANY (ARRAY['a'::character varying, 'b'::text])) AND kind = 'c'",
            "((api_key)::text = ANY (ARRAY['…'::character varying, '…'::text])) AND kind = 'c'",
        ),
        ("postgresql", "'a2b'::text <> u.\"accessToken\"", "'…'::text <> u.\"accessToken\""),
        ("postgresql", "CASE WHEN pwd ~~ 'a%' THEN 'b' END", "CASE WHEN pwd ~~ '…' THEN 'b' END"),
        (
            "postgresql",
            "SELECT 'ab'::text AS password, 'c' AS d",
            "SELECT '…'::text AS password, 'c' AS d",
        ),
        (
            "mysql",
            "(`token` = _utf8mb4'a2b') or (`kind` = 'c')",
            "(`token` = _utf8mb4'…') or (`kind` = 'c')",
        ),
        (
            "postgresql",
            "(digest('ab'::text, 'sha256'::text) = api_key_1) AND kind = 'c'",
            "(digest('…'::text, 'sha256'::text) = api_key_1) AND kind = 'c'",
        ),
        (
            "postgresql",
            "SELECT 'c', CASE WHEN (d = 'e'::text) THEN 'ab'::text ELSE 'f' END AS api_key",
            "SELECT 'c', CASE WHEN (d = 'e'::text) THEN '…'::text ELSE '…' END AS api_key",
        ),
        (
            "postgresql",
            "((settings ->> 'api_key'::text) = 'ab'::text) AND ((a ->> 'kind') = 'c')",
            "((settings ->> 'api_key'::text) = '…'::text) AND ((a ->> 'kind') = 'c')",
        ),
        (
            "mysql",
            "(json_extract(`settings`,_utf8mb4'$.api_key') <> _utf8mb4'ab')",
            "(json_extract(`settings`,_utf8mb4'$.api_key') <> _utf8mb4'…')",
        ),
        (
            "mysql",
            "select coalesce(`u`.`api_key`,'ab') AS `a`,concat(`b`,'c') AS `d`",
            "select coalesce(`u`.`api_key`,'…') AS `a`,concat(`b`,'c') AS `d`",
        ),
        (
            "sqlite",
            "[token] NOT IN ('a2b', 'c3d') OR d = 'e'",
            "[token] NOT IN ('…', '…') OR d = 'e'",
        ),
    ],
)
def test_what_a_secret_is_compared_with_is_not_told(
    dialect: str, condition: str, told: str
) -> None:
    checked = Table(
        schema="s",
        name="t",
        kind="table",
        constraints=(Constraint(name="c", definition=condition),),
    )
    [constraint] = without_secrets(checked, dialect).constraints
    assert constraint.definition == told


def test_a_word_that_is_compared_with_what_only_has_to_do_with_a_secret_is_told() -> None:
    table = view(
        "SELECT token_status IN ('token_expired', 'In use'), auth_level = '12', is_private = ''"
    )
    assert without_secrets(table, "postgresql") is table


@pytest.mark.parametrize(
    "condition",
    [
        "(passenger_class)::text = ANY (ARRAY['C1'::text, 'C2'::text])",
        "passport_no ~ '^[A-Z]{2}[0-9]{7}$'::text AND compass_dir = 'NNW-7'",
        "passed_at >= '2024-01-01'::date AND surpassed = 'A1' AND bypass_code = 'B2'",
        "author_role = 'editor2026x' AND authored_in = 'H1' AND authority <> 'EU-7'",
        "secretary_grade = 'G7' AND tokenizer = 'bpe-2'",
    ],
)
def test_a_name_with_a_secrets_in_the_middle_of_a_word_is_an_ordinary_one(condition: str) -> None:
    table = view(f"SELECT 1 WHERE {condition}")
    assert without_secrets(table, "postgresql") is table


@pytest.mark.parametrize(
    "condition",
    [
        "tokens_used > '100000'::bigint AND token_price < '-0.25'::numeric",
        "password_changed_at > '2024-01-01 00:00:00+00'::timestamptz",
        "token_expires_on > '2024-01-01'::date AND token_lifetime > '30 days'::interval",
    ],
)
def test_a_number_or_date_of_what_only_has_to_do_with_a_secret_is_told(condition: str) -> None:
    table = view(f"SELECT 1 WHERE {condition}")
    assert without_secrets(table, "postgresql") is table


@pytest.mark.parametrize(
    "name",
    [
        "apiKey",
        '"APIKey"',
        "userPw",
        "dbpass",
        "user_pass",
        "PASSWORD2",
        "clientsecret",
        "oauth_code",
    ],
)
def test_a_name_is_that_of_a_secret_however_it_is_written(name: str) -> None:
    told = without_secrets(view(f"SELECT 1 WHERE {name} = '{CANARY}'"), "postgresql").definition
    assert told == f"SELECT 1 WHERE {name} = '…'"


@pytest.mark.parametrize(
    ("column", "default", "told"),
    [
        ("password", "'changeme'::text", "'…'::text"),
        ("api_key", "concat('a', 'b')", "concat('…', '…')"),
        ("password", "''::text", "''::text"),
        ("token_status", "'active'::text", "'active'::text"),
        ("old_token_hash", "'9f2c81aa'::text", "'…'::text"),
        ("label", "'9f2c81aa'::text", "'9f2c81aa'::text"),
    ],
)
def test_the_default_of_a_secret_is_not_told(column: str, default: str, told: str) -> None:
    table = Table(
        schema="s",
        name="t",
        kind="table",
        columns=(Column(name=column, type="text", default=default),),
    )
    assert without_secrets(table, "postgresql").columns[0].default == told


# Put together here, for who looks for secrets in this file.
_ISSUED = [
    "AKIA" + "IOSFODNN7EXAMPLE",
    "sk" + "_live_4eC39HqLyjWDarjt",
    "ghp" + "_16C7e42F292c6912E7710c838347Ae178B4a",
    "xoxb" + "-123456789012-abcdef",
    "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0.TJVA95OrM7E2cBab30",
    "Basic " + "dXNlcjpwYXNzd29yZA==",
    "sk" + "-proj-4eC39HqLyjWDarjt-Tx_7",
    "AIza" + "SyA-1234567890abcdefghijklmnopqrstu",
    "glpat" + "-16C7e42F292c6912E771",
    "SG" + ".ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc-1s5cr",
    "npm" + "_16C7e42F292c6912E7710c838347Ae178B4a",
]


@pytest.mark.parametrize("secret", _ISSUED)
def test_what_is_issued_is_told_by_its_form(secret: str) -> None:
    assert without_secrets(view(f"SELECT '{secret}'"), "postgresql").definition == "SELECT '…'"
    assert comment_without_secrets(f"As {secret}, for tests") == "As …, for tests"


@pytest.mark.parametrize(
    ("comment", "told"),
    [
        (f"host=there password={CANARY} of the old one", "host=there password=… of the old one"),
        (f"Default password: {CANARY}", "Default password: …"),
        ("First password: 'change me', then theirs", "First password: …, then theirs"),
        (f"postgresql://u:a/{CANARY}@there/shop is it", "postgresql://…@there/shop is it"),
        (
            f"See https://there/x?id=1&token={CANARY} for it",
            "See https://there/x?id=1&token=… for it",
        ),
        (f"Authorization: Bearer {CANARY}", "Authorization: Bearer …"),
        (f"secret_key={CANARY}, signing_key={CANARY}", "secret_key=…, signing_key=…"),
        (f"Private_key: {CANARY}", "Private_key: …"),
        (f"passphrase: {CANARY}", "passphrase: …"),
        (f"credentials: {CANARY}", "credentials: …"),
        (f"api key: {CANARY} secret key: {CANARY}", "api key: … secret key: …"),
        (f"access key = {CANARY}", "access key = …"),
        ("mật khẩu: hunter2", "mật khẩu: …"),
        (f"curl -u root:{CANARY} --token {CANARY} there", "curl -u … --token … there"),
        (
            f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----\nof ours",
            "…\nof ours",
        ),
    ],
)
def test_of_a_comment_the_secret_alone_is_left_out(comment: str, told: str) -> None:
    assert comment_without_secrets(comment) == told


@pytest.mark.parametrize(
    "comment",
    [
        "password: hashed with bcrypt(12), token: Opaque, PIN: 8-64",
        "0=token_expired, 1=active; pw = pulse width; passes: 8-64",
        "The bearer of a basic characterization, see https://there/@user and mailto:a@there",
        "access key: composite of two, API key: opaque, cookie: none",
        "Sizes 10x20 -u, --users, task_test_results",
    ],
)
def test_a_comment_in_ordinary_words_is_told_as_it_is(comment: str) -> None:
    assert comment_without_secrets(comment) == comment


def test_every_comment_of_a_table_is_told_without_secrets() -> None:
    secret = f"As password={CANARY}"
    key = Key(name="k", columns=("a",), comment=secret)
    table = Table(
        schema="s",
        name="t",
        kind="table",
        comment=secret,
        columns=(Column(name="a", type="text", comment=secret),),
        primary_key=key,
        unique_constraints=(key,),
        foreign_keys=(
            ForeignKey(
                name="f",
                columns=("a",),
                referenced_schema="s",
                referenced_table="o",
                referenced_columns=("a",),
                comment=secret,
            ),
        ),
        constraints=(Constraint(name="c", definition="CHECK (true)", comment=secret),),
        indexes=(Index(name="i", columns=("a",), comment=secret),),
    )
    told = str(without_secrets(table, "postgresql"))
    assert CANARY not in told
    assert told.count("As password=…") == 7


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
        "secret key",
        "mật khẩu ",
        "dbpass",
    ],
)
def test_no_text_keeps_the_patterns_busy(text: str) -> None:
    begun = time.process_time()
    for length in (3_900, 4_000_000):
        holds_a_secret((text * length)[:length])
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    "text",
    [
        "://a:",
        "@://a:b",
        'password="',
        "pwd=\"a pwd='b",
        "eyJ-",
        "-----BEGIN ",
        "Basic Aa",
        "SG.a-",
        "sk-proj-",
        " -u ",
        "access key ",
    ],
)
def test_no_long_comment_keeps_the_patterns_busy(text: str) -> None:
    begun = time.process_time()
    comment_without_secrets((text * 200_000)[:200_000])
    assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    "text",
    [
        *("token = 'a' ", "= '", "::text", "token ", "collate "),
        *("'a' ", "'a' = token ", "= token ", "(", "('a'", "case when 'a' ", "coalesce(token, "),
    ],
)
def test_no_long_sql_keeps_the_patterns_busy(text: str) -> None:
    begun = time.process_time()
    without_secrets(view("token = 'a' " + (text * 200_000)[:200_000]), "postgresql")
    assert time.process_time() - begun < 2


def test_literals_in_many_brackets_are_looked_at_once() -> None:
    begun = time.process_time()
    opened, closed = "(" * 20_000 + "'a', f('b') " * 5_000, ") = token" * 20_000
    without_secrets(view(opened + closed), "postgresql")
    without_secrets(view(opened + ")" * 20_000 + " = token" * 20_000), "postgresql")
    assert time.process_time() - begun < 2


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite", "mysql"])
def test_no_comment_keeps_the_patterns_busy(dialect: str) -> None:
    begun = time.process_time()
    without_secrets(view("select 'pwd=x' " + "/* " * 60_000), dialect)
    assert time.process_time() - begun < 1


def test_what_is_too_long_to_look_at_is_a_secret() -> None:
    assert holds_a_secret("x" * 5_000)
