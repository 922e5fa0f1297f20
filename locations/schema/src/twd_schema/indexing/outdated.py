"""Whether what is served was written by a release that this one cannot read or go on with.

Not here: a model that has changed. When to serve another one is the operator's decision.
"""

from __future__ import annotations

from typing import NamedTuple

from twd_shared.clients.index_layout import LAYOUT
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.errors import IndexRejected


class Outdated(NamedTuple):
    """The collection that is served, the layout it must get, and why it cannot stay."""

    collection: str
    layout: str
    reason: str


def outdated(index: SchemaIndex) -> Outdated | None:
    """What is served, if this release can only replace it; None if it is well, or nothing is there.

    Asks for names and metadata alone. Raises IndexUnavailable when Qdrant is away, IndexRejected
    when it refuses to be asked at all.
    """
    live = index.names().live
    if live is None:
        return None
    try:
        layout = index.collection(live).layout
    except IndexRejected as error:
        return Outdated(live, LAYOUT, str(error))
    if layout == LAYOUT:
        return None
    return Outdated(
        live, LAYOUT, f"Collection {live} has layout {layout}; this version writes {LAYOUT}."
    )
