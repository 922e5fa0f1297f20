"""The texts of a table for the index: one, or as many as the embedding model's budget makes of it.

Nothing of a table is lost over its texts: each column, key and word of a comment stands in one of
them. A text that is too long is divided by columns, and what is too long for one column by words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from twd_schema.documentation.cards import about, title, write_card
from twd_schema.indexing.excerpts import REST, TableParts, ToldTable
from twd_shared.clients.token_budget import TokenBudget
from twd_shared.schema_model.lengths import LONGEST_COMMENT, longest_comment
from twd_shared.schema_model.models import Column
from twd_shared.schema_model.wording import flat, shortened

# One column, or what belongs to none, makes at most so many texts; the last one ends in " …".
_MOST_PIECES = 64
_COMMENT_IN_HEAD = 200
# Tokens of the commas and line breaks between a column and the next, in sentences and DDL.
_BETWEEN_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class Chunk:
    """One text and what it tells: its columns, or the words that it cuts out of one column."""

    text: str
    columns: Sequence[Column] = ()
    piece: str = ""


def chunks_of(
    database_name: str, told: ToldTable, card: str, ddl: str, budget: TokenBudget
) -> list[Chunk]:
    """The texts of the table in their order, none longer than the budget allows.

    Each begins with database, table and comment, then tells of some columns and their keys, and
    ends with the DDL of these columns. `card` is `write_card` of the table; where it cuts a
    comment, the texts go on. `ddl` is without the comments that the sentences tell.
    """
    comments = [told.table.comment, *(column.comment for column in told.table.columns)]
    longest = longest_comment(told.table)
    if any(len(comment) > LONGEST_COMMENT for comment in comments if comment):
        card = write_card(told.table, told.facts, told.spelling, longest)
    database = f"Database: {flat(database_name)}"
    whole = f"{database}\n{card}\n\n{ddl}" if ddl else f"{database}\n{card}"
    if budget.fits(whole):
        return [Chunk(whole, told.table.columns)]
    return list(_Division(database, told, budget, longest).chunks())


class _Division:
    def __init__(self, database: str, told: ToldTable, budget: TokenBudget, longest: int) -> None:
        self._columns = told.table.columns
        self._budget = budget
        self._parts = TableParts(told, longest)
        self._about = list(about(told.table, told.facts, longest))
        self._head = self._fitting_head(database, title(told.table, told.spelling))

    def chunks(self) -> Iterator[Chunk]:
        start = REST
        for stop in self._stops():
            yield from self._chunks_between(start, stop)
            start = stop

    def _stops(self) -> Iterator[int]:
        """Where parts end if their tokens add up as estimated."""
        # What stands around any part stands once in a text, not once for each column.
        around = self._budget.tokens(self._parts.frame())
        room = self._budget.limit - self._budget.tokens(self._head) - around
        used = max(0, self._budget.tokens(self._body(REST, 0)) - around)
        for column in range(len(self._columns)):
            alone = self._budget.tokens(self._body(column, column + 1))
            size = max(0, alone - around) + _BETWEEN_COLUMNS
            if used + size > room:
                yield column
                used = 0
            used += size
        yield len(self._columns)

    def _chunks_between(self, start: int, stop: int) -> Iterator[Chunk]:
        body = self._body(start, stop)
        text = f"{self._head}\n{body}"
        if self._budget.fits(text):
            yield Chunk(text, self._columns[max(start, 0) : stop])
        elif stop - start > 1:
            middle = (start + stop) // 2
            yield from self._chunks_between(start, middle)
            yield from self._chunks_between(middle, stop)
        else:
            for piece in self._pieces(body):
                yield Chunk(f"{self._head}\n{piece}", (), piece)

    def _body(self, start: int, stop: int) -> str:
        text = self._parts.text(start, stop)
        # The head tells the beginning of a long comment, and all of a short one.
        in_full = "\n".join(self._about)
        return f"{in_full}\n{text}" if start == REST and in_full not in self._head else text

    def _fitting_head(self, database: str, first_line: str) -> str:
        """Database, table and comment, in at most half of what a text may have."""
        half = self._budget.limit // 2
        comment = "\n".join(shortened(line, _COMMENT_IN_HEAD) for line in self._about)
        for head in (f"{database}\n{first_line}\n{comment}", f"{database}\n{first_line}"):
            if self._budget.tokens(head) <= half:
                return head.rstrip()
        return self._beginning(f"{first_line}\n{database}", half).rstrip()

    def _pieces(self, body: str) -> Iterator[str]:
        """The body cut between words, or inside one that is longer than a text may be."""
        room = self._budget.limit - self._budget.tokens(f"{self._head}\n")
        # Room for " …", and for a word that counts for more when it is cut.
        room = max(1, room - 4)
        for number in range(1, _MOST_PIECES + 1):
            piece = self._beginning(body, room)
            body = body[len(piece) :].lstrip()
            is_last = number == _MOST_PIECES and body
            yield f"{piece} …" if is_last else piece
            if not body:
                return

    def _beginning(self, text: str, room: int) -> str:
        """As much of the text as `room` tokens hold, up to the end of a line or of a word."""
        # A token has seldom more characters, and one that has costs another text at worst.
        part = text[: room * 8]
        while len(part) > 1 and (tokens := self._budget.tokens(part)) > room:
            part = part[: min(len(part) - 1, len(part) * room // tokens)] or part[:1]
        if len(part) == len(text):
            return part
        line = part.rfind("\n", len(part) // 2)
        end = line if line > 0 else max(part.rfind(" "), part.rfind("\n"))
        return part[: end + 1] if end > 0 else part
