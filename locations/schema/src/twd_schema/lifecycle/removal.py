"""Taking a connection out: nothing of it stays searchable; its history stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.documentation import DocumentationStore
from twd_shared.store.index_locks import IndexLocks
from twd_shared.store.index_origins import IndexOrigins
from twd_shared.store.index_states import IndexStateStore
from twd_shared.store.source_checks import SourceCheckStore

if TYPE_CHECKING:
    from twd_shared.clients.schema_index import SchemaIndex


def take_out(connection_id: str, index: SchemaIndex, database: MetadataDatabase) -> bool:
    """Remove a connection's points and documentation and mark it inactive.

    False, and nothing is done, while it is being published or another collection is put in place:
    then a later tick does it. The points go first and the marks last: cut off half-way, the next
    tick does it again, or a connection that is active again by then is imported again.
    """
    with IndexLocks(database, index.alias).taking_out(connection_id) as held:
        if held:
            held.still_held()
            states = IndexStateStore(database)
            states.begin(connection_id)
            index.delete_connection(connection_id)
            DocumentationStore(database).delete(connection_id)
            states.delete(connection_id)
            IndexOrigins(database).delete(connection_id)
            SourceCheckStore(database).delete(connection_id)
            ConnectionRegistry(database).deactivate(connection_id)
    return held is not None
