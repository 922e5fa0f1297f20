"""What the demo puts in: databases with data, their registration, months of messages."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from twd_local.application.seed import seed
from twd_local.sources.load import load_source
from twd_local.sources.reader import ensure_reader_role, with_database, with_login
from twd_local.stack.connect import register
from twd_local.stack.environment import admin_dsn, application_admin_dsn
from twd_local.stack.plan import Stack
from twd_local.stack.private_files import password
from twd_shared import settings

SAMPLES = ("pagila", "chinook", "northwind")
READER = "twd_demo_reader"

QUESTIONS = {
    "pagila": "Which customers rented the most films?",
    "chinook": "Which artist sold the most tracks?",
    "northwind": "Which employee handled the most orders?",
}


def load_sources(stack: Stack, say: Callable[[str], None]) -> None:
    """Create the sample databases that are missing in the local PostgreSQL."""
    server = admin_dsn(stack.home, stack.ports)
    ensure_reader_role(server, READER, password(stack.home.secrets / READER))
    for name in SAMPLES:
        started = time.monotonic()
        is_new = load_source(server, name, READER)
        took = f"loaded in {time.monotonic() - started:.1f} s" if is_new else "already there"
        say(f"  {name:<12} {took}")


def register_sources(stack: Stack) -> dict[str, tuple[int, float | None]]:
    """Register the samples through the application's API, with a role that can only read.

    Returns: name → (connection id, time of registration; None if it was registered before).
    """
    server = admin_dsn(stack.home, stack.ports)
    login = with_login(server, READER, password(stack.home.secrets / READER))
    registered: dict[str, tuple[int, float | None]] = {}
    for name in SAMPLES:
        moment = time.time()
        api = stack.environment[settings.API_URL.name]
        identifier, is_new = register(api, name, with_database(login, name))
        registered[name] = (int(identifier), moment if is_new else None)
    return registered


def seed_application(stack: Stack, connections: dict[str, int]) -> str:
    """Add the sample messages and training data that are missing; returns what was added."""
    zone = settings.value_of(stack.environment, settings.TIMEZONE)
    today = datetime.now(ZoneInfo(zone)).date()
    dsn = application_admin_dsn(stack.home, stack.ports)
    seeded = seed(dsn, today, connections=connections)
    if not seeded.messages and not seeded.training_items:
        return "already there"
    return f"{seeded.messages} messages, {seeded.training_items} training items"
