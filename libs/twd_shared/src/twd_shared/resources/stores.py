"""The metadata database, the application's database and its catalog, as resources."""

import dagster as dg
from pydantic import PrivateAttr

from twd_shared.clients.application import ApplicationDatabase
from twd_shared.clients.catalog import (
    Catalog,
    Connection,
    catalog_of,
    connection_of,
)
from twd_shared.clients.connection_secrets import ConnectionSecrets
from twd_shared.clients.webhook import Webhook
from twd_shared.store.alert_delivery import AlertDelivery
from twd_shared.store.alerts import AlertOutbox
from twd_shared.store.connections import ConnectionRegistry, RegisteredConnection
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.documentation import DocumentationStore
from twd_shared.store.index_states import IndexStateStore
from twd_shared.store.snapshots import SnapshotStore


class MetadataStoreResource(dg.ConfigurableResource):
    """Schema `twd` of the metadata database, by its repositories."""

    dsn: str
    webhook_url: str = ""
    webhook_format: str = "auto"

    _database: MetadataDatabase | None = PrivateAttr(default=None)
    _snapshots: SnapshotStore | None = PrivateAttr(default=None)

    @property
    def database(self) -> MetadataDatabase:
        """Transactions on the metadata database, for repositories that a location owns."""
        if self._database is None:
            self._database = MetadataDatabase(self.dsn)
        return self._database

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Close the pool when the run or tick ends."""
        if self._database is not None:
            self._database.close()
            self._database = self._snapshots = None

    @property
    def connections(self) -> ConnectionRegistry:
        """The registry of connections."""
        return ConnectionRegistry(self.database)

    @property
    def snapshots(self) -> SnapshotStore:
        """Snapshots with their history; one store a run, as it remembers what it has decoded."""
        if self._snapshots is None:
            self._snapshots = SnapshotStore(self.database)
        return self._snapshots

    @property
    def documentation(self) -> DocumentationStore:
        """Documentation of tables."""
        return DocumentationStore(self.database)

    @property
    def index_states(self) -> IndexStateStore:
        """What the schema index holds of each connection."""
        return IndexStateStore(self.database)

    @property
    def alerts(self) -> AlertOutbox:
        """The outbox of alerts."""
        return AlertOutbox(self.database)

    @property
    def alert_delivery(self) -> AlertDelivery:
        """What empties that outbox into the webhook."""
        webhook = Webhook(self.webhook_url, self.webhook_format) if self.webhook_url else None
        return AlertDelivery(self.database, webhook)


class ApplicationDatabaseResource(dg.ConfigurableResource):
    """The application's database, only read: messages, conversations, users' training data."""

    dsn: str

    @property
    def database(self) -> ApplicationDatabase:
        """A reader of the database; raises ConfigurationError if the address cannot be used."""
        return ApplicationDatabase(self.dsn)


class CatalogResource(dg.ConfigurableResource):
    """The application's list of connections, from its API or its database."""

    source: str = "api"
    api_url: str
    application_dsn: str
    connection_keys: str = ""
    secrets_folder: str = ""

    _catalog: Catalog | None = PrivateAttr(default=None)

    @property
    def catalog(self) -> Catalog:
        """The catalog that `source` names, opened at first use.

        Raises ConfigurationError if it names none.
        """
        if self._catalog is None:
            secrets = ConnectionSecrets(self.connection_keys, self.secrets_folder)
            self._catalog = catalog_of(self.source, self.api_url, self.application_dsn, secrets)
        return self._catalog

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Close it when the run or tick ends."""
        if self._catalog is not None:
            self._catalog.close()
            self._catalog = None

    def connection(self, registered: RegisteredConnection) -> Connection:
        """The connection with its connection string, resolved now and never stored."""
        return connection_of(self.catalog, registered.connection_id)
