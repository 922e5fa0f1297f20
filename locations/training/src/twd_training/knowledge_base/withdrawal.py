"""Taking out of a version what the schema or the users have made wrong since it was made.

What differs because code or model have changed stays: it is not wrong for that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace

from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.store.snapshots import SnapshotStore
from twd_training.knowledge_base.collections import Collections, Stored
from twd_training.knowledge_base.material import Material
from twd_training.knowledge_base.versions import ModelVersion, ModelVersions

_FROM_SCHEMA = frozenset({"schema", "relationship", "card"})


def wrong_documents(
    stored: Mapping[str, Stored], material: Material, changed: Collection[str]
) -> frozenset[str]:
    """Content hashes of the stored documents that must not be served any more. Pure.

    From the schema: those that are of one of `changed` (labels of tables and types), or name one,
    and are not made from it now. From users: those that are not accepted any more as they stand.
    """
    now = {document.content_hash for document in material.documents}
    changed = frozenset(changed)
    accepted = {
        (item.kind, item.question if item.kind == "question_sql" else None, item.content)
        for item in material.items
    }
    return frozenset(
        content_hash
        for content_hash, document in stored.items()
        if content_hash not in now
        and (
            not changed.isdisjoint(document.tables)
            or any(label in document.text for label in changed)
            if document.source in _FROM_SCHEMA
            else _as_taught(document) not in accepted
        )
    )


def _as_taught(document: Stored) -> tuple[str, str | None, str]:
    if document.kind != "sql":
        return document.kind, None, document.text
    return "question_sql", document.question, document.sql or ""


class Withdrawal:
    """Takes wrong documents out of versions of one connection's knowledge base."""

    def __init__(
        self,
        connection_id: str,
        material: Material,
        snapshots: SnapshotStore,
        versions: ModelVersions,
        collections: Collections,
    ) -> None:
        """Use it while holding `versions.exclusive(connection_id)`."""
        self._connection_id = connection_id
        self._material = material
        self._snapshots = snapshots
        self._versions = versions
        self._collections = collections

    def wrong_in(self, version: ModelVersion, stored: Mapping[str, Stored]) -> frozenset[str]:
        """Content hashes of what is wrong in a version that holds `stored`."""
        changes = self._snapshots.changed_objects(
            self._connection_id, version.snapshot_version, self._material.snapshot_version
        )
        changed = {f"{change.key[1]}.{change.key[2]}" for change in changes}
        return wrong_documents(stored, self._material, changed)

    def withdraw(self, version: ModelVersion) -> tuple[ModelVersion, int]:
        """Delete what is wrong, and record what is left; gives the row, and how many went.

        Repeatable: what a killed run has left is done by the next.
        """
        number = version.version
        stored = self._collections.stored(number)
        wrong = self.wrong_in(version, stored)
        if wrong:
            # First: equal content must never be taken for this version once something is missing.
            content_hash = content_fingerprint((version.content_hash, *sorted(wrong)))
            self._versions.change_content(self._connection_id, number, content_hash)
            version = replace(version, content_hash=content_hash)
            self._collections.delete(number, wrong)
        left = Counter(one.kind for key, one in stored.items() if key not in wrong)
        counts = {
            "ddl_count": left["ddl"],
            "documentation_count": left["documentation"],
            "question_sql_count": left["sql"],
        }
        counted = replace(version, **counts)
        if counted != version:
            self._versions.count(self._connection_id, number, **counts)
        return counted, len(wrong)
