"""What the demo's live table shows on a terminal of the usual size."""

from __future__ import annotations

import io

from rich.console import Console

from twd_local.demo.progress import ASSETS, AssetState
from twd_local.demo.screen import ProgressScreen

NAMES = ("pagila", "chinook", "northwind")


def test_names_and_times_are_whole_on_a_terminal_of_80_columns() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    screen = ProgressScreen(console, NAMES, started=0.0)
    done = {(name, asset): AssetState("done", done_at=113.0) for name in NAMES for asset in ASSETS}
    with console.capture() as captured, screen:
        screen.show(done, ())
    shown = captured.get()
    assert all(asset in shown for asset in ASSETS)
    assert "done  113.0 s" in shown
    assert "…" not in shown
