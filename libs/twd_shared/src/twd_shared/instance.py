"""Bringing Dagster's own storage to where runs expect it: `python -m twd_shared.instance`.

To be run before the first Dagster process of a release, once. Doing it again changes nothing.
"""

import os
import sys

import dagster as dg
import sqlalchemy as sa

from twd_shared import settings
from twd_shared.contract import OLLAMA_POOL
from twd_shared.errors import ConfigurationError, TwdError
from twd_shared.store.database import MetadataDatabase

# By what a zone does, in winter and in summer, not by what it is called: UTC has many names.
_FROM_UTC = sa.text("""
select current_user, current_setting('TimeZone'),
  extract(timezone from timestamptz '2026-01-01 00:00Z') = 0
  and extract(timezone from timestamptz '2026-07-01 00:00Z') = 0
""")


def prepare(instance: dg.DagsterInstance) -> None:
    """Create or upgrade the tables and the pools of `instance`.

    Two processes that create the same tables at once collide. So do two runs that are the first to
    ask for a slot of a pool: one of them fails.
    """
    # Reading makes each storage create its tables.
    instance.get_runs_count()
    instance.get_asset_keys(limit=1)
    instance.all_instigator_state()
    instance.upgrade()
    storage = instance.event_log_storage
    if OLLAMA_POOL not in {pool.name for pool in storage.get_pool_limits()}:
        # On PostgreSQL Dagster fails to make a pool that is there.
        storage.initialize_concurrency_limit_to_default(OLLAMA_POOL)


def require_utc(dsn: str) -> None:
    """Nothing if sessions of the metadata database are in UTC.

    Dagster writes moments of runs without a zone, as its session has them, and reads them as UTC.
    Raises ConfigurationError with what to do, and as MetadataDatabase.
    """
    database = MetadataDatabase(dsn)
    try:
        with database.read() as connection:
            role, zone, is_utc = connection.execute(_FROM_UTC).one()
    finally:
        database.close()
    if not is_utc:
        raise ConfigurationError(
            f"Sessions of role {role} at {database.place} are in the time zone {zone}, and moments "
            "of Dagster's runs would be wrong by its offset. Give the role the one that Dagster "
            f"takes them to be in, and try again: alter role \"{role}\" set timezone = 'UTC'"
        )


def main() -> int:
    """Prepare the instance that DAGSTER_HOME names; 2 = a setting is missing or wrong.

    dagster.yaml reads some by itself, and takes what it cannot mean: none of 0 runs ever starts.
    """
    try:
        settings.check(os.environ)
        require_utc(settings.value_of(os.environ, settings.METADATA_DSN))
    except TwdError as error:
        print(error, file=sys.stderr)
        return 2
    with dg.DagsterInstance.get() as instance:
        prepare(instance)
    return 0


if __name__ == "__main__":
    sys.exit(main())
