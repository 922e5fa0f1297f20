"""Taking a connection out: nothing of it stays searchable; its history stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.documentation import DocumentationStore
from twd_shared.store.index_states import IndexStateStore

if TYPE_CHECKING:
    from twd_shared.clients.schema_index import SchemaIndex


def take_out(
    connection_id: str,
    index: SchemaIndex,
    states: IndexStateStore,
    documentation: DocumentationStore,
    registry: ConnectionRegistry,
) -> None:
    """Remove a connection's points and documentation and mark it inactive.

    The points go first and the marks last: cut off half-way, the next tick does it again.
    """
    index.delete_connection(connection_id)
    documentation.delete(connection_id)
    states.delete(connection_id)
    registry.deactivate(connection_id)
