"""What training may do with a connection: the form of the application's field `training`."""

from __future__ import annotations

import msgspec


class TrainingOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A connection's choices; by default nothing is asked of the source and nobody is listened to.

    A field that is missing has its default.
    """

    explain: bool = False
    """Whether the source is asked to plan what users teach; nothing is run."""
    messages: bool = False
    """Whether good answers of the application's messages are taught."""
    execute: bool = False
    """Whether the evaluation runs users' SQL, and a language model's for it, on the source."""
