"""Which hosts and files a connection string may reach, and that no other spelling slips through."""

from __future__ import annotations

import os
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from twd_schema.defs.resources import source_database_resource
from twd_shared import settings
from twd_shared.errors import ConfigurationError, SourceUnavailable, UnusableConnectionString
from twd_shared.sources.address import SourceAddress, source_address
from twd_shared.sources.reachability import SAFE, reach_policy
from twd_shared.store.database import MetadataDatabase

CANARY = "canary-3f9a"
# Where readings are counted: nothing is, before a host may be reached, nor for a file.
NEVER_ASKED = MetadataDatabase("postgresql://nobody@127.0.0.1:1/none")


def at(host: str) -> SourceAddress:
    return SourceAddress("postgresql", host, 5432, "shop", "reader", CANARY)


def file_at(name: object) -> SourceAddress:
    return SourceAddress("sqlite", "", None, str(name), "", "")


def refusal(address: SourceAddress, hosts: str = "public,private", files: str = "") -> str:
    with pytest.raises(UnusableConnectionString) as raised:
        reach_policy(hosts, files).check("connection 7 (shop)", address)
    message = str(raised.value)
    assert "connection 7 (shop)" in message
    assert CANARY not in message
    return message


def allow(address: SourceAddress, hosts: str = "public,private", files: str = "") -> None:
    reach_policy(hosts, files).check("connection 7 (shop)", address)


def test_the_safe_policy_is_that_of_the_default_settings() -> None:
    assert reach_policy(
        settings.SOURCE_HOSTS.default or "", settings.SOURCE_FILES.default or ""
    ) == (SAFE)


def test_a_reading_is_refused_before_anything_connects(services: Any, connection_to: Any) -> None:
    with pytest.raises(UnusableConnectionString, match="TWD_SOURCE_HOSTS"):
        source_database_resource({}).reader(NEVER_ASKED).read(connection_to(services.database()))


def test_a_setting_that_cannot_be_used_stops_the_location() -> None:
    with pytest.raises(ConfigurationError, match="TWD_SOURCE_HOSTS"):
        source_database_resource({"TWD_SOURCE_HOSTS": "*"})


# --- hosts ------------------------------------------------------------------------------------

PUBLIC = ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")
PRIVATE = ("10.1.2.3", "172.31.0.1", "192.168.0.9", "100.64.0.1", "fd12::1", "::ffff:10.0.0.1")
LOOPBACK = (
    "127.0.0.1",
    "127.9.9.9",
    "::1",
    "0:0:0:0:0:0:0:1",
    "::ffff:127.0.0.1",
    "::FFFF:7f00:1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "１２７.0.0.1",
    "127。0。0。1",
    "localhost",
    "LocalHost",
)
SPECIAL = (
    "169.254.169.254",
    "2852039166",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "fe80::1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.0.9",
    "::ffff:192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
    "0.0.0.0",  # noqa: S104 nothing is bound to it
    "0",
    "0.1.2.3",
    "::",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "240.0.0.1",
    "::127.0.0.1",
    "2001::1",
    "192.0.2.1",
    "2001:db8::1",
)


@pytest.mark.parametrize("host", PUBLIC + PRIVATE)
def test_public_and_private_addresses_are_reached_by_default(host: str) -> None:
    allow(at(host))


@pytest.mark.parametrize("host", LOOPBACK + SPECIAL)
def test_no_spelling_of_this_machine_or_a_special_address_is_reached_by_default(host: str) -> None:
    assert f"names host {host!r}" in (message := refusal(at(host)))
    assert "TWD_SOURCE_HOSTS" in message


@pytest.mark.parametrize("host", LOOPBACK)
def test_this_machine_is_reached_where_the_operator_says_so(host: str) -> None:
    allow(at(host), "loopback")


@pytest.mark.parametrize(("kind", "others"), [("public", PRIVATE), ("private", PUBLIC)])
def test_a_kind_of_address_that_is_not_listed_is_refused(
    kind: str, others: tuple[str, ...]
) -> None:
    for host in others:
        refusal(at(host), kind)


@pytest.mark.parametrize("host", SPECIAL)
def test_no_kind_of_address_lets_a_special_one_in(host: str) -> None:
    assert "special use" in refusal(at(host), "public,private,loopback")


@pytest.mark.parametrize(
    ("listed", "host"),
    [
        ("10.0.0.0/8", "10.255.0.1"),
        ("10.0.0.0/8", "::ffff:10.0.0.1"),
        ("10.1.2.3", "10.1.2.3"),
        ("fd12::/64", "fd12::9"),
        ("169.254.10.0/24", "169.254.10.7"),
        ("192.0.2.1 , 198.51.100.1", "198.51.100.1"),
    ],
)
def test_a_listed_address_or_network_is_reached(listed: str, host: str) -> None:
    allow(at(host), listed)


def test_a_network_lets_in_nothing_beside_it() -> None:
    refusal(at("11.0.0.1"), "10.0.0.0/8")


@pytest.mark.parametrize("listed", ["localhost", "LOCALHOST.", "local*", "*host"])
def test_a_listed_name_is_reached_wherever_it_stands(listed: str) -> None:
    allow(at("localhost"), listed)


