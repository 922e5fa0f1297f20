"""What the demo shows while things happen: a live table, or lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from twd_local.demo.progress import ASSETS, AssetState

_STYLES = {"waiting": "dim", "running": "yellow", "done": "green", "failed": "bold red"}

States = Mapping[tuple[str, str], AssetState]


class ProgressScreen:
    """Connection × asset → waiting, running, done with the seconds since `started`."""

    def __init__(self, console: Console, names: Sequence[str], started: float) -> None:
        """`names` are the databases, in the order of the rows or columns."""
        self._console = console
        self._names = names
        self._started = started
        self._shown: dict[tuple[str, str], str] = {}
        self._told: set[str] = set()
        # A table that is drawn again and again is noise in a file.
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the last picture standing."""
        if self._live:
            self._live.stop()

    def show(self, states: States, notes: Sequence[str]) -> None:
        """Draw `states` (database, asset), with `notes` below."""
        if self._live:
            self._live.update(self._table(states, notes))
            return
        for key, state in states.items():
            if self._shown.get(key) != state.state:
                self._shown[key] = state.state
                if state.state != "waiting":
                    self._print(f"{key[0]:<12} {key[1]:<30} {state.state}")
        for note in notes:
            if note not in self._told:
                self._told.add(note)
                self._print(note)

    def _print(self, line: str) -> None:
        elapsed = time.time() - self._started
        self._console.print(f"  {elapsed:6.1f} s  {line}", markup=False, soft_wrap=True)

    def _table(self, states: States, notes: Sequence[str]) -> Table:
        elapsed = time.time() - self._started
        caption = "\n".join((f"{elapsed:.0f} s since the connections were registered", *notes))
        table = Table(caption=caption, caption_justify="left")
        table.add_column("asset")
        for name in self._names:
            table.add_column(name, min_width=13)
        for asset in ASSETS:
            cells = (states.get((name, asset), AssetState("waiting")) for name in self._names)
            table.add_row(asset, *(self._cell(cell) for cell in cells))
        return table

    def _cell(self, state: AssetState) -> str:
        style = _STYLES[state.state]
        text = state.state
        if state.state == "done" and state.done_at is not None:
            since = state.done_at - self._started
            text = f"done {since:6.1f} s" if since >= 0 else "done before"
        return f"[{style}]{text}[/{style}]"
