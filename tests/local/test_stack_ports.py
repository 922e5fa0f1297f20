"""The ports of the stack: usual, remembered, and replaced when somebody else has them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from twd_local.stack import ports as ports_module
from twd_local.stack.ports import assign_ports, is_free


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_restart_keeps_its_ports(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = assign_ports(file, ["qdrant", "webserver"], prefer_usual=False)
    assert assign_ports(file, ["qdrant", "webserver"], prefer_usual=False) == first
    assert len(set(first.values())) == 2


def test_a_taken_usual_port_is_replaced_and_said(
    tmp_path: Path, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ports_module.USUAL_PORTS, "webserver", taken)
    said: list[str] = []
    ports = assign_ports(tmp_path / "ports.json", ["webserver"], say=said.append)
    assert ports["webserver"] != taken
    assert is_free(ports["webserver"])
    assert str(taken) in said[0]
    assert str(ports["webserver"]) in said[0]


def test_a_remembered_port_that_is_taken_is_replaced(tmp_path: Path, taken: int) -> None:
    file = tmp_path / "ports.json"
    file.write_text(f'{{"qdrant": {taken}}}')
    assert assign_ports(file, ["qdrant"], say=lambda _: None)["qdrant"] != taken
