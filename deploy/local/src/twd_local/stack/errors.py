"""What goes wrong with the stack and can be put right by the person who runs it.

Raised with a message that says what happened, to which process, and what to do. Errors of
libraries that get as far as a command are worded here.
"""

from __future__ import annotations

import shutil

import httpx
import psycopg2

from twd_local.postgres.locations import PostgresError
from twd_shared.errors import PermanentError, TwdError

# What every command reports in one message; anything else is a mistake in the program.
FORESEEN = (TwdError, PostgresError, psycopg2.Error, httpx.HTTPError, httpx.InvalidURL, OSError)


class StackError(PermanentError):
    """The stack cannot do what was asked; the message holds the remedy."""


def explained(error: Exception) -> str:
    """What to tell the user about `error`; the text of a driver is not repeated.

    A driver's text names hosts and users, and may hold parts of a connection string.
    """
    if isinstance(error, psycopg2.Error):
        return (
            f"A database of the stack did not do what was asked ({type(error).__name__}). "
            "See: make status, make logs SERVICE=postgres. Then try again."
        )
    if isinstance(error, httpx.HTTPError | httpx.InvalidURL):
        return (
            f"A server of the stack did not answer as it should ({type(error).__name__}). "
            "See: make status, make logs. Then try again."
        )
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        # Of a whole folder, the files that could not be copied, and why.
        source, _, reason = error.args[0][0]
        return f"{source} could not be copied: {reason}. Put that right, then try again."
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        return (
            f"The operating system refused{where} ({error.strerror or type(error).__name__}). "
            "Check the path, its permissions and the free space, then try again."
        )
    return str(error)
