"""The Dagster UI of the running stack in a real browser: what a newcomer sees of it.

Pictures go to the folder that TWD_PICTURES names (`make pictures`: docs), else nowhere.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from .conftest import PASSWORD, RunningStack, until

pytestmark = pytest.mark.e2e

_CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
_SLOW_MS = 60_000

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if _CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, running: RunningStack) -> Iterator[Open]:
    """Opens a page of the UI in a window of that size."""
    pages: list[Page] = []

    def _open(path: str, width: int = 1400, height: int = 1060) -> Page:
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(_SLOW_MS)
        page.goto(f"{running.stack.ui_url}{path}")
        pages.append(page)
        return page

    yield _open
    for page in pages:
        page.close()


def picture(page: Page, name: str) -> None:
    folder = os.environ.get("TWD_PICTURES")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def seen(page: Page, *texts: str) -> None:
    """Wait until all of it is to be seen."""
    for text in texts:
        expect(page.get_by_text(text, exact=False).first).to_be_visible(timeout=_SLOW_MS)


def test_one_lineage_spans_the_three_locations(open_page: Open, shop: str) -> None:
    page = open_page("/asset-groups", 1656, 1504)
    seen(page, "schema", "sync", "training", "analytics")
    page.wait_for_load_state("networkidle")
    page.mouse.click(900, 300, button="right")
    page.get_by_role("menuitem").or_(page.locator("[class*=menu-item]")).filter(
        has_text="Expand all groups"
    ).first.click(force=True)
    # Long names are shortened there.
    seen(page, "schema_embeddings", "updated_embeddings", "trained_model", "daily_query_stats")
    picture(page, "lineage")


def test_sensors_and_schedules_of_all_locations_are_on(open_page: Open, shop: str) -> None:
    page = open_page("/automation", 1400, 1190)
    seen(page, "new_connection_sensor", "training_data_sensor", "daily_analytics_schedule")
    boxes, on = page.get_by_role("checkbox"), page.locator("input[type=checkbox]:checked")
    # A row has a box to select it and a switch; one box more selects all.
    until(lambda: on.count() > 10 and boxes.count() == 2 * on.count() + 1, "all are on", 60)
    picture(page, "overview")


@pytest.mark.parametrize(
    ("asset", "tells"),
    [
        ("schema/raw_schema_metadata", ("table_count", "fingerprint")),
        ("schema/schema_embeddings", ("embedded_tables", "vector_dimension")),
        ("sync/updated_embeddings", ("points", "collection")),
        ("training/trained_model", ("trained_tables", "total_training_items")),
        ("training/model_evaluation", ("recall_by_version",)),
    ],
)
def test_the_partition_of_a_database_tells_what_was_made(
    open_page: Open, shop: str, asset: str, tells: tuple[str, ...]
) -> None:
    page = open_page(f"/assets/{asset}?view=partitions&partition={shop}")
    seen(page, shop, "Materialized", *tells)
    assert PASSWORD not in page.content()


def test_a_plot_opens_as_a_picture(open_page: Open, shop: str) -> None:
    page = open_page(f"/assets/training/model_evaluation?view=partitions&partition={shop}")
    page.get_by_text("[Show Markdown]").first.click()
    image = page.locator("img[src^='data:image/svg+xml']").first
    expect(image).to_be_visible(timeout=_SLOW_MS)
    assert image.evaluate("image => image.complete && image.naturalWidth > 100")


def test_a_failed_run_says_what_happened_and_what_to_do(
    open_page: Open, running: RunningStack, shop: str
) -> None:
    running.connect("closed", "postgresql://nobody:not-a-secret-1@127.0.0.1:1/closed")

    def failed() -> Any:
        return next((one for one in running.runs("closed") if one["status"] == "FAILURE"), None)

    run = until(failed, "the import of closed has failed", 180)
    page = open_page(f"/runs/{run['runId']}")
    seen(page, "127.0.0.1:1", "Check host and port")
    assert "not-a-secret-1" not in page.content()
