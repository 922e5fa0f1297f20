"""Which literals of SQL are a secret, and which are what a reader of the schema needs."""

from __future__ import annotations

import time

import pytest

from twd_shared.schema_model.secret_literals import without_secret_literals


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (
            "SELECT 'Password: '::text || hint AS a, 'b1c2d3'::text AS c",
            "SELECT '…'::text || hint AS a, 'b1c2d3'::text AS c",
        ),
        (
            "(label <> 'password='::text) AND (country = 'DE'::text)",
            "(label <> '…'::text) AND (country = 'DE'::text)",
        ),
        (
            "dblink((('password='::text || 'a'::text) || ' user='::text) || 'b', 'select 1')",
            "dblink((('…'::text || '…'::text) || '…'::text) || '…', 'select 1')",
        ),
        (
            "SELECT concat('password=', coalesce(a, 'hunter'), 'b') AS c, 'd'",
            "SELECT concat('…', coalesce(a, '…'), '…') AS c, 'd'",
        ),
        (
            "'password=' || CASE WHEN a THEN 'b' END || 'c' = d OR e = 'f'",
            "'…' || CASE WHEN a THEN '…' END || '…' = d OR e = 'f'",
        ),
        (
            "format('postgresql://%s:%s@there', 'a', 'b'), 'c'",
            "format('…', '…', '…'), 'c'",
        ),
    ],
)
def test_what_announces_a_secret_hides_what_is_joined_to_it(query: str, told: str) -> None:
    assert without_secret_literals(query, "postgresql") == told


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 'Compass: ' || id, CASE WHEN a > 1 THEN 'gold' ELSE 'silver' END AS tier",
        "SELECT 'Bypass=' || a, 'lowpass: ' || b, 'c'",
        "(url ~~ 'https://%:%@%'::text) AND (country = 'VN'::text)",
        "(url ~~ '%token=%'::text) AND (country = 'VN'::text)",
        "regexp_replace(dsn, '://[^@]*@'::text, '://***@'::text) AS dsn, 'ok' AS state",
        r"dsn ~ '://[\w.]+@' AND country = 'VN'",
    ],
)
def test_no_part_of_a_word_and_no_pattern_announces_a_secret(query: str) -> None:
    assert without_secret_literals(query, "postgresql") == query


@pytest.mark.parametrize(
    ("dialect", "query", "told"),
    [
        (
            "postgresql",
            "SELECT pgp_sym_decrypt(ssn, 'hunter'::text) AS ssn, 'b' AS c",
            "SELECT pgp_sym_decrypt(ssn, '…'::text) AS ssn, 'b' AS c",
        ),
        (
            "postgresql",
            "convert_from(decrypt(card, decode('k3y', 'hex'), 'aes-cbc/pad:pkcs'), 'UTF8')",
            "convert_from(decrypt(card, decode('…', 'hex'), 'aes-cbc/pad:pkcs'), 'UTF8')",
        ),
        ("postgresql", "hmac(email, 'salt', 'sha256')", "hmac(email, '…', 'sha256')"),
        ("postgresql", "crypt('a', gen_salt('bf')) = b", "crypt('…', gen_salt('bf')) = b"),
        ("mysql", "aes_decrypt(`a`,_utf8mb4'hunter')", "aes_decrypt(`a`,_utf8mb4'…')"),
        ("mysql", "decode(`a`,'hunter')", "decode(`a`,'…')"),
        ("postgresql", "decode('hunter', 'base64')", "decode('hunter', 'base64')"),
        ("postgresql", "encrypted_at('hunter')", "encrypted_at('hunter')"),
    ],
)
def test_what_encrypts_is_not_told(dialect: str, query: str, told: str) -> None:
    assert without_secret_literals(query, dialect) == told


