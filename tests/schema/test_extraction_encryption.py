"""Whose certificate a PostgreSQL source may show, by `sslmode`: on a real server behind TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from twd_schema.extraction.reading import SchemaReader
from twd_shared.clients.catalog import Connection
from twd_shared.errors import SourceRefused
from twd_shared.sources.encryption import encrypting
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy

from .tls_front import Authority, TlsFront

pytestmark = pytest.mark.integration

reader = SchemaReader(frozenset({"postgresql"}), ReadLimits(), reach_policy("loopback", ""))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def address(
    services: Any, authority: Authority, connection_to: Callable[[str], Connection]
) -> Iterator[Callable[[str, str], Connection]]:
    url = sa.make_url(services.source("pagila"))
    front = TlsFront(authority, url.host or "", url.port or 5432)

    def at(host: str, mode: str) -> Connection:
        encrypted = url.set(host=host, port=front.port, query={"sslmode": mode})
        return connection_to(encrypted.render_as_string(hide_password=False))

    yield at
    front.close()


@pytest.fixture(autouse=True)
def nothing_is_trusted_from_before() -> None:
    encrypting.cache_clear()


@pytest.fixture
def trusting(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority.file


@pytest.mark.parametrize("mode", ["prefer", "require"])
def test_a_certificate_that_nobody_trusts_will_do_where_none_is_verified(
    address: Callable[[str, str], Connection], mode: str
) -> None:
    assert reader.read(address("localhost", mode)).tables


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize(
    ("host", "mode"), [("localhost", "verify-full"), ("127.0.0.1", "verify-ca")]
)
def test_a_certificate_of_a_trusted_authority_is_verified(
    address: Callable[[str, str], Connection], host: str, mode: str
) -> None:
    assert reader.read(address(host, mode)).tables


@pytest.mark.parametrize("mode", ["verify-full", "verify-ca"])
def test_a_certificate_that_nobody_trusts_is_refused_where_it_is_verified(
    address: Callable[[str, str], Connection], mode: str
) -> None:
    with pytest.raises(SourceRefused, match=f"sslmode={mode} demands.*not trusted.*SSL_CERT_FILE"):
        reader.read(address("localhost", mode))


@pytest.mark.usefixtures("trusting")
def test_the_certificate_of_another_host_is_refused(
    address: Callable[[str, str], Connection],
) -> None:
    with pytest.raises(SourceRefused, match="or is of another host"):
        reader.read(address("127.0.0.1", "verify-full"))
