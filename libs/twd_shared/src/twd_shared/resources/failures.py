"""How this project's errors become Dagster failures: with their message, and retried or not."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from twd_shared.errors import PermanentError, TransientError
from twd_shared.settings import Settings


@contextmanager
def explained_failures() -> Iterator[None]:
    """Fail a step with the error's own message; a permanent error is not retried.

    The cause is cut off: Dagster stores the whole chain of a failure, and a driver's exception
    may repeat a connection string.
    """
    try:
        yield
    except PermanentError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    except TransientError as error:
        raise dg.Failure(str(error)) from None


def retry_policy(settings: Settings) -> dg.RetryPolicy:
    """Retry a passing error with growing, jittered waits (three times after 10 s by default)."""
    return dg.RetryPolicy(
        max_retries=settings.run_max_retries,
        delay=settings.run_retry_seconds,
        backoff=dg.Backoff.EXPONENTIAL,
        jitter=dg.Jitter.PLUS_MINUS,
    )
