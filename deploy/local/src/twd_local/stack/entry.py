"""How each command of the stack begins: nothing of the user's shell may keep it from its servers.

It also ends as it does at Ctrl-C when its terminal is closed or it is told to end: what it has
begun is taken back, and no process of its own stays.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from twd_local.stack.environment import forget_libpq, reach_this_machine_directly
from twd_local.stack.errors import FORESEEN
from twd_local.stack.home import Home
from twd_local.stack.plan import chosen_home
from twd_local.stack.supervision import Supervisor


def run_command(main: Callable[[], int]) -> NoReturn:
    """Be the command `main`, and exit with its status."""
    reach_this_machine_directly(os.environ)
    with suppress(*FORESEEN):  # `main` meets it too, and tells it
        if has_own_postgres(chosen_home(os.environ)):
            forget_libpq(os.environ)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _exit)
    sys.exit(main())


def has_own_postgres(home: Home) -> bool:
    """Whether a stack runs in `home` that has started a PostgreSQL of its own."""
    return (home.services / "postgres.json").exists() and Supervisor(home).is_running()


def _exit(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
