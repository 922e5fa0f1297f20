"""The automation conditions of all locations, by name, with their reason."""

import warnings

import dagster as dg

from twd_shared.contract import SCHEMA_EMBEDDINGS
from twd_shared.missed_changes import AheadOfTarget, MissedByNewRunsOfTarget
from twd_shared.target_runs import UpdatedByRunsOfTarget
from twd_shared.unseen_writes import WrittenSinceTickBegan


def _any_deps_changed() -> dg.AutomationCondition:
    return dg.AutomationCondition.any_deps_updated().replace(
        "newly_updated_without_root",
        dg.AutomationCondition.data_version_changed() & ~UpdatedByRunsOfTarget(),
    )


def _until_handled(changed: dg.AutomationCondition) -> dg.AutomationCondition:
    """True from when it changed until a run that knows of it was requested, or wrote the target.

    Dagster's `since_last_handled` loses what changes while a run of the target goes on, and what
    changes between two ticks after such a run was requested or had ended. What is lost for another
    reason is found by comparing all partitions at first and once a day.
    """
    missed = dg.AutomationCondition.any_deps_match(MissedByNewRunsOfTarget()).with_label(
        "any_deps_missed_by_new_runs"
    )
    ahead = dg.AutomationCondition.any_deps_match(AheadOfTarget()).with_label("any_deps_ahead")
    requested = dg.AutomationCondition.newly_requested() & ~changed & ~missed
    written = dg.AutomationCondition.newly_updated() & ~missed
    begun = dg.AutomationCondition.initial_evaluation() & ~ahead
    handled = (requested | written | begun).with_label("handled")
    return (changed | missed | ahead).since(handled)


def _when_inputs_are_there(
    label: str, changed: dg.AutomationCondition, lineage_only: dg.AssetSelection | None
) -> dg.AutomationCondition:
    unseen = WrittenSinceTickBegan()
    condition = (
        _until_handled(changed)
        & ~dg.AutomationCondition.any_deps_missing()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
        & ~dg.AutomationCondition.any_deps_match(unseen).with_label("any_deps_unseen")
        & ~unseen
    )
    if lineage_only is not None:
        condition = condition.ignore(lineage_only)
    return condition.with_label(label)


def on_changed_inputs(lineage_only: dg.AssetSelection | None = None) -> dg.AutomationCondition:
    """Materialize a partition when an input's data version has changed and all inputs are there.

    As Dagster's `eager`, but for three differences. `eager` fires again when an input is
    re-materialized with the same data version: a re-read of an unchanged schema would retrain
    everything. And `eager` fires for what is newly missing: a new partition is missing until the
    run that fills it has written it, and a tick in that moment would ask for it once more. An
    input that was updated by a run that also plans this asset does not count for the same reason.
    The third is that no change is forgotten: see `_until_handled`.

    What is in `lineage_only` is shown as an input and never materialized; the condition would
    wait for it.
    """
    return _when_inputs_are_there("on_changed_inputs", _any_deps_changed(), lineage_only)


def once_published(condition: dg.AutomationCondition) -> dg.AutomationCondition:
    """As `condition`, but not while a run is still to publish the source's schema index.

    The index is the last thing that an import or a sync writes. Asset by asset, a training would
    start on the first of its inputs and be asked for again with each of the others.
    """
    publishing, just_published = (
        dg.AutomationCondition.asset_matches(SCHEMA_EMBEDDINGS.key, state)
        for state in (dg.AutomationCondition.in_progress(), WrittenSinceTickBegan())
    )
    return (condition & ~publishing & ~just_published).with_label("once_published")


def on_changed_days(lineage_only: dg.AssetSelection) -> dg.AutomationCondition:
    """As `on_changed_inputs`, for a partition a day, and not for the assets in `lineage_only`.

    `eager` looks at the latest day alone; here an old day follows too when its input was measured
    anew. What is in `lineage_only` is shown as an input but says nothing new about a day.
    """
    changed = dg.AutomationCondition.newly_missing() | _any_deps_changed()
    return _when_inputs_are_there("on_changed_days", changed, lineage_only)


def automation_sensor(
    location: str, interval_seconds: int, *, emit_backfills: bool = False
) -> dg.AutomationConditionSensorDefinition:
    """The sensor that evaluates the conditions of one location, running from the start.

    Dagster's own default sensor is stopped until somebody clicks it, and ticks every 30 s.
    Several partitions requested by one tick become a run each, which does all of its partition;
    with `emit_backfills` they become one backfill, which goes asset by asset over all of them.

    It is evaluated in the location's own server: a condition of ours is known there alone, and
    goes with the release of the location.
    """
    with warnings.catch_warnings():
        # `use_user_code_server` is called beta: each start of a server would say so.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return _sensor(location, interval_seconds, emit_backfills)


def _sensor(
    location: str, interval_seconds: int, emit_backfills: bool
) -> dg.AutomationConditionSensorDefinition:
    return dg.AutomationConditionSensorDefinition(
        name=f"{location}_automation_sensor",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=interval_seconds,
        emit_backfills=emit_backfills,
        use_user_code_server=True,
        description=f"Requests the assets of {location} whose inputs have changed.",
    )