@pytest.mark.parametrize("listed", ["*.localhost", "localhos?t", "local"])
def test_a_name_that_no_pattern_means_is_refused(listed: str) -> None:
    refusal(at("localhost"), listed)


def test_an_address_is_no_name_for_a_pattern() -> None:
    refusal(at("fd12::1"), "*d*")


def answer(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name stand for these addresses: no name server here can be told what to say."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (item, 5432)) for item in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def test_every_address_of_a_name_must_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, "8.8.8.8", "127.0.0.1")
    refusal(at("db.example.com"))


@pytest.mark.parametrize("host", ["db.example.com", "DB.EXAMPLE.COM.", "a.b.example.com"])
def test_a_listed_name_may_stand_for_any_usual_address(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    answer(monkeypatch, "10.0.0.1", "127.0.0.1")
    allow(at(host), "*.example.com")


def test_a_listed_name_may_not_stand_for_a_special_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer(monkeypatch, "169.254.169.254")
    refusal(at("db.example.com"), "*.example.com")


def test_a_name_that_does_not_resolve_may_later() -> None:
    with pytest.raises(SourceUnavailable, match=r"no-such-host\.invalid:5432/shop") as raised:
        allow(at("no-such-host.invalid"))
    assert "connection 7 (shop)" in str(raised.value)
    assert CANARY not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    "entry",
    ["*", "10.*", "10.0.0.0/33", "http://db", "db:5432", "[::1]", "a b", "bücher.example", "/run"],
)
def test_an_entry_that_means_no_host_names_the_setting(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="TWD_SOURCE_HOSTS holds"):
        reach_policy(f"public,{entry}", "")


# --- files ------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that is listed, with a file and ways out of it; `secret.db` lies outside."""
    listed = tmp_path / "listed"
    (listed / "sub").mkdir(parents=True)
    (listed / "shop.db").touch()
    (tmp_path / "secret.db").touch()
    (tmp_path / "listed-too").mkdir()
    (tmp_path / "listed-too/shop.db").touch()
    (listed / "link.db").symlink_to(tmp_path / "secret.db")
    (listed / "dangling.db").symlink_to(tmp_path / "absent.db")
    (listed / "out").symlink_to(tmp_path)
    (listed / "within.db").symlink_to(listed / "shop.db")
    os.mkfifo(listed / "pipe.db")
    return listed


@pytest.mark.parametrize(
    "name", ["shop.db", "sub/../shop.db", "./shop.db", "within.db", "not-made-yet.db"]
)
def test_a_file_in_a_listed_folder_may_be_read(folder: Path, name: str) -> None:
    allow(file_at(f"{folder}/{name}"), files=f"/nowhere, {folder}")


def test_a_listed_folder_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(folder)
    allow(file_at(f"{tmp_path}/alias/shop.db"), files=f"{tmp_path}/alias")


def test_a_reading_follows_the_setting(folder: Path, connection_to: Any) -> None:
    with closing(sqlite3.connect(folder / "shop.db")) as database:
        database.execute("create table shops (id int)")
    environment = {"TWD_SOURCE_DIALECTS": "sqlite", "TWD_SOURCE_FILES": str(folder)}
    reader = source_database_resource(environment).reader(NEVER_ASKED)
    snapshot = reader.read(connection_to(f"sqlite:///{folder}/shop.db", "sqlite"))
    assert [item.label for item in snapshot.tables] == ["main.shops"]


@pytest.mark.parametrize(
    "name",
    [
        "../secret.db",
        "../absent.db",
        "../listed-too/shop.db",
        "sub/../../secret.db",
        "missing/../../secret.db",
        "link.db",
        "dangling.db",
        "out/secret.db",
        "out/absent.db",
        "pipe.db",
        "sub",
        "",
        "shop.db\0",
    ],
)
def test_what_is_outside_or_no_regular_file_is_refused_in_the_same_words(
    folder: Path, name: str
) -> None:
    message = refusal(file_at(f"{folder}/{name}"), files=str(folder))
    assert message == refusal(file_at("/etc/passwd"), files=str(folder))
    assert "TWD_SOURCE_FILES" in message


@pytest.mark.parametrize("name", ["/etc/passwd", "/dev/zero", "/proc/self/environ", "/nowhere.db"])
def test_no_file_may_be_read_by_default(name: str) -> None:
    refusal(file_at(name))


@pytest.mark.parametrize(
    "dsn",
    [
        "sqlite:///shop.db",
        "sqlite:///etc/passwd",
        "sqlite:////etc/passwd",
        "sqlite:///file:shop.db",
        "sqlite:///file:/etc/passwd",
        "sqlite:////proc/self/cwd/shop.db",
        "sqlite://host/shop.db",
    ],
)
def test_a_string_that_names_no_whole_path_of_a_listed_folder_is_refused(
    folder: Path, connection_to: Any, monkeypatch: pytest.MonkeyPatch, dsn: str
) -> None:
    monkeypatch.chdir(folder.parent)
    refusal(source_address(connection_to(dsn, "sqlite"), frozenset({"sqlite"})), files=str(folder))


def test_a_folder_that_is_no_whole_path_names_the_setting() -> None:
    with pytest.raises(ConfigurationError, match="TWD_SOURCE_FILES holds 'data'"):
        reach_policy("public", "/srv,data")
