"""The error answers of the server: a status and the server's own wording.

Belongs here: the one exception that routes turn into an answer, and the wordings. Not here: when
to raise them.
"""

from __future__ import annotations


class ApiError(Exception):
    """An answer other than 200, with the text that goes into `status.error`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def bad_format(reason: str) -> ApiError:
    """400: the JSON body does not have the expected form."""
    return ApiError(400, f"Format error in JSON body: {reason}")


def wrong_input(reason: str) -> ApiError:
    """400: the body is well formed, but does not fit the collection."""
    return ApiError(400, f"Wrong input: {reason}")


def invalid(field: str, reason: str) -> ApiError:
    """422: a value out of its range."""
    return ApiError(422, f"Validation error in JSON body: [{field}: {reason}]")


def not_found(what: str) -> ApiError:
    """404."""
    return ApiError(404, f"Not found: {what}")


def no_collection(name: str) -> ApiError:
    """404: neither a collection nor an alias has this name."""
    return not_found(f"Collection `{name}` doesn't exist!")


def taken(name: str) -> ApiError:
    """409: the name belongs to a collection."""
    return ApiError(409, f"Wrong input: Collection `{name}` already exists!")


def unsupported(what: str) -> ApiError:
    """501: the real server can do it, the embedded engine (or this front) cannot."""
    return ApiError(501, f"Not implemented: the embedded vector engine does not support {what}")


def from_engine(error: Exception) -> ApiError:
    """Translate what the engine raised into what the server answers."""
    text = str(error)
    if text.startswith("No point with id"):
        return not_found(text if text.endswith("found") else f"{text} found")
    if text.startswith(("Vector dimension error", "Not existing vector name")):
        return wrong_input(text)
    if text.startswith("Service runtime error"):
        return ApiError(500, text)
    return ApiError(400, f"Bad request: {text}")
