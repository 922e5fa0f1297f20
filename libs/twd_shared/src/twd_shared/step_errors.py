"""What a step of a run failed with, as Dagster tells it."""

from dagster_shared.error import SerializableErrorInfo

# The second is around what a step with a retry policy raises.
_WRAPPERS_OF_DAGSTER = {"DagsterExecutionStepExecutionError", "RetryRequestedFromPolicy"}


def raised_in(error: SerializableErrorInfo) -> SerializableErrorInfo:
    """What the step raised, which Dagster wraps in an exception of its own.

    What caused that is not to be told: a driver's exception may hold a connection string.
    """
    return (error.cls_name in _WRAPPERS_OF_DAGSTER and error.cause) or error
