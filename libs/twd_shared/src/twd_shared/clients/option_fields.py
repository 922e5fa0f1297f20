"""Fields of the application's catalog that hold options: an object, its JSON text, or nothing."""

from __future__ import annotations

from typing import TypeVar

import msgspec

_Options = TypeVar("_Options", bound=msgspec.Struct)


def options_in(value: object, kind: type[_Options]) -> _Options:
    """The options of that kind in a catalog's field; None and '' are none given.

    Raises: ValueError that says what is wrong with it.
    """
    if value is None or value == "":
        return kind()
    try:
        if isinstance(value, str):
            return msgspec.json.decode(value, type=kind)
        return msgspec.convert(value, kind)
    except (msgspec.DecodeError, UnicodeError) as error:
        reason = str(error)
        if not reason.isprintable():
            reason = "it holds unprintable characters"
        raise ValueError(reason) from None
