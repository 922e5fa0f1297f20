"""The releases of a cluster, rendered once for all tests that look at them."""

from __future__ import annotations

from pathlib import Path

import pytest

from twd_local.stack.names import LOCATIONS

from . import rendering
from .rendering import Document


@pytest.fixture(scope="session")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dagster's charts, as far as they were pulled."""
    rendering.helm()
    return rendering.charts(tmp_path_factory.mktemp("charts"))


@pytest.fixture(scope="session")
def platform(chart: Path) -> list[Document]:
    """The release of the webserver and the daemon."""
    return rendering.platform(chart)


@pytest.fixture(scope="session")
def locations(chart: Path) -> dict[str, list[Document]]:
    """The release of each code server."""
    return {name: rendering.location(chart, name) for name in LOCATIONS}
