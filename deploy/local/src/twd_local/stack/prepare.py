"""Brings the metadata database to where the processes of the stack expect it, once a start."""

from __future__ import annotations

import os
import sys

from twd_shared import instance, settings
from twd_shared.store import migrate


def main() -> int:
    """Create or upgrade schema `twd` and Dagster's storage, at the environment's address."""
    migrate.upgrade(settings.value_of(os.environ, settings.METADATA_DSN))
    return instance.main()


if __name__ == "__main__":
    sys.exit(main())