@pytest.mark.parametrize(
    ("dialect", "query", "told"),
    [
        ("postgresql", "pw_hash = md5('Secret1'::text)", "pw_hash = md5('…'::text)"),
        (
            "mysql",
            "(`password` = sha2(_utf8mb4'hunter',256)) and (`a` = 'b')",
            "(`password` = sha2(_utf8mb4'…',256)) and (`a` = 'b')",
        ),
        (
            "postgresql",
            "password = concat(a, 'b1c') OR c = 'd'",
            "password = concat(a, '…') OR c = 'd'",
        ),
        ("postgresql", "cast(password as char) = 'b'", "cast(password as char) = '…'"),
        (
            "postgresql",
            "CASE u.password WHEN 'a'::text THEN 'b1c' WHEN 'd' THEN 'e' END",
            "CASE u.password WHEN '…'::text THEN 'b1c' WHEN '…' THEN 'e' END",
        ),
        (
            "postgresql",
            "jsonb_build_object('a', 'b', 'api_key', 'c', 'd', 'e1f')",
            "jsonb_build_object('a', 'b', 'api_key', '…', 'd', 'e1f')",
        ),
        ("postgresql", "hstore('api_key'::text, 'a'::text)", "hstore('api_key'::text, '…'::text)"),
        ("mysql", "json_set(`a`,'$.api_key','b')", "json_set(`a`,'$.api_key','…')"),
        (
            "postgresql",
            "((api_key >= 'a1') AND (b = 'c')) OR api_key BETWEEN 'a1' AND 'b2' AND c = 'd'",
            "((api_key >= '…') AND (b = 'c')) OR api_key BETWEEN '…' AND '…' AND c = 'd'",
        ),
        (
            "postgresql",
            "ROW(u.password, u.name) = ROW('a'::text, 'admin') AND b = 'c'",
            "ROW(u.password, u.name) = ROW('…'::text, '…') AND b = 'c'",
        ),
        ("postgresql", "api_keys = ARRAY['a1x', 'b2x']", "api_keys = ARRAY['…', '…']"),
        ("sqlite", 'SELECT a WHERE api_key = "S3cret9"', "SELECT a WHERE api_key = '…'"),
        ("sqlite", 'api_key IN ("S3cret9", "S3cret8")', "api_key IN ('…', '…')"),
    ],
)
def test_what_a_secret_is_compared_with_is_found_in_its_wrapping(
    dialect: str, query: str, told: str
) -> None:
    assert without_secret_literals(query, dialect) == told


@pytest.mark.parametrize("query", ['u.token = "s"."token_2"', 'password <> "old" AND "a1b2" = 1'])
def test_a_name_in_double_quotes_is_told(query: str) -> None:
    assert without_secret_literals(query, "sqlite") == query


def test_a_default_in_double_quotes_is_a_literal() -> None:
    assert without_secret_literals('"changeme"', "sqlite", "password") == "'…'"


@pytest.mark.parametrize(
    "query",
    [
        "CASE WHEN token IS NULL THEN 'missing'::text ELSE 'present'::text END AS has_token",
        "CASE WHEN password IS NULL THEN 'missing' ELSE 'present' END AS has_password",
        "CASE WHEN score >= 50 THEN 'Pass'::text ELSE 'Fail'::text END AS pass",
        "pass_type IN ('1-day', '7-day', 'V1')",
        "token_type = ANY (ARRAY['access'::text, 'oauth2'::text])",
        "password_algo = ANY (ARRAY['bcrypt', 'argon2id', 'sha256', 'SHA-512', 'pbkdf2'])",
        "private_room IN ('R1', 'R2')",
        "token = ANY (ARRAY['access'::text, 'refresh'::text])",
        "pw_hash ~ '^[a-f0-9]{64}$'::text",
        r"password ~ '^.{8,}$' AND api_key ~ '^sk_\w{32}$'",
        "password <> '***' AND password <> ''",
        "coalesce(token, 'n/a') AS token",
        "(SELECT token = 5), 'K17x' AS code",
    ],
)
def test_what_a_reader_needs_is_told(query: str) -> None:
    assert without_secret_literals(query, "postgresql") == query


@pytest.mark.parametrize(
    ("column", "default"),
    [
        ("token", "encode(gen_random_bytes(16), 'hex'::text)"),
        ("api_key", "encode(gen_random_bytes(16), 'base64'::text)"),
        ("token", "nextval('tokens_seq1'::regclass)"),
        ("auth_provider", "'auth0'::text"),
        ("credentials", "'{}'::jsonb"),
        ("has_password", "'no'::text"),
    ],
)
def test_a_default_that_is_no_secret_is_told(column: str, default: str) -> None:
    assert without_secret_literals(default, "postgresql", column) == default


@pytest.mark.parametrize(
    "query",
    [
        "token = 'hunter2' OR token = '123456'",
        "pass_code IN ('a1-b2-c3-d4-e5')",
        "api_key ~ '^S3cret9' AND password = 'R1'",
        "password = '1234' AND api_key = 'access'",
    ],
)
def test_what_is_no_short_code_is_not_told_of_a_secret(query: str) -> None:
    told = without_secret_literals(query, "postgresql")
    assert told.count("'…'") == query.count("'") / 2


@pytest.mark.parametrize(
    "text", ["decrypt(", "'password=' || (", "case token when ", "row(token, "]
)
def test_no_long_sql_keeps_it_busy(text: str) -> None:
    begun = time.process_time()
    without_secret_literals("token = 'a' " + text * 15_000 + "'b' " * 5_000, "postgresql")
    without_secret_literals("x_" + "decrypt_" * 20_000 + "$('a')", "postgresql")
    assert time.process_time() - begun < 2
