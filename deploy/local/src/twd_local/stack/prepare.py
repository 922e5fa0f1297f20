"""Brings the metadata database to where the processes of the stack expect it, once a start."""

from __future__ import annotations

import sys

from twd_shared import instance
from twd_shared.store import migrate


def main() -> int:
    """Create or upgrade schema `twd` and Dagster's storage, at the environment's address.

    0 = done, 2 = it failed, and stderr says why.
    """
    if failed := migrate.main([]):
        return failed
    return instance.main()


if __name__ == "__main__":
    sys.exit(main())
