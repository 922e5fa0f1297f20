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


def test_where_there_is_no_terminal_a_problem_is_told_once() -> None:
    console = Console(file=io.StringIO(), width=80)
    problem = "pagila: at [127.0.0.1]:5432/pagila refused the user"
    with console.capture() as captured, ProgressScreen(console, NAMES, started=0.0) as screen:
        for _ in range(2):
            screen.show({}, [problem])
    assert captured.get().count(problem) == 1
