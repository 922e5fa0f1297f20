"""What a command writes to standard output, for people and for programs that read it."""

from __future__ import annotations

import os
import sys

from twd_shared.errors import ConfigurationError


def write_output(text: str) -> None:
    """Write the text and an end of line: UTF-8, whatever the terminal says.

    A reader that has seen enough, as `head` has, is no error.
    Raises: ConfigurationError if it cannot be written.
    """
    try:
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _write_no_more()
    except OSError as error:
        _write_no_more()
        raise ConfigurationError(
            f"The output cannot be written ({error.strerror}). Make room, or write it elsewhere."
        ) from None


def _write_no_more() -> None:
    # Else Python would try once more at its end, and say at length that it cannot.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
