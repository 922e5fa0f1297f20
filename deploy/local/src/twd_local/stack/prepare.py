"""Brings the metadata database to where the processes of the stack expect it, once a start.

Runs before the first Dagster process, because two of them on a fresh database collide while
creating the same tables. Doing it again changes nothing.
"""

from __future__ import annotations

import os
import sys

from dagster import DagsterInstance

from twd_shared import settings
from twd_shared.store import migrate


def main() -> int:
    """Create or upgrade schema `twd` and Dagster's storage, at the environment's address."""
    migrate.upgrade(settings.value_of(os.environ, settings.METADATA_DSN))
    with DagsterInstance.get() as instance:
        # Reading makes each storage create its tables.
        instance.get_runs_count()
        instance.get_asset_keys(limit=1)
        instance.all_instigator_state()
        instance.upgrade()
    return 0


if __name__ == "__main__":
    sys.exit(main())
