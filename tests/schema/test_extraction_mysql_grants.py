"""SHOW GRANTS of MySQL and MariaDB: which tables a role is shown, with hostile names."""

from __future__ import annotations

import pytest

from twd_schema.extraction.dialects.mysql_grants import granted_tables

USAGE = "GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*2D8EF61A814C7AEC5FE0446292E7AA6C'"


@pytest.mark.parametrize(
    "line",
    [
        "GRANT SELECT ON *.* TO `u`@`%`",
        "GRANT ALL PRIVILEGES ON *.* TO 'u'@'%' IDENTIFIED BY PASSWORD 'x' WITH GRANT OPTION",
        "GRANT SELECT, INSERT ON `shop`.* TO `u`@`%`",
        "GRANT CREATE, REFERENCES ON `shop`.* TO `u`@`%` WITH GRANT OPTION",
        'GRANT SELECT ON "shop".* TO "u"@"%"',
        "GRANT SELECT ON `sh%`.* TO `u`@`%`",
        "GRANT SELECT ON `sho_`.* TO `u`@`%`",
        "GRANT SELECT ON `shop`.* TO `a role`",
    ],
)
def test_who_may_read_the_whole_database_is_shown_all(line: str) -> None:
    assert granted_tables([USAGE, line], "shop") is None


@pytest.mark.parametrize(
    "line",
    [
        USAGE,
        "GRANT SELECT ON `other`.* TO `u`@`%`",
        "GRANT SELECT ON `sho`.* TO `u`@`%`",
        r"GRANT SELECT ON `sho\_`.* TO `u`@`%`",
        r"GRANT SELECT ON `sho\%`.* TO `u`@`%`",
        "GRANT DELETE, LOCK TABLES, EXECUTE ON `shop`.* TO `u`@`%`",
        "GRANT EXECUTE ON PROCEDURE `shop`.`p` TO `u`@`%`",
        "GRANT `shop` TO `u`@`%`",
        "GRANT PROXY ON ''@'' TO 'u'@'%' WITH GRANT OPTION",
        "GRANT SELECT (`a`) ON `shop`.* TO `u`@`%`",
        "SET DEFAULT ROLE `r` FOR `u`@`%`",
        "",
        "something new ON `shop`.* TO `u`",
    ],
)
def test_what_does_not_surely_show_the_database_shows_nothing(line: str) -> None:
    assert granted_tables([line], "shop") == ()


def test_granted_tables_are_listed_in_order() -> None:
    lines = [
        USAGE,
        "GRANT SELECT, INSERT (`a`) ON `shop`.`orders` TO `u`@`%`",
        "GRANT SELECT, DELETE ON `shop`.`customers` TO `u`@`%`",
        "GRANT DELETE ON `shop`.`hidden` TO `u`@`%`",
        "GRANT SELECT ON `other`.`visits` TO `u`@`%`",
    ]
    assert granted_tables(lines, "shop") == (("shop", "customers"), ("shop", "orders"))


def test_a_table_of_which_only_columns_are_granted_is_not_listed() -> None:
    line = "GRANT SELECT (`a`, `b`), INSERT (`a`), DELETE ON `shop`.`orders` TO `u`@`%`"
    assert granted_tables([USAGE, line], "shop") == ()


def test_a_table_that_one_of_several_grants_shows_whole_is_listed() -> None:
    lines = [
        "GRANT SELECT (`a`) ON `shop`.`orders` TO `u`@`%`",
        "GRANT SELECT ON `shop`.`orders` TO `r`",
    ]
    assert granted_tables(lines, "shop") == (("shop", "orders"),)


@pytest.mark.parametrize(
    "name",
    [
        "a`b",
        "x` TO `u",
        "a ON b",
        "line\nbreak",
        "b'c",
        '"',
        "*",
        "(",
        "-- no comment",
        "/*",
        "bảng.cột",
        "\\",
    ],
)
def test_a_hostile_table_name_is_taken_as_it_is(name: str) -> None:
    escaped = name.replace("`", "``")
    line = f"GRANT SELECT ON `shop`.`{escaped}` TO `u`@`%`"
    assert granted_tables([line], "shop") == (("shop", name),)


def test_a_hostile_database_name_is_taken_as_it_is() -> None:
    line = "GRANT SELECT ON `a``b.* TO x`.* TO `u`@`%`"
    assert granted_tables([line], "a`b.* TO x") is None
    assert granted_tables([line], "shop") == ()


def test_a_wildcard_is_none_in_a_grant_on_a_table() -> None:
    assert granted_tables(["GRANT SELECT ON `sh%`.`orders` TO `u`@`%`"], "shop") == ()


def test_of_several_patterns_the_most_specific_may_show_nothing() -> None:
    lines = ["GRANT SELECT ON `sh%`.* TO `u`@`%`", "GRANT EXECUTE ON `shop`.* TO `u`@`%`"]
    assert granted_tables(lines, "shop") == ()


def test_what_a_role_is_granted_adds_to_the_users_own() -> None:
    lines = ["GRANT EXECUTE ON `shop`.* TO `u`@`%`", "GRANT SELECT ON `shop`.* TO `r`"]
    assert granted_tables(lines, "shop") is None


def test_a_database_that_is_taken_out_of_a_grant_on_all_is_not_shown() -> None:
    # Partial revokes, https://dev.mysql.com/doc/refman/8.4/en/partial-revokes.html
    lines = [
        "GRANT SELECT ON *.* TO `u`@`%`",
        "REVOKE SELECT ON `shop`.* FROM `u`@`%`",
        "GRANT SELECT ON `shop`.`orders` TO `u`@`%`",
    ]
    assert granted_tables(lines, "shop") == (("shop", "orders"),)
    assert granted_tables(lines, "other") is None
