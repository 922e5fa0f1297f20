"""The resources of a deployed location: every value from the environment, secrets by name only."""

from collections.abc import Mapping

import dagster as dg

from twd_shared import settings
from twd_shared.resources.servers import OllamaResource, QdrantResource
from twd_shared.resources.stores import (
    ApplicationDatabaseResource,
    CatalogResource,
    MetadataStoreResource,
)


def secret_value(environment: Mapping[str, str], variable: settings.Variable) -> str:
    """The secret for a resource's field: the variable by its name, to be read in a run; or ''.

    Raises ConfigurationError for one that is set and wrong, which does not repeat it.
    """
    if environment.get(variable.name):
        settings.value_of(environment, variable)
    elif variable.default is not None:
        return variable.default
    return dg.EnvVar(variable.name)


def default_resources(environment: Mapping[str, str]) -> dict[str, dg.ConfigurableResource]:
    """Resources that every location has, by the name that assets ask for.

    The UI shows a resource's configuration: a secret stands there as the name of its variable
    and is read when a run needs it; the rest stands there as it is.
    """

    def plain(variable: settings.Variable) -> str:
        return settings.value_of(environment, variable)

    def secret(variable: settings.Variable) -> str:
        return secret_value(environment, variable)

    return {
        "metadata_store": MetadataStoreResource(
            dsn=secret(settings.METADATA_DSN),
            webhook_url=secret(settings.ALERT_WEBHOOK_URL),
            webhook_format=plain(settings.ALERT_FORMAT),
        ),
        "application": ApplicationDatabaseResource(dsn=secret(settings.APPLICATION_DSN)),
        "catalog": CatalogResource(
            source=plain(settings.CATALOG),
            api_url=plain(settings.API_URL),
            application_dsn=secret(settings.APPLICATION_DSN),
            connection_keys=secret(settings.CONNECTION_KEYS),
            secrets_folder=plain(settings.SECRETS_FOLDER),
        ),
        "ollama": OllamaResource(
            base_url=plain(settings.OLLAMA_BASE_URL),
            embed_model=plain(settings.EMBED_MODEL),
            model=plain(settings.LLM_MODEL),
        ),
        "qdrant": QdrantResource(
            url=plain(settings.QDRANT_URL),
            api_key=secret(settings.QDRANT_API_KEY),
            collection_name=plain(settings.INDEX_ALIAS),
        ),
    }
