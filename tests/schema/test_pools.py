"""Ollama is protected: what calls it takes a slot of one pool, shared by all locations."""

from __future__ import annotations

import dagster as dg

from twd_shared.contract import (
    OLLAMA_POOL,
    SCHEMA_DOCUMENTATION,
    SCHEMA_EMBEDDINGS,
    UPDATED_EMBEDDINGS,
)


def test_every_asset_that_calls_ollama_takes_a_slot_of_its_pool(location: dg.Definitions) -> None:
    graph = location.resolve_asset_graph()
    in_pool = {key for key in graph.executable_asset_keys if OLLAMA_POOL in graph.get(key).pools}
    assert in_pool == {SCHEMA_DOCUMENTATION.key, SCHEMA_EMBEDDINGS.key, UPDATED_EMBEDDINGS.key}


def test_a_migration_of_the_index_takes_a_slot_too(location: dg.Definitions) -> None:
    job = location.resolve_job_def("index_migration_job")
    assert {node.definition.pool for node in job.graph.nodes} == {OLLAMA_POOL}
