"""Which code writes cards: a release that changes it writes them anew, once."""

from __future__ import annotations

from functools import cache

import twd_schema.documentation
import twd_shared.schema_model
import twd_shared.terms.stop_words
from twd_schema.source_revision import source_revision


@cache
def card_revision() -> str:
    """Of all that has a part in cards, 32 hex digits."""
    return source_revision(
        (twd_schema.documentation, twd_shared.terms.stop_words, twd_shared.schema_model)
    )
