"""Whether what the stack keeps of a source is what the source is: read past the proxies.

Nothing here asks the stack's own code: sources, store, index and knowledge bases are read as any
other program would, and compared.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg2

from benchmarks.drill.rig import Rig
from twd_local.dagster_api import SOURCE_ASSETS
from twd_shared.settings import INDEX_ALIAS

_PARTS = {"ddl": "ddl_count", "documentation": "documentation_count", "sql": "question_sql_count"}
_STALE = """
query ($keys: [AssetKeyInput!], $partition: String!) {
  assetNodes(assetKeys: $keys) {
    assetKey { path }
    isMaterializable
    dataVersion(partition: $partition)
    staleStatus(partition: $partition)
    latestMaterializationByPartition(partitions: [$partition]) { tags { key value } }
  }
}
"""
_INPUT = "dagster/input_data_version/"
_SOURCE = """
select c.table_schema, c.table_name, c.column_name from information_schema.columns c
where c.table_schema not in ('pg_catalog', 'information_schema')
"""
_STORED = """
select schema_name, table_name, column_name from twd.current_columns where connection_id = %s
"""
_VERSIONS = """
select count(*), max(version), count(distinct fingerprint) from twd.snapshots
where connection_id = %s
"""
_INDEXED = """
select snapshot_version, is_complete, point_count from twd.index_states where connection_id = %s
"""
_SERVED = """
select version, snapshot_version, ddl_count, documentation_count, question_sql_count
from twd.model_versions where connection_id = %s and is_live
"""
_TAUGHT = """
select question, accepted from twd.training_items
where connection_id = %s and kind = 'question_sql' and source = 'user'
"""
_BREAKING = """
select title, count(*) from twd.alerts where database_name = %s and severity = 'breaking'
group by title having count(*) > 1
"""


@dataclass(slots=True)
class Source:
    """A connected database, and what has been done to it: all that must be found again."""

    name: str
    connection_id: str
    schemas: int = 1
    """How many different schemas it has had, one after another."""
    questions: list[str] = field(default_factory=list[str])


def differences(rig: Rig, sources: Iterable[Source]) -> list[str]:
    """What is lost, doubled or stale, in words; [] when everything is as it should be."""
    return [line for source in sources for line in (*_stale(rig, source), *_wrong(rig, source))]


def held(rig: Rig) -> list[str]:
    """What runs that are over still hold: slots of pools, places of hosts."""
    with closing(psycopg2.connect(rig.metadata)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select 'slot of pool ' || concurrency_key || ' held by run ' || run_id"
            " from concurrency_slots where run_id is not null and not deleted"
            " union all select 'step waiting for pool ' || concurrency_key || ' in run ' || run_id"
            " from pending_steps"
            # An advisory lock of a session; a sensor that reads has it for seconds.
            " union all select 'place of a host held by session ' || pid from pg_locks"
            " join pg_stat_activity using (pid) where locktype = 'advisory'"
            " and datname = current_database() and application_name = 'twd'"
            " and state = 'idle' and state_change < now() - interval '30 seconds'"
        )
        return [line for (line,) in cursor.fetchall()]


def _stale(rig: Rig, source: Source) -> Iterator[str]:
    keys = [{"path": asset.split("/")} for asset in SOURCE_ASSETS]
    nodes = {
        "/".join(node["assetKey"]["path"]): node
        for node in rig.api.ask(_STALE, keys=keys, partition=source.name)["assetNodes"]
        if node["isMaterializable"]
    }
    if len(nodes) < len(SOURCE_ASSETS):
        yield f"the UI shows {len(nodes)} of {len(SOURCE_ASSETS)} assets"
    for asset, node in nodes.items():
        [newest] = node["latestMaterializationByPartition"]
        if newest is None:
            yield f"{source.name}: {asset} was never materialized"
        elif node["staleStatus"] != "FRESH" and (old := list(_old_inputs(newest["tags"], nodes))):
            yield f"{source.name}: {asset} was made of other versions of {', '.join(old)}"


def _old_inputs(tags: list[dict[str, str]], nodes: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Assets that have another data version now than when the one with `tags` was made of them.

    Dagster's own word is not enough: it notes which of an asset's events was the newest, of any
    partition, and two runs that end in one moment may leave the older of theirs there. One of them
    then counts as stale although nothing is newer. What it has hashed of its inputs is right.
    """
    for tag in tags:
        asset = tag["key"].removeprefix(_INPUT)
        if asset in nodes and asset != tag["key"]:
            now = nodes[asset]["dataVersion"] or ""
            if tag["value"] != hashlib.sha256(now.encode()).hexdigest():
                yield asset


