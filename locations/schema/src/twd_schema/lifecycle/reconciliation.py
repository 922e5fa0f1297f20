"""Comparing the application's whole list of connections with what is known: a pure decision."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from twd_shared.clients.catalog import Connection
from twd_shared.store.connections import RegisteredConnection


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: which to import, which partitions to add, which connections to take out."""

    to_import: tuple[RegisteredConnection, ...]
    partitions_to_add: tuple[str, ...]
    to_take_out: tuple[RegisteredConnection, ...]


def plan_lifecycle(
    listed: Iterable[Connection],
    known: Iterable[RegisteredConnection],
    partitions: Collection[str],
    indexed: Collection[str],
    untouchable: Collection[str],
) -> Plan:
    """The plan for the application's list.

    `known` is the registry after the list was registered, `partitions` the partition keys that
    exist, `indexed` the ids of connections that the schema index holds. A connection that is
    active and not indexed is to be imported, whatever was tried before; one that is paused or no
    longer listed is taken out, unless it is `untouchable`: listed in a way that cannot be read, or
    absent for too short a time.
    """
    active = {item.connection_id for item in listed if item.is_active}
    registered = {item.connection_id: item for item in known}
    wanted = [registered[key] for key in registered if key in active]
    return Plan(
        to_import=tuple(item for item in wanted if item.connection_id not in indexed),
        partitions_to_add=tuple(
            item.partition_key for item in wanted if item.partition_key not in partitions
        ),
        to_take_out=tuple(
            item
            for item in registered.values()
            if item.connection_id not in active
            and item.connection_id not in untouchable
            and (
                item.is_active or item.partition_key in partitions or item.connection_id in indexed
            )
        ),
    )
