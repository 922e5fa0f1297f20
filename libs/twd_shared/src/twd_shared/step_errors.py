"""What a step of a run failed with, as Dagster tells it."""

from dagster_shared.error import SerializableErrorInfo

_WRAPPED_BY_DAGSTER = "DagsterExecutionStepExecutionError"


def raised_in(error: SerializableErrorInfo) -> SerializableErrorInfo:
    """What the step raised, which Dagster wraps in an exception of its own.

    What caused that is not to be told: a driver's exception may hold a connection string.
    """
    return (error.cls_name == _WRAPPED_BY_DAGSTER and error.cause) or error
