"""How Alembic reaches the metadata database: one transaction, its own version table in `twd`."""

from contextlib import closing

import sqlalchemy as sa
from alembic import context

from twd_shared.errors import ConfigurationError
from twd_shared.settings import METADATA_DSN
from twd_shared.store import (  # noqa: F401 - their tables belong to the metadata
    analytics_tables,
    sync_tables,
)
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import SCHEMA_NAME, metadata

# Two stacks that start at once must not run the same migration twice.
_LOCK = 0x7477_6400


def run() -> None:
    dsn: str = context.config.attributes["dsn"]
    # Its errors tell where it is, and repeat nothing of the address.
    with closing(MetadataDatabase(dsn)) as database, database.begin() as connection:
        connection.execute(sa.text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        # PostgreSQL looks into the schema named like the role first: Dagster's own tables would be
        # made there, among ours.
        if connection.execute(sa.text("select current_user")).scalar_one() == SCHEMA_NAME:
            raise ConfigurationError(
                f"{METADATA_DSN.name} must not use a role named {SCHEMA_NAME!r}: PostgreSQL would "
                f"put Dagster's tables into the schema {SCHEMA_NAME!r}. Use a role of another name."
            )
        connection.execute(sa.text(f"create schema if not exists {SCHEMA_NAME}"))
        context.configure(
            connection=connection,
            target_metadata=metadata,
            version_table_schema=SCHEMA_NAME,
            include_schemas=True,
            include_name=lambda name, type_, _: type_ != "schema" or name == SCHEMA_NAME,
        )
        context.run_migrations()


run()
