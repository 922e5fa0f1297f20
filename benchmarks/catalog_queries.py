"""The limit of an extraction: its own catalog queries as a script for psql, their answers dropped.

`python -m benchmarks.catalog_queries MAJOR`, in the schema location's environment; MAJOR is the
server's release.
"""

from __future__ import annotations

import sys

from twd_schema.extraction.postgresql.statements import statements


def main() -> int:
    """Print the script: one transaction, with the settings of the reader's connection."""
    print("set jit = off;")
    print("set search_path to '';")
    print("set work_mem = '64MB';")
    print("set max_parallel_workers_per_gather = 0;")
    print("begin isolation level repeatable read read only;")
    for statement in statements(int(sys.argv[1])).values():
        # \copy takes one line.
        print(f"\\copy ({' '.join(statement.splitlines())}) to '/dev/null'")
    print("commit;")
    return 0


if __name__ == "__main__":
    sys.exit(main())
