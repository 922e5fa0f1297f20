"""Every name that crosses the border between two code locations, written once.

A location that waits for another's asset declares it with `external_specs`; the owner produces
it under the same key and with the same partitions. Keys, owners and partitions are frozen:
renaming one is a breaking change for a location that is deployed on its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import dagster as dg

SCHEMA = "schema"
TRAINING = "training"
ANALYTICS = "analytics"
LOCATIONS = (SCHEMA, TRAINING, ANALYTICS)

source_databases = dg.DynamicPartitionsDefinition(name="source_databases")
"""One partition a connected source database; the same partition space in all locations."""


@dataclass(frozen=True)
class SharedAsset:
    """An asset that one location owns and others wait for: its key, owner and partitions."""

    key: dg.AssetKey
    owner: str
    description: str


RAW_SCHEMA_METADATA = SharedAsset(
    dg.AssetKey(["schema", "raw_schema_metadata"]), SCHEMA, "Newest snapshot of a source's schema."
)
SCHEMA_DOCUMENTATION = SharedAsset(
    dg.AssetKey(["schema", "schema_documentation"]), SCHEMA, "What each table of a source is about."
)
SCHEMA_EMBEDDINGS = SharedAsset(
    dg.AssetKey(["schema", "schema_embeddings"]), SCHEMA, "The schema index of a source, published."
)
UPDATED_EMBEDDINGS = SharedAsset(
    dg.AssetKey(["sync", "updated_embeddings"]), SCHEMA, "The schema index brought up to a change."
)
TRAINED_MODEL = SharedAsset(
    dg.AssetKey(["training", "trained_model"]), TRAINING, "The knowledge base of a source."
)

CONNECTION_TAG = "twd/connection_id"
DATABASE_TAG = "twd/database_name"
TRIGGER_TAG = "twd/trigger"
VERIFY_TAG = "twd/verify"
"""A run with this tag trusts no record: it compares everything that it would write."""

OLLAMA_POOL = "ollama"
"""The pool of steps that embed many texts: they share one server over all locations."""


def owner_of(location: str) -> str:
    """The owner that the UI shows for the assets of `location`."""
    return f"team:{location}"


def external_specs(assets: Iterable[SharedAsset]) -> list[dg.AssetSpec]:
    """Specs by which a waiting location names another location's assets.

    They carry the partitions, without which one update would request all partitions, and no
    automation condition, because only the owner materializes them.
    """
    return [
        dg.AssetSpec(
            asset.key,
            description=asset.description,
            partitions_def=source_databases,
            group_name=asset.key.path[0],
            owners=[owner_of(asset.owner)],
        )
        for asset in assets
    ]
