"""The ways of finding tables that are compared: BM25 of a library, and parts and whole of ours."""

from __future__ import annotations

from typing import Any

import bm25s

from twd_shared.retrieval.ranking import STANDARD, Weights
from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.models import Table
from twd_shared.terms.sparse import significant_words

BM25: dict[str, bool] = {"BM25 of names (bm25s)": False, "BM25 of split words (bm25s)": True}
"""By name, whether words are split and comments are told."""
HYBRID = "hybrid"
EXPANDED = "hybrid + foreign keys"
WHOLE = "hybrid + foreign keys + schema"

OURS: dict[str, Weights] = {
    "terms only": Weights(named=0, dense=0, related=0, schema=0),
    "dense only": Weights(terms=0, named=0, related=0, schema=0),
    HYBRID: Weights(related=0, schema=0),
    EXPANDED: Weights(schema=0),
    WHOLE: STANDARD,
}
"""By name, what each way lets count."""

_QUIET: dict[str, Any] = {"show_progress": False}


class LibrarySearch:
    """BM25 of a library over schema, table and column names, and comments where words are split."""

    def __init__(self, tables: list[Table], *, is_split: bool) -> None:
        """Index the tables: `is_split` says whether identifiers are split into our stems."""
        self._names = [(table.schema, table.name) for table in tables]
        self._is_split = is_split
        self._index = bm25s.BM25(k1=1.5, b=0.75)
        self._index.index(self._tokens([_text(one, is_split) for one in tables]), **_QUIET)

    def rank(self, questions: list[str], limit: int) -> list[list[TableName]]:
        """The first tables for each question."""
        most = min(limit, len(self._names))
        found, _ = self._index.retrieve(self._tokens(questions), k=most, **_QUIET)
        return [[self._names[place] for place in places] for places in found]

    def _tokens(self, texts: list[str]) -> Any:
        if self._is_split:
            # A text without any word would end the library.
            return [list(significant_words(text)) or [""] for text in texts]
        return bm25s.tokenize(texts, **_QUIET)


def _text(table: Table, with_comments: bool) -> str:
    told = [table.schema, table.name, table.comment if with_comments else ""]
    for column in table.columns:
        told += [column.name, column.comment if with_comments else ""]
    return " ".join(filter(None, told))
