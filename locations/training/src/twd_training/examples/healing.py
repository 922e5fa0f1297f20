"""What a change of the schema does to items that were right: quarantine, a proposal, the way back.

Pure functions, but for the past that they are given. An item is in quarantine as long as it does
not fit; the schema decides, and nobody has to remember.
"""

from __future__ import annotations

from dataclasses import replace

from twd_shared.sql.renaming import in_new_names, means_the_same
from twd_training.examples.checking import check
from twd_training.examples.known_tables import KnownTables
from twd_training.examples.models import Submission, TrainingItem
from twd_training.examples.past import Past, Then
from twd_training.examples.texts import Text, plain


def settled(
    item: TrainingItem, before: TrainingItem | None, version: int, known: KnownTables, past: Past
) -> TrainingItem:
    """The item, checked against the snapshot `version` alone, in the light of what was before.

    `before` is the same item as it is stored. What was never right, or was written anew, stands as
    it was checked.
    """
    if (
        before is None
        or before.accepted_version is None
        or before.content_hash != item.content_hash
    ):
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
    renamed = then.renamed
    is_pair = item.kind == "question_sql"
    if is_pair and item.names == before.names and renamed.keys().isdisjoint(item.names):
        return ""
    needed = _needed(before, then)
    for name in needed:
        now = renamed.get(name, name)
        if now in item.names or (now == name and _names_another(item, name)):
            continue
        if name not in known.labels:
            return f"{name} does not exist any more"
        if now != name:
            return f"{name} is called {now} now, and something else has its name"
    if not is_pair:
        return ""
    # A label of an enum more, or the whole of a partition, is no other reading of the same SQL.
    if more := sorted(
        known.columns & (set(item.names) - {renamed.get(name, name) for name in needed})
    ):
        return f"it reads {more[0]} as well now"
    moved = next((name for name in needed if renamed.get(name, name) != name), None)
    if moved is not None and then.known is not None:
        told = (item.content, then.known.names, known.names, then.new_names)
        text = in_new_names(*told)
        if text != item.content and (text is not None or not means_the_same(*told)):
            return f"{moved} is called {renamed[moved]} now"
    return ""


def _names_another(item: TrainingItem, name: str) -> bool:
    """Whether documentation, which does not say the schema, names the same of another one too."""
    schema, _, inside = name.partition(".")
    label = f"{schema}.{inside.partition('.')[0]}"
    return (
        item.kind == "documentation"
        and any(other.partition(".")[2] == inside for other in item.names)
        and not Text(item.content).names(plain(label))
    )


def _needed(before: TrainingItem, then: Then) -> tuple[str, ...]:
    """What the item needed when it was right, as it is told now."""
    if before.kind != "question_sql" or then.known is None:
        return before.names
    return check(_saying(before, before.content), "", then.known).names


def _proposal(before: TrainingItem, known: KnownTables, past: Past) -> str:
    """The SQL of a pair in the names of today, if renames explain all that is wrong with it."""
    if before.kind != "question_sql" or before.accepted_version is None:
        return ""
    then = past.at(before.accepted_version)
    if then.known is None:
        kept = check(_saying(before, before.proposal), "", known)
        return before.proposal if kept.accepted else ""
    text = in_new_names(before.content, then.known.names, known.names, then.new_names)
    if text is None or text == before.content:
        return ""
    attempt = check(_saying(before, text), "", known)
    names = {then.renamed.get(name, name) for name in _needed(before, then)}
    return text if attempt.accepted and names == set(attempt.names) else ""


def _saying(item: TrainingItem, content: str) -> Submission:
    return Submission("", item.kind, item.question, content)