def _wrong(rig: Rig, source: Source) -> Iterator[str]:
    owned = set(_rows(rig.database(source.name), _SOURCE))
    stored = _rows(rig.metadata, _STORED, source.connection_id)
    if set(stored) != owned or len(stored) != len(owned):
        yield f"{source.name}: the snapshot differs from the source in {set(stored) ^ owned}"
    [(versions, newest, _)] = _rows(rig.metadata, _VERSIONS, source.connection_id)
    if versions != source.schemas:
        yield f"{source.name}: {versions} snapshots of {source.schemas} schemas it has had"
    yield from _index_wrong(rig, source, owned, newest)
    yield from _knowledge_wrong(rig, source, newest)
    for title, count in _rows(rig.metadata, _BREAKING, source.name):
        yield f"{source.name}: told {count} times: {title}"


def _index_wrong(
    rig: Rig, source: Source, owned: set[tuple[str, str, str]], newest: int
) -> Iterator[str]:
    states = _rows(rig.metadata, _INDEXED, source.connection_id)
    points = _points(rig, source.connection_id)
    if not states:
        yield f"{source.name}: is not indexed"
        return
    [(version, is_complete, count)] = states
    if (version, is_complete) != (newest, True):
        yield f"{source.name}: the index stands on snapshot {version}, complete: {is_complete}"
    if len(points) != count:
        yield f"{source.name}: {len(points)} points in the index, {count} on record"
    chunks = Counter((one["schema_name"], one["table_name"], one["chunk"]) for one in points)
    if doubled := [chunk for chunk, times in chunks.items() if times > 1]:
        yield f"{source.name}: twice in the index: {doubled}"
    indexed = {(schema, table) for schema, table, _ in chunks}
    tables = {(schema, table) for schema, table, _ in owned}
    if indexed != tables:
        yield f"{source.name}: index and source differ in the tables {indexed ^ tables}"
    told = {
        table: " ".join(
            str(one) for one in points if (one["schema_name"], one["table_name"]) == table
        )
        for table in indexed
    }
    for schema, table, column in sorted(owned):
        if column not in told.get((schema, table), column):
            yield f"{source.name}: the index says nothing of {table}.{column}"


def _knowledge_wrong(rig: Rig, source: Source, newest: int) -> Iterator[str]:
    served = _rows(rig.metadata, _SERVED, source.connection_id)
    if len(served) != 1:
        yield f"{source.name}: {len(served)} versions of the knowledge base are live"
        return
    version, snapshot, *counts = served[0]
    if snapshot != newest:
        yield f"{source.name}: the knowledge base stands on snapshot {snapshot} of {newest}"
    for (part, _), count in zip(_PARTS.items(), counts, strict=True):
        alias = f"kb_{source.name}_{part}"
        leads_to = _aliases(rig).get(alias)
        if leads_to != f"{alias}_v{version}":
            yield f"{source.name}: {alias} leads to {leads_to}, not to version {version}"
            continue
        present = _ask(rig, f"/collections/{alias}/points/count", {"exact": True})["count"]
        if present != count:
            yield f"{source.name}: {present} points in {alias}, {count} on record"
    taught = Counter(_rows(rig.metadata, _TAUGHT, source.connection_id))
    if taught != Counter((question, True) for question in source.questions):
        yield f"{source.name}: of {len(source.questions)} questions, {dict(taught)} are kept"


def _points(rig: Rig, connection_id: str) -> list[dict[str, Any]]:
    only = {"must": [{"key": "connection_id", "match": {"value": connection_id}}]}
    asked = {"filter": only, "limit": 10_000, "with_payload": True}
    found = _ask(rig, f"/collections/{INDEX_ALIAS.default}/points/scroll", asked)
    return [point["payload"] for point in found["points"]]


def _aliases(rig: Rig) -> dict[str, str]:
    answer = httpx.get(f"{rig.qdrant_url}/aliases", timeout=10).raise_for_status().json()
    return {one["alias_name"]: one["collection_name"] for one in answer["result"]["aliases"]}


def _ask(rig: Rig, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = httpx.post(f"{rig.qdrant_url}{path}", json=body, timeout=10)
    return answer.raise_for_status().json()["result"]


def _rows(dsn: str, query: str, *values: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchall()
