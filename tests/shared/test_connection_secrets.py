"""Connection strings that are kept or encrypted: opened for us, and told to nobody."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from twd_shared.clients.catalog import ApiCatalog
from twd_shared.clients.connection_secrets import ConnectionSecrets, SecretNotOpened, main
from twd_shared.errors import ConfigurationError

DSN = "postgresql://reader:hush@db.example.com:5432/shop"
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.mark.parametrize("text", [DSN, "", "secrets:shop", "postgresql://fernet:x@h/d"])
def test_what_is_in_the_open_stays_as_it_is(text: str) -> None:
    assert ConnectionSecrets().opened(text) == text


def test_an_encrypted_string_is_opened_with_any_of_the_keys() -> None:
    sealed = ConnectionSecrets(OLD).sealed(DSN)
    assert sealed.startswith("fernet:")
    assert "hush" not in sealed
    assert ConnectionSecrets(f"{NEW}, {OLD}").opened(sealed) == DSN
    renewed = ConnectionSecrets(f"{NEW},{OLD}").sealed(DSN)
    assert ConnectionSecrets(NEW).opened(renewed) == DSN, "the newest key encrypts"


@pytest.mark.parametrize(
    ("keys", "text", "says"),
    [
        ("", "fernet:gAAA", "TWD_CONNECTION_KEYS is empty"),
        (NEW, ConnectionSecrets(OLD).sealed(DSN), "none of TWD_CONNECTION_KEYS opens it"),
        (OLD, ConnectionSecrets(OLD).sealed(DSN)[:-9], "none of TWD_CONNECTION_KEYS opens it"),
        (OLD, "fernet:not a token, hush", "none of TWD_CONNECTION_KEYS opens it"),
        (OLD, "fernet:ø", "none of TWD_CONNECTION_KEYS opens it"),
    ],
)
def test_what_cannot_be_opened_is_explained_without_repeating_it(
    keys: str, text: str, says: str
) -> None:
    with pytest.raises(SecretNotOpened, match=says) as caught:
        ConnectionSecrets(keys).opened(text)
    assert text.removeprefix("fernet:") not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("keys", ["hush", f"{OLD},hush", f"{OLD},"])
def test_a_key_that_is_none_is_named_by_its_setting(keys: str) -> None:
    with pytest.raises(ConfigurationError, match="TWD_CONNECTION_KEYS") as caught:
        ConnectionSecrets(keys).sealed(DSN)
    assert "hush" not in str(caught.value)


def test_a_secret_is_the_operators_file_or_variable(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text(f"{DSN}\n")
    variables = {"TWD_SECRET_SHOP_2": "postgresql://two", "TWD_SECRET_SHOP": "postgresql://other"}
    secrets = ConnectionSecrets(folder=str(tmp_path), environment=variables)
    assert secrets.opened("secret:shop") == DSN, "a file comes before a variable"
    assert secrets.opened("secret:shop-2") == "postgresql://two"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../passwd", "a/b", "/etc/passwd", "a\\b", "a b", "x" * 200, "é", "a\n"]
)
def test_a_secret_cannot_name_what_is_outside_its_folder(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "secrets"
    inside.mkdir()
    (tmp_path / "passwd").write_text("hush")
    with pytest.raises(SecretNotOpened, match="a name of letters"):
        ConnectionSecrets(folder=str(inside), environment={}).opened(f"secret:{name}")


def test_no_other_variable_of_the_process_can_be_named() -> None:
    environment = {"TWD_METADATA_DSN": "hush", "METADATA_DSN": "hush", "TWD_SECRET_": "hush"}
    for name in ("TWD_METADATA_DSN", "METADATA_DSN", "metadata-dsn"):
        with pytest.raises(SecretNotOpened, match="there is no variable TWD_SECRET_"):
            ConnectionSecrets(environment=environment).opened(f"secret:{name}")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "blank").write_text(" \n")
    secrets = ConnectionSecrets(folder=str(tmp_path), environment={})
    for name, says in (("folder", "IsADirectory"), ("binary", "Unicode"), ("blank", "no variable")):
        with pytest.raises(SecretNotOpened, match=says):
            secrets.opened(f"secret:{name}")


@given(st.text(max_size=60))
def test_no_text_fails_in_another_way(text: str) -> None:
    secrets = ConnectionSecrets(OLD, environment={})
    for prefix in ("", "secret:", "fernet:"):
        try:
            secrets.opened(prefix + text)
        except SecretNotOpened:
            continue


@pytest.mark.parametrize("db_type", ["postgresql", None])
def test_a_catalog_gives_what_was_kept_and_says_which_connection_cannot_be_opened(
    http_server: Any, db_type: str | None
) -> None:
    kept = (ConnectionSecrets(OLD).sealed(DSN), "secret:gone")
    http_server.answer(
        [
            {"id": number, "database_name": "shop", "connection_string": text, "db_type": db_type}
            for number, text in enumerate(kept)
        ]
    )
    secrets = ConnectionSecrets(OLD, environment={})
    listing = ApiCatalog(http_server.url, secrets=secrets).listing()
    [shop] = listing.connections
    assert (shop.connection_string, shop.db_type) == (DSN, "postgresql")
    [gone] = listing.unreadable
    assert gone.connection_id == "1"
    assert "it names secret 'gone', and there is no variable TWD_SECRET_GONE" in gone.reason


def test_the_command_makes_keys_and_seals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["key"]) == 0
    key = capsys.readouterr().out.strip()
    monkeypatch.setenv("TWD_CONNECTION_KEYS", key)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{DSN}\n"))
    assert main(["seal"]) == 0
    assert ConnectionSecrets(key).opened(capsys.readouterr().out.strip()) == DSN


def test_sealing_without_a_key_says_how_to_make_one() -> None:
    environment = {**os.environ, "TWD_CONNECTION_KEYS": ""}
    done = subprocess.run(
        [sys.executable, "-m", "twd_shared.clients.connection_secrets", "seal"],
        input=DSN,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "connection_secrets key" in done.stderr
    assert "hush" not in done.stderr + done.stdout
