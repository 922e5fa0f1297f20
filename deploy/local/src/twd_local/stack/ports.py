"""The ports of the stack: the usual ones if they are free, others if not, remembered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from twd_local.listening import free_port, refusal_of
from twd_local.stack.errors import StackError
from twd_local.stack.private_files import write_private_json
from twd_shared.settings import Variable, one_of

PORTS = Variable(
    "TWD_PORTS",
    "usual",
    "Ports of the stack: usual, or free (any that are free)",
    rule=one_of("usual", "free"),
)
USUAL_PORTS = {
    "postgres": 5433,
    "qdrant": 6333,
    "ollama": 11434,
    "application": 8000,
    "schema": 4001,
    "training": 4002,
    "analytics": 4003,
    "webserver": 3000,
    "metrics": 9464,
}


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    return refusal_of(port) is None


def read_ports(path: Path) -> dict[str, int]:
    """The ports remembered in `path`; empty if nothing is. Raises StackError if it is damaged."""
    if not path.exists():
        return {}
    try:
        ports: dict[str, int] = json.loads(path.read_text())
    except ValueError:
        raise StackError(
            f"{path} is damaged. Delete it, and the next start chooses ports: make down, make up"
        ) from None
    return ports


def assign_ports(
    path: Path,
    names: Iterable[str],
    *,
    prefer_usual: bool = True,
    say: Callable[[str], None] = print,
) -> dict[str, int]:
    """A port for each of `names`: the remembered one, else the usual one, else any free one.

    A port that another program took meanwhile is replaced, and `say` is told. The result is
    remembered in `path`.
    """
    remembered = read_ports(path)
    ports: dict[str, int] = {}
    for name in names:
        wanted = remembered.get(name) or (USUAL_PORTS[name] if prefer_usual else 0)
        if wanted and wanted not in ports.values() and is_free(wanted):
            ports[name] = wanted
            continue
        ports[name] = free_port(ports.values())
        if wanted:
            say(f"Port {wanted} is taken by another program: {name} uses {ports[name]} instead.")
    write_private_json(path, remembered | ports)
    return ports
