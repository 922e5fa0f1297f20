"""Reading PostgreSQL's collations: those that a user made, whatever the server's release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from twd_schema.extraction.postgresql.values import collation_of
from twd_schema.history.replay import parse_errors
from twd_shared.schema_model.ddl import schema_script
from twd_shared.schema_model.models import Collation, Snapshot


@pytest.fixture
def dsn(services: Any) -> str:
    return services.database()


@pytest.fixture
def read(reader: Any, connection_to: Any) -> Callable[[str], Snapshot]:
    return lambda dsn: reader.read(connection_to(dsn))


def test_only_what_a_user_made_and_can_name_is_read(
    dsn: str, read: Callable[[str], Snapshot], execute: Callable[..., None]
) -> None:
    execute(
        dsn,
        "create table words (w text)",
        "create schema imported",
        "create collation imported.mine (locale = 'C')",
        "comment on collation imported.mine is 'as C does'",
        "create collation theirs (locale = 'C')",
        "alter extension plpgsql add collation theirs",
        "create collation pg_catalog.of_all (locale = 'C')",
        "create collation pg_temp.passing (locale = 'C')",
        "create collation far (locale = 'C')",
        "set allow_system_table_mods = on;"
        # As pg_import_system_collations makes them where a system has locales of many encodings.
        "update pg_collation set collencoding = pg_char_to_encoding('EUC_JP')"
        " where collname = 'far'",
    )
    assert read(dsn).collations == (
        Collation(schema="imported", name="mine", provider="libc", locale="C", comment="as C does"),
    )


def test_what_icu_is_told_is_read_and_written(
    services: Any, dsn: str, read: Callable[[str], Snapshot], execute: Callable[..., None]
) -> None:
    execute(
        dsn,
        "create collation \"case; --\" (locale = 'C')",
        "create table words (w text)",
        # The server of the tests is built without ICU, and does not ask it for what is not used.
        "set allow_system_table_mods = on;"
        "update pg_collation set collprovider = 'i', collcollate = null, collctype = null,"
        " colllocale = 'und-u-ks-level2', collicurules = E'& ''a\\\\\n < b', collencoding = -1,"
        " collisdeterministic = false where collname = 'case; --'",
    )
    snapshot = read(dsn)
    assert snapshot.collations == (
        Collation(
            schema="public",
            name="case; --",
            provider="icu",
            locale="und-u-ks-level2",
            deterministic=False,
            rules="& 'a\\\n < b",
        ),
    )
    script = schema_script(snapshot)
    made = (
        "CREATE COLLATION public.\"case; --\" (provider = icu, locale = 'und-u-ks-level2', "
        "deterministic = false, rules = E'& ''a\\\\\n < b')"
    )
    assert made in script
    assert parse_errors(services.postgres, script) == []


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        pytest.param(
            {"collprovider": "i", "collcollate": "@colStrength=secondary"}, {}, id="before 15"
        ),
        pytest.param(
            {"collprovider": "i", "collcollate": "@colStrength=secondary", "collctype": "vi"},
            {"ctype": "vi"},
            id="before 15, two locales",
        ),
        pytest.param(
            {"collprovider": "i", "colliculocale": "@colStrength=secondary", "collctype": None},
            {},
            id="15",
        ),
        pytest.param(
            {
                "collprovider": "i",
                "colliculocale": "@colStrength=secondary",
                "collctype": None,
                "collicurules": "&a < b",
            },
            {"rules": "&a < b"},
            id="16",
        ),
        pytest.param(
            {
                "collprovider": "b",
                "colllocale": "@colStrength=secondary",
                "collctype": None,
                "collcollate": None,
                "collicurules": None,
            },
            {"provider": "builtin"},
            id="17",
        ),
    ],
)
def test_where_a_locale_stands_differs_by_release(
    attributes: dict[str, Any], told: dict[str, Any]
) -> None:
    row = {"collctype": attributes.get("collcollate"), "collisdeterministic": True, **attributes}
    found = collation_of({"nspname": "s", "collname": "c", "comment": None, "attributes": row})
    usual = {"provider": "icu", "locale": "@colStrength=secondary"}
    assert found == Collation(schema="s", name="c", **(usual | told))
