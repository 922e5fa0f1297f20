"""What this location reads and others own, as nodes of the lineage."""

import dagster as dg

from twd_shared.contract import ANALYTICS, TRAINED_MODEL, external_specs, owner_of

MESSAGES = dg.AssetKey(["application", "messages"])


def external_assets() -> list[dg.AssetSpec]:
    """The application's messages, and the knowledge bases of the training location."""
    messages = dg.AssetSpec(
        MESSAGES,
        description="What users asked and what they were answered; the application's own table.",
        group_name=ANALYTICS,
        owners=[owner_of(ANALYTICS)],
        kinds={"postgresql"},
        metadata={"dagster/table_name": "messages"},
    )
    return [messages, *external_specs([TRAINED_MODEL])]
