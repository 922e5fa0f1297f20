"""Which words of a comment are a secret, and which tell what a column is."""

from __future__ import annotations

import pytest

from twd_shared.schema_model.secret_comments import comment_without_secrets


@pytest.mark.parametrize(
    "comment",
    [
        "compass: 0=N, 90=E",
        "Bypass=1 when closed, lowpass=50Hz, underpass: m3/s",
        "Status of the token: active=1, revoked=2",
        "pass=1, fail=0; pass: 1; fail: 0",
        "secret: 1=yes, 0=no",
        "password: SHA-256 hash",
        "password: bcrypt(cost=12)",
        "password:argon2id",
        "token: UUIDv4",
        "token: varchar(64).",
        "token: 64 hex characters (pass=0)",
        "Called as e.g. token=<token>, see there",
    ],
)
def test_what_tells_of_a_column_stays(comment: str) -> None:
    assert comment_without_secrets(comment) == comment


@pytest.mark.parametrize(
    ("comment", "told"),
    [
        ("token=a1b2c3, kind=b", "token=…, kind=b"),
        ("Server=a;Password=b1c2d3;Database=e", "Server=a;Password=…;Database=e"),
        ("password: 12345", "password: …"),
        ("db_password=1234, token=1", "db_password=…, token=1"),
        ("password=b1;c2,d3 of ours", "password=… of ours"),
        ("password: ,b1c2", "password: …"),
        ("token: R2D2C3P0", "token: …"),
        ("user_pass=b1c2, dbPass=b1c2", "user_pass=…, dbPass=…"),
    ],
)
def test_what_looks_like_a_secret_is_left_out(comment: str, told: str) -> None:
    assert comment_without_secrets(comment) == told
