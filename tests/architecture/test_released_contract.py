"""Whoever changes the contract learns what locations that are not redeployed would miss."""

from __future__ import annotations

import pytest

from .released_contract import advice, promises, released

ASSET = "asset schema/raw_schema_metadata, made by schema, partitioned by source_databases"


def test_the_contract_is_what_was_released() -> None:
    different = advice(released(), promises())
    assert not different, different


@pytest.mark.parametrize(
    "instead",
    [
        "asset schema/raw_metadata, made by schema, partitioned by source_databases",
        "asset schema/raw_schema_metadata, made by training, partitioned by source_databases",
        "asset schema/raw_schema_metadata, made by schema, partitioned by nothing",
    ],
)
def test_a_renamed_moved_or_differently_partitioned_asset_is_to_be_kept(instead: str) -> None:
    said = advice({ASSET}, {instead})
    assert ASSET in said
    assert "Keep it and add the new beside it" in said


def test_something_new_is_to_be_written_down() -> None:
    said = advice({ASSET}, {ASSET, "pool gpu"})
    assert "pool gpu" in said
    assert "make contract" in said
    assert ASSET not in said
