"""Whether PostgreSQL's grammar takes a text: asked of a server of ours, which only parses it.

The parser of this library takes some texts that PostgreSQL does not. Nothing is run: a statement is
prepared by the extended protocol, which takes one statement alone, and never executed. Strings and
numbers are blanked before, so that the server's log holds nothing of them.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

import asyncpg
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from twd_shared.clients.dsn import asyncpg_address, place_of, postgresql_url
from twd_shared.errors import MetadataUnavailable
from twd_shared.settings import METADATA_DSN
from twd_shared.sql.parsing import LONGEST_SQL

_TIMEOUT_SECONDS = 60
# Nothing of the database is found by its name alone.
_SESSION = """
set application_name = 'twd'; set default_transaction_read_only = on; set lock_timeout = 1000;
set search_path = ''; set statement_timeout = 10000
"""
# What is asked is wrong more often than not, as no table is found: each is an error in the server's
# log, if the role may not say otherwise. Older servers cannot allow it to.
_HAS_PRIVILEGE = (15,)
_KEEP_OUT_OF_LOG = (
    "select set_config('log_min_messages', 'fatal', false)"
    " where has_parameter_privilege('log_min_messages', 'SET')"
)
_SYNTAX_ERROR = "42601"
# Classes of errors that say nothing of the statement: the connection is lost, the server is out of
# memory, shut down or broken. https://www.postgresql.org/docs/current/errcodes-appendix.html
_LOST_CLASSES = ("08", "53", "57P", "58", "XX")

_COMMENT = re.compile(r"--|/\*")
# What parts words for the parser and not for PostgreSQL.
_FOREIGN_BLANK = re.compile(r"[^ \t\n\r\f\v]")
_DIGITS = re.compile(r"\d+")
# Named once: to look up a member takes longer than all else that is done with a token.
_BEGIN, _SEMICOLON = TokenType.BEGIN, TokenType.SEMICOLON
_NUMBER, _HEREDOC = TokenType.NUMBER, TokenType.HEREDOC_STRING
_DEPTHS = {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}
_STRINGS = frozenset(
    {
        TokenType.STRING,
        TokenType.BYTE_STRING,
        TokenType.BIT_STRING,
        TokenType.HEX_STRING,
        TokenType.NATIONAL_STRING,
        TokenType.UNICODE_STRING,
    }
)


class _Words(Postgres.Tokenizer):
    """Takes apart what follows EXPLAIN, CALL and others too, which is one string otherwise."""

    COMMANDS: ClassVar[set[TokenType]] = set()


class PostgresGrammar:
    """A session on a server whose grammar is asked; used in a `with` statement."""

    def __init__(self, dsn: str) -> None:
        """Nothing is connected to yet; `dsn` is the metadata database's."""
        self._url = postgresql_url(dsn, METADATA_DSN.name)

    def __enter__(self) -> PostgresGrammar:
        """Connect; raises MetadataUnavailable if the server is not reached."""
        self._runner = asyncio.Runner()
        try:
            with self._reached():
                self._connection = self._runner.run(self._connect())
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Cut the connection."""
        self._connection.terminate()
        self._runner.close()

    def refused(self, statements: Sequence[str], server_version: str = "") -> set[int]:
        """The places of the texts that are no SQL of PostgreSQL's; a text may hold several.

        None is refused of a source whose `server_version` is of a newer release: it may take what
        an older one does not. '' = it is not known.
        Raises MetadataUnavailable if the server is lost. What cannot be taken apart into words is
        refused without asking.
        """
        release = _DIGITS.match(server_version)
        if release and self._connection.get_server_version().major < int(release[0]):
            return set()
        with self._reached():
            return self._runner.run(self._refused(statements))

    async def _connect(self) -> asyncpg.Connection:
        connection = await asyncpg.connect(
            asyncpg_address(self._url, METADATA_DSN.name),
            timeout=_TIMEOUT_SECONDS,
            command_timeout=_TIMEOUT_SECONDS,
            statement_cache_size=0,
        )
        # Not at its start: a pooler refuses what it does not know.
        await connection.execute(_SESSION)
        if connection.get_server_version() >= _HAS_PRIVILEGE:
            await connection.execute(_KEEP_OUT_OF_LOG)
        return connection

    async def _refused(self, statements: Sequence[str]) -> set[int]:
        found: set[int] = set()
        for place, text in enumerate(statements):
            parts = blanked(text)
            if parts is None or not await self._takes(parts):
                found.add(place)
        return found

    async def _takes(self, parts: Sequence[str]) -> bool:
        for part in parts:
            try:
                await self._connection.prepare(part)
            except asyncpg.PostgresError as error:
                state = str(getattr(error, "sqlstate", ""))
                if state.startswith(_LOST_CLASSES):
                    raise
                if state == _SYNTAX_ERROR:
                    return False
                # Whatever else is wrong was found after the grammar had taken it.
        return True

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise MetadataUnavailable(
                f"The metadata database at {place_of(self._url)}, whose grammar SQL is checked by,"
                f" is not available ({type(error).__name__}). Check that PostgreSQL runs and "
                f"{METADATA_DSN.name} is right."
            ) from None


def blanked(sql: str) -> list[str] | None:
    """Each statement of the text without what its strings, numbers, quoted names and comments hold.

    None if it cannot be taken apart, or sent.
    """
    if len(sql) > LONGEST_SQL or "\0" in sql or not _is_unicode(sql):
        return None
    sql = sql.replace("\r", "\n")
    try:
        tokens = _Words(dialect="postgres").tokenize(sql)
    except TokenError:
        return None
    statements: list[list[str]] = [[]]
    depth = 0
    is_body = False
    before: Token | None = None
    for token in tokens:
        kind = token.token_type
        depth += _DEPTHS.get(kind, 0)
        # The body of a routine or a rule holds statements of its own.
        is_body = is_body or (
            before is not None and before.token_type == _BEGIN and token.text.lower() == "atomic"
        )
        if kind == _SEMICOLON and depth <= 0 and not is_body:
            statements.append([])
            before = None
            depth = 0
            continue
        if before is not None:
            gap = sql[before.end + 1 : token.start]
            if _FOREIGN_BLANK.search(gap) and not _COMMENT.search(gap):
                return None
            statements[-1].append(_gap(gap))
        is_escape = before is not None and before.text.lower() == "uescape"
        text = sql[token.start : token.end + 1]
        statements[-1].append(text if is_escape and len(text) == len("'!'") else _blank(kind, text))
        before = token
    return ["".join(words) for words in statements if words]


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _gap(text: str) -> str:
    # Strings on two lines are one string.
    return "" if not text else "\n" if "\n" in text else " "


def _blank(kind: TokenType, text: str) -> str:
    if kind == _NUMBER:
        # Digit by digit, as 1.5.3 is not to become a number.
        return _DIGITS.sub("0", text)
    if kind == _HEREDOC:
        return "$$$$"
    if text.startswith('"') and len(text) > len('""'):
        # A value in the wrong quotes is a name to the server, which would tell it in its log.
        return '"x"'
    if kind in _STRINGS:
        prefix, quote, _ = text.partition("'")
        return f"{prefix}''" if quote else "0"
    return text
