"""The functions that a query of PostgreSQL's may call, by name: which of them are the source's own.

Pure. Read from the words, as the server does: a parser takes some calls for others, or for columns.
`c.total` calls total(c) where a row `c` has no such column.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from twd_shared.sql.parsing import dialect_of, parsed

_DIALECT = "postgresql"

OF_THE_SOURCE = """
select exists (
  select from pg_catalog.pg_proc as called
  left join pg_catalog.pg_type as given
    on given.oid = case when called.provariadic = 0 then called.proargtypes[0]
                        else called.provariadic end
  left join pg_catalog.pg_type as base on base.oid = given.typbasetype
  where called.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace
    and (called.proname = any ($1::pg_catalog.text[]::pg_catalog.name[])
      or called.proname = any ($2::pg_catalog.text[]::pg_catalog.name[])
        and called.pronargs - called.pronargdefaults <= 1
        and coalesce(base.typtype, given.typtype) in ('c', 'd', 'p')
        and not exists (select from pg_catalog.pg_attribute as its
          where its.attrelid = coalesce(base.typrelid, given.typrelid)
            and its.attname = called.proname and not its.attisdropped)))
"""
"""Whether the source has a function of its own of one of the names ($1), or one of $2 that is given
a row of a type without a column of that name. Types that stand for any, and domains over others
than base types, may be given rows."""

# Functions that are called without brackets.
_WITHOUT_BRACKETS = frozenset(
    """current_catalog current_date current_role current_schema current_time current_timestamp
    current_user localtime localtimestamp session_user system_user user""".split()
)


class Called(NamedTuple):
    """Names of functions that a query may call, sorted, as the server may compare them.

    `anyhow`: called whatever they are given; `of_rows`: only by a name for a row with a dot, where
    no column is meant.
    """

    anyhow: list[str]
    of_rows: list[str]


def called_in(sql: str) -> Called:
    """The names of the functions that one query may call, and names that no function has."""
    tokens = dialect_of(_DIALECT).tokenize(sql)
    # Such a row is one value, and any function of one value may stand behind its dot.
    of_values = _has_function_in_from(sql)
    anyhow: set[str] = set()
    of_rows: set[str] = set()
    for place, token in enumerate(tokens):
        if place and token.token_type == TokenType.L_PAREN:
            anyhow.update(_names(tokens[place - 1]))
        elif place > 1 and tokens[place - 1].token_type == TokenType.DOT:
            behind = tokens[place - 2].token_type
            is_row = behind not in (TokenType.R_PAREN, TokenType.R_BRACKET)
            (of_rows if is_row and not of_values else anyhow).update(_names(token))
    return Called(sorted(anyhow), sorted(of_rows))


def has_escaped_name(sql: str) -> bool:
    r"""Whether a name is written in escapes, as U&"\0061" is."""
    tokens = dialect_of(_DIALECT).tokenize(sql)
    return any(
        quoted.token_type == TokenType.IDENTIFIER
        and mark.token_type == TokenType.AMP
        and word.text.lower() == "u"
        and word.end + 1 == mark.start
        and mark.end + 1 == quoted.start
        for word, mark, quoted in zip(tokens, tokens[1:], tokens[2:], strict=False)
    )


def _names(token: Token) -> Iterator[str]:
    """What the server may compare: quoted as it is, else in small letters, those of A to Z or all.

    A token may be several words of a type; the last of them may be a name.
    """
    if token.token_type == TokenType.IDENTIFIER:
        yield token.text
        return
    for word in token.text.split()[-1:]:
        yield word.lower()
        yield "".join(letter.lower() if letter.isascii() else letter for letter in word)


def _has_function_in_from(sql: str) -> bool:
    for statement in parsed(sql, _DIALECT) or ():
        named = statement.find_all(exp.Table, exp.Lateral, exp.Unnest)
        others = (clause.this for clause in statement.find_all(exp.From, exp.Join))
        if not all(map(_gives_rows, (*named, *others))):
            return True
    return False


def _gives_rows(item: exp.Expr) -> bool:
    """Whether an item of FROM is a table or a query."""
    if isinstance(item, exp.Table):
        is_name = isinstance(item.this, exp.Identifier)
        return is_name and item.name.lower() not in _WITHOUT_BRACKETS
    if isinstance(item, exp.Lateral):
        return isinstance(item.this, exp.Subquery)
    return isinstance(item, exp.Subquery | exp.Values)
