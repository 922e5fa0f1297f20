"""What SHOW GRANTS says about which tables a role can see. Pure; asks no server.

MySQL and MariaDB show a role only what it was granted, so a table that is not listed may merely be
hidden. A grant on a table outlives the table: what is granted and not listed was dropped. A grant
on columns shows a part of the table, which proves nothing of the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from twd_schema.extraction.dialects.sql_text import Token, items, tokens

# Each of these on a table shows it with its columns. Others may show less: they do not count.
_SHOWING = frozenset({"ALL", "ALL PRIVILEGES", "SELECT", "INSERT", "UPDATE", "REFERENCES"})


@dataclass(frozen=True, slots=True)
class _Grant:
    revoked: bool
    whole: bool
    """Whether it shows what it is for, with all columns."""
    database: str | None
    """None = every one."""
    table: str | None
    grantee: tuple[str, ...]


def granted_tables(lines: Iterable[str], database: str) -> tuple[tuple[str, str], ...] | None:
    """The sorted (database, table) pairs that `lines` of SHOW GRANTS show whole; None = all.

    None only where that is certain: a line that is not understood shows nothing.
    """
    grants = [grant for line in lines if (grant := _parsed(line))]
    if _sees_all(grants, database):
        return None
    return tuple(
        sorted(
            {
                (database, grant.table)
                for grant in grants
                if grant.whole
                and not grant.revoked
                and grant.database == database
                and grant.table is not None
            }
        )
    )


def _sees_all(grants: list[_Grant], database: str) -> bool:
    of_database = [
        grant
        for grant in grants
        if grant.table is None and grant.database is not None and _matches(grant.database, database)
    ]
    restricted = any(grant.revoked for grant in of_database)
    if not restricted and any(
        grant.whole and grant.database is None and not grant.revoked for grant in grants
    ):
        return True
    # Of several patterns that match, the server takes the most specific one alone.
    by_grantee: dict[tuple[str, ...], list[bool]] = {}
    for grant in of_database:
        if not grant.revoked:
            by_grantee.setdefault(grant.grantee, []).append(grant.whole)
    return any(all(shown) for shown in by_grantee.values())


def _parsed(line: str) -> _Grant | None:
    found = tokens(line)
    keywords = [token.keyword for token in found]
    verb = keywords[0] if keywords else ""
    joined = {"GRANT": "TO", "REVOKE": "FROM"}.get(verb)
    if joined is None or "ON" not in keywords:
        return None
    on = keywords.index("ON")
    # ON `database`.`table` TO `user`@`host`; a routine has one more word before its name.
    target, rest = found[on + 1 : on + 4], found[on + 4 :]
    if len(target) < 3 or target[1].text != "." or not rest or rest[0].keyword != joined:
        return None
    return _Grant(
        revoked=verb == "REVOKE",
        whole=any(
            _spelled(privilege) in _SHOWING and privilege[-1].kind != "group"
            for privilege in items(found[1:on])
        ),
        database=_named(target[0]),
        table=_named(target[2]),
        grantee=_grantee(rest[1:]),
    )


def _spelled(privilege: list[Token]) -> str:
    return " ".join(token.keyword for token in privilege if token.kind != "group")


def _named(token: Token) -> str | None:
    return token.name if token.kind != "mark" else None


def _grantee(found: list[Token]) -> tuple[str, ...]:
    with_host = len(found) > 2 and found[1].text == "@"
    return tuple(token.name for token in (found[0:3:2] if with_host else found[:1]))


def _matches(pattern: str, database: str) -> bool:
    wildcards = {"%": ".*", "_": "."}
    return bool(
        re.fullmatch(
            "".join(
                wildcards.get(part) or re.escape(part[-1])
                for part in re.findall(r"\\[%_\\]|.", pattern, re.DOTALL)
            ),
            database,
            re.DOTALL,
        )
    )
