"""How fresh each database is, as the UI shows it: an asset that schema_change_sensor observes."""

from collections import Counter
from collections.abc import Sequence

import dagster as dg

from twd_schema.drift.freshness import STATES, FreshnessRecord
from twd_shared.contract import SCHEMA, owner_of

SOURCE_FRESHNESS = dg.AssetSpec(
    ["sync", "source_freshness"],
    description=(
        "Whether the index holds each source's schema as it is, since when, and if not, why. "
        "Observed by schema_change_sensor whenever something about it has changed."
    ),
    group_name="sync",
    owners=[owner_of(SCHEMA)],
    kinds={"postgresql"},
)

# More than this is no longer read by people, and weighs on each page of the UI.
_MOST_ROWS = 300


def freshness_observation(records: Sequence[FreshnessRecord]) -> dg.AssetObservation:
    """One observation of all databases: how many are in which state, and a table of them."""
    counts = Counter(record.freshness for record in records)
    return dg.AssetObservation(
        SOURCE_FRESHNESS.key,
        metadata={
            "databases": dg.MetadataValue.table(
                [dg.TableRecord(record._asdict()) for record in records[:_MOST_ROWS]],
                dg.TableSchema([dg.TableColumn(name) for name in FreshnessRecord._fields]),
            ),
            **{state.replace(" ", "_"): counts[state] for state in STATES},
        },
    )
