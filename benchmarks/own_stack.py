"""A whole stack with the settings of `make up` or others, in a folder and on ports of its own."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from twd_local.stack.home import Home
from twd_local.stack.lifecycle import clean, up
from twd_local.stack.plan import Stack
from twd_shared import settings

# What the user has set for another stack, addresses above all, is not for this one.
_OWN = {variable.name: "" for variable in settings.VARIABLES} | {"TWD_PORTS": "free"}

say = partial(print, file=sys.stderr, flush=True)


@contextmanager
def own_stack(chosen: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """The stack, up, with these settings; everything of it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="twd-bench-") as folder:
        # PostgreSQL, if root started it, runs as another user and must come through this folder.
        Path(folder).chmod(0o711)
        home = Home.from_environment({"TWD_HOME": f"{folder}/home"})
        try:
            yield up(home, {**os.environ, **_OWN, **(chosen or {})}, say=say)
        finally:
            clean(home, say=say)
