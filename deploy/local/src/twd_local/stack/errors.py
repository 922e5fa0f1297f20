"""What goes wrong with the stack and can be put right by the person who runs it.

Raised with a message that says what happened, to which process, and what to do.
"""

from __future__ import annotations

from twd_shared.errors import PermanentError


class StackError(PermanentError):
    """The stack cannot do what was asked; the message holds the remedy."""
