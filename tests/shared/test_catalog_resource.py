"""The catalog as runs and ticks have it: opened once, and closed when they end."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from twd_shared.clients.catalog import Catalog, Listing
from twd_shared.resources.stores import CatalogResource

USED: list[Catalog] = []


@dg.asset
def listed(catalog: CatalogResource) -> None:
    """Asks twice."""
    for _ in range(2):
        USED.append(catalog.catalog)
        assert USED[-1].listing() == Listing(())


@dg.sensor(target=listed)
def listing_sensor(catalog: CatalogResource) -> dg.SkipReason:
    """Asks twice too."""
    for _ in range(2):
        USED.append(catalog.catalog)
        assert USED[-1].listing() == Listing(())
    return dg.SkipReason("as told")


@pytest.mark.parametrize("is_tick", [False, True])
def test_the_api_is_asked_by_one_client_which_is_closed_at_the_end(
    http_server: Any, is_tick: bool
) -> None:
    http_server.answer([])
    USED.clear()
    resources = {"catalog": CatalogResource(api_url=http_server.url, application_dsn="")}
    if is_tick:
        with dg.build_sensor_context(resources=resources) as context:
            listing_sensor(context)
    else:
        assert dg.materialize([listed], resources=resources).success
    first, second = USED
    assert first is second
    with pytest.raises(RuntimeError, match="closed"):
        first.listing()
