"""Which versions are kept beside the one that is served, and which one that is."""

from __future__ import annotations

from collections.abc import Set

from twd_training.knowledge_base.collections import Collections
from twd_training.knowledge_base.versions import NOT_YET_SERVED, ModelVersion, ModelVersions

BY_A_PERSON = "A person went back"
"""How the reason of a version begins that a person has left for an earlier one."""


def settle(
    connection_id: str, collections: Collections, versions: ModelVersions
) -> ModelVersion | None:
    """The version that is served, recorded as the live one; None when nothing known is served.

    Also when somebody has gone back to another one, or was killed before that was recorded. A live
    one that lost an alias and no collection is served again: nothing need be made for that. What
    an earlier release made gets the payload indexes of this one.
    """
    served = collections.served()
    kept = versions.kept(connection_id)
    if served is None:
        live = next((one for one in kept.values() if one.is_live), None)
        if live is not None and not collections.missing(live.collections.values()):
            collections.serve(live.version)
            served = live.version
    if served is not None:
        collections.complete(served)
    version = kept.get(served) if served is not None else None
    number = version.version if version else None
    are_live = [one.version for one in kept.values() if one.is_live]
    if are_live != ([number] if number else []) or (version and version.held_reason):
        versions.make_live(connection_id, number)
        version = versions.live(connection_id)
    return version


def previous_of(
    live: int, collections: Collections, versions: dict[int, ModelVersion]
) -> ModelVersion | None:
    """The version that was served before `live` and is still there, or None."""
    present = collections.present()
    older = [
        version
        for number, version in versions.items()
        if number < live and number in present and not version.is_held
    ]
    return max(older, key=lambda version: version.version, default=None)


def drop_others(
    connection_id: str,
    collections: Collections,
    versions: ModelVersions,
    live: int | None,
    held: int | None,
) -> None:
    """Keep the live version, the one before it for going back, and the held one; drop all others.

    `held` None = none is kept.
    """
    recorded = versions.kept(connection_id)
    previous = previous_of(live, collections, recorded) if live is not None else None
    kept = {live, held, previous.version if previous else None}
    collections.drop(collections.present() - kept)
    versions.forget_collections(connection_id, recorded.keys() - kept)


def vanished(versions: ModelVersions, aliases: Set[str]) -> frozenset[str]:
    """Ids of the connections of whose live version an alias is gone.

    `aliases` are those that serve something, of all. To what they point is not looked at: it may be
    a person's choice, and of two installations with one Qdrant each would take it back for ever.
    """
    lost = {
        connection_id: [alias for alias in names if alias not in aliases]
        for connection_id, names in versions.live_collections().items()
    }
    return frozenset(
        connection_id
        for connection_id, missing in lost.items()
        if missing and not (_is_memory(missing) and _is_next_held(versions, connection_id))
    )


def _is_memory(missing: list[str]) -> bool:
    return all(alias.endswith("_memory") for alias in missing)


def _is_next_held(versions: ModelVersions, connection_id: str) -> bool:
    """Whether a training would serve the live version all the same, as it is."""
    held = versions.held(connection_id)
    return held is not None and held.held_reason != NOT_YET_SERVED


def is_beside(held: ModelVersion, live: ModelVersion | None) -> bool:
    """Whether a version was held in view of the version that is live now."""
    beside = (held.comparison or {}).get("live_version")
    return beside == (live.version if live else None)


def has_foreign_vectors(version: ModelVersion) -> bool:
    """Whether its vectors were not what its model gave: the fault is the model's, or past."""
    findings = (version.comparison or {}).get("findings", [])
    return any(finding["rule"] == "vectors_foreign" for finding in findings)


def is_left_by_a_person(held: ModelVersion) -> bool:
    """Whether a person has gone back from it, which nobody needs to be told."""
    return held.held_reason.startswith(BY_A_PERSON)
