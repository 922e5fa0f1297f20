"""Reading JSON objects field by field, so that nothing asked for is silently left out.

Belongs here: type checks and the rule that a field nobody read is refused. Not here: meanings.
"""

from __future__ import annotations

from typing import Any, cast

from twd_local.qdrant_front.errors import bad_format, invalid, unsupported

Json = dict[str, Any]

# Matters of a cluster: a single node obeys every value of them.
_CLUSTER_ONLY = frozenset({"shard_key", "shard_number", "sharding_method", "replication_factor"})


def as_object(value: Any, where: str) -> Json:
    """Return `value` if it is a JSON object. Raises: ApiError 400."""
    if not isinstance(value, dict):
        raise bad_format(f"{where}: expected an object")
    return cast(Json, value)


def as_list(value: Any, where: str) -> list[Any]:
    """Return `value` if it is a JSON list. Raises: ApiError 400."""
    if not isinstance(value, list):
        raise bad_format(f"{where}: expected a list")
    return cast("list[Any]", value)


class Fields:
    """The fields of one JSON object; `null` counts as absent."""

    def __init__(self, value: Any, where: str) -> None:
        self.where = where
        self._left = {k: v for k, v in as_object(value, where).items() if v is not None}

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str, default: Any = None) -> Any:
        """Return the field, or `default` when absent."""
        return self._left.pop(name, default)

    def need(self, name: str) -> Any:
        """Return the field. Raises: ApiError 400 when absent."""
        if name not in self._left:
            raise bad_format(f"missing field `{name}`")
        return self._left.pop(name)

    def text(self, name: str) -> str:
        """Return a required string field. Raises: ApiError 400."""
        value = self.need(name)
        if not isinstance(value, str):
            raise bad_format(f"{name}: expected a string")
        return value

    def integer(self, name: str, default: int, minimum: int = 0) -> int:
        """Return an integer field. Raises: ApiError 400 for a wrong type, 422 when too small."""
        value = self.take(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise bad_format(f"{name}: expected an integer")
        if value < minimum:
            raise invalid(name, f"value {value} invalid, must be {minimum} or larger")
        return value

    def finish(self) -> None:
        """Refuse what nobody read. Raises: ApiError 501."""
        left = sorted(set(self._left) - _CLUSTER_ONLY)
        if left:
            raise unsupported(f"`{left[0]}` in {self.where}")
