"""Names of a knowledge base's collections and aliases in Qdrant, and nothing else."""

from __future__ import annotations

import re
from typing import Literal

Part = Literal["ddl", "documentation", "sql", "langchain", "memory"]
PARTS: tuple[Part, ...] = ("ddl", "documentation", "sql", "langchain", "memory")


def alias_of(partition_key: str, part: Part) -> str:
    """The name that readers use: `kb_<partition key>_<part>`.

    The partition key is unique, never changes and holds only letters, digits, `_`, `.` and `-`,
    whatever the database is called. As alias and collection end in the part, or in its version,
    no key can make a name of another key's.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", partition_key):
        raise ValueError(f"{partition_key!r} is no partition key of the registry")
    return f"kb_{partition_key}_{part}"


def collection_of(partition_key: str, part: Part, version: int) -> str:
    """The physical collection of one version: `kb_<partition key>_<part>_v<version>`."""
    return f"{alias_of(partition_key, part)}_v{version}"


def version_in(partition_key: str, collection: str) -> int | None:
    """The version, if the collection is one of this connection's knowledge base."""
    key = re.escape(partition_key)
    match = re.fullmatch(rf"kb_{key}_(?:{'|'.join(PARTS)})_v(\d+)", collection)
    return int(match[1]) if match else None
