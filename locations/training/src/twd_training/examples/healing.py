"""What a change of the schema does to items that were right: quarantine, a proposal, the way back.

Pure functions, but for the past that they are given. An item is in quarantine as long as it does
not fit; the schema decides, and nobody has to remember.
"""

from __future__ import annotations

from dataclasses import replace

from twd_shared.sql.renaming import in_new_names
from twd_training.examples.checking import KnownTables, check
from twd_training.examples.models import Submission, TrainingItem
from twd_training.examples.past import Past, Then


def settled(
    item: TrainingItem, before: TrainingItem | None, version: int, known: KnownTables, past: Past
) -> TrainingItem:
    """The item, checked against the snapshot `version` alone, in the light of what was before.

    `before` is the same item as it is stored. What was never right, or was written anew, stands as
    it was checked.
    """
    was_right = (
        before is not None
        and before.content_hash == item.content_hash
        and before.accepted_version is not None
    )
    if before is None or before.accepted_version is None or not was_right:
        return replace(item, accepted_version=version) if item.accepted else item
    reason = item.reason
    if before.accepted_version < version:
        reason = reason or _lost(item, before, known, past.at(before.accepted_version))
    if not reason:
        return replace(item, accepted_version=version)
    return replace(
        item,
        accepted=False,
        reason=reason,
        tables=before.tables,
        names=before.names,
        accepted_version=before.accepted_version,
        quarantined_since=before.quarantined_since or version,
        proposal=_proposal(before, known, past),
    )


def _lost(item: TrainingItem, before: TrainingItem, known: KnownTables, then: Then) -> str:
    """Why an item that passes its check is wrong all the same; '' if it is not."""
    renamed = then.renamed()
    for name in before.names:
        now = renamed.get(name, name)
        if now in item.names:
            continue
        if name not in known.labels:
            return f"{name} does not exist any more"
        if now != name:
            return f"{name} is called {now} now, and something else has its name"
    return ""


def _proposal(before: TrainingItem, known: KnownTables, past: Past) -> str:
    """The SQL of a pair in the names of today, if renames explain all that is wrong with it."""
    if before.kind != "question_sql" or before.accepted_version is None:
        return ""
    was, new_names = past.at(before.accepted_version)
    if was is None:
        kept = Submission("", before.kind, before.question, before.proposal)
        return before.proposal if check(kept, "", known).accepted else ""
    text = in_new_names(before.content, was.names, known.names, new_names)
    if text is None or text == before.content:
        return ""
    attempt = Submission("", before.kind, before.question, text)
    return text if check(attempt, "", known).accepted else ""
