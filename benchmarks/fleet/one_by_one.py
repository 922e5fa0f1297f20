"""The peer: the same imports one after the other, each by `dagster asset materialize`.

That is how Dagster itself fills a partition without daemon and queue, from the same code, into the
same servers. It has a metadata database and an index of its own, so that the stack learns nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import psycopg2

from twd_local.postgres import ensure_database
from twd_local.sources import with_database
from twd_local.stack.environment import admin_dsn
from twd_local.stack.plan import Stack
from twd_shared import settings
from twd_shared.clients.catalog import Connection
from twd_shared.contract import (
    RAW_SCHEMA_METADATA,
    SCHEMA_DOCUMENTATION,
    SCHEMA_EMBEDDINGS,
    UPDATED_EMBEDDINGS,
    source_databases,
)
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase

_METADATA, _APPLICATION = "peer_metadata", "peer_application"
_ASSETS = (
    RAW_SCHEMA_METADATA.key,
    SCHEMA_DOCUMENTATION.key,
    SCHEMA_EMBEDDINGS.key,
    dg.AssetKey(["sync", "schema_diff"]),
    UPDATED_EMBEDDINGS.key,
)
_CATALOG = """
create table database_connections (id int primary key, name text not null,
  connection_string text not null, db_type text not null, is_active boolean not null)
"""


def import_one_by_one(stack: Stack, sources: Mapping[str, str]) -> float:
    """Seconds that importing these sources (name → address) takes, all in all."""
    environment = _prepared(stack, sources)
    python = Path(stack.home.releases / "schema/current/venv/bin/python")
    command = [str(python), "-m", "dagster", "asset", "materialize"]
    command += ["--module-name", "twd_schema.definitions"]
    command += ["--select", ",".join(key.to_user_string() for key in _ASSETS)]
    started = time.monotonic()
    for name in sources:
        done = subprocess.run(
            [*command, "--partition", name],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"Importing {name} alone failed:\n{done.stderr[-3000:]}")
    return time.monotonic() - started


def _prepared(stack: Stack, sources: Mapping[str, str]) -> dict[str, str]:
    """The environment of the peer, whose instance knows the sources' partitions."""
    admin = admin_dsn(stack.home, stack.ports)
    metadata, application = (with_database(admin, name) for name in (_METADATA, _APPLICATION))
    for name in (_METADATA, _APPLICATION):
        ensure_database(admin, name)
    with closing(psycopg2.connect(application)) as connection, connection:
        cursor = connection.cursor()
        cursor.execute(_CATALOG)
        for number, (name, dsn) in enumerate(sources.items()):
            cursor.execute(
                "insert into database_connections values (%s, %s, %s, 'postgresql', true)",
                (number, name, dsn),
            )
    environment = {
        **os.environ,
        **stack.environment,
        settings.METADATA_DSN.name: metadata,
        settings.APPLICATION_DSN.name: application,
        settings.CATALOG.name: "database",
        settings.INDEX_ALIAS.name: "peer_schemas",
    }
    subprocess.run(
        [sys.executable, "-m", "twd_local.stack.prepare"],
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    with closing(MetadataDatabase(metadata)) as database:
        ConnectionRegistry(database).register(
            Connection(str(number), name, "postgresql", True, dsn)
            for number, (name, dsn) in enumerate(sources.items())
        )
    # The stack's dagster.yaml takes its addresses from the environment.
    with patch.dict(os.environ, environment), dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions(str(source_databases.name), list(sources))
    return environment
