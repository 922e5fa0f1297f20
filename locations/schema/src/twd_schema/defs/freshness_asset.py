"""How fresh each database is, as the UI shows it: an asset that schema_change_sensor observes."""

from collections import Counter
from collections.abc import Iterable, Mapping

import dagster as dg

from twd_shared.contract import SCHEMA, owner_of
from twd_shared.lineage import stored_in
from twd_shared.store.connections import RegisteredConnection
from twd_shared.store.source_checks import SourceCheck
from twd_shared.store.sync_tables import source_checks

SOURCE_FRESHNESS = dg.AssetSpec(
    ["sync", "source_freshness"],
    description=(
        "Whether the index holds each source's schema as it is, since when, and if not, why. "
        "Observed by schema_change_sensor whenever something about it changes."
    ),
    group_name="sync",
    owners=[owner_of(SCHEMA)],
    kinds={"postgresql"},
    metadata=stored_in(source_checks),
)

# Worst first.
_ORDER = ("unreadable", "given_up", "not imported", "drifted", "fresh", "paused")
_COLUMNS = ("database", "freshness", "since", "cause")
# More than this is no longer read by people, and weighs on each page of the UI.
_MOST_ROWS = 300


def freshness_events(
    before: Mapping[str, SourceCheck],
    now: Mapping[str, SourceCheck],
    known: Iterable[RegisteredConnection],
) -> list[dg.AssetObservation]:
    """One observation of all databases, if anything is not as it was `before`; else none."""
    if {key: _said(check) for key, check in before.items()} == {
        key: _said(check) for key, check in now.items()
    }:
        return []
    records = [_record(item, now.get(item.connection_id)) for item in known]
    records.sort(key=lambda record: (_ORDER.index(record["freshness"]), record["database"]))
    counts = Counter(record["freshness"] for record in records)
    return [
        dg.AssetObservation(
            SOURCE_FRESHNESS.key,
            metadata={
                **{name.replace(" ", "_"): counts[name] for name in _ORDER},
                "databases": dg.MetadataValue.table(
                    [dg.TableRecord(record) for record in records[:_MOST_ROWS]],
                    dg.TableSchema(
                        [
                            dg.TableColumn(name)
                            for name in ("database", "freshness", "since", "cause")
                        ]
                    ),
                ),
            },
        )
    ]


def _said(check: SourceCheck) -> tuple[str, str]:
    return check.freshness, check.cause


def _record(item: RegisteredConnection, check: SourceCheck | None) -> dict[str, str]:
    if not item.is_active:
        freshness, cause = "paused", "The application does not list it as active."
    elif check is None:
        freshness = "not imported"
        cause = item.status_reason or "Its first import has not ended."
    else:
        freshness, cause = check.freshness, check.cause
    since = check.since.isoformat(" ", "seconds") if check and check.since else ""
    return {
        "database": item.partition_key,
        "freshness": freshness,
        "since": since,
        "cause": cause,
    }
