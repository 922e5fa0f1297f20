"""Every error this project raises on purpose, in two branches that decide retry or stop.

A message says what happened, to which connection or server, and what to do about it. A message
never holds a connection string, a password or a driver's own text that could repeat one.
"""

from __future__ import annotations


class TwdError(Exception):
    """Root of the errors that this project raises on purpose."""

    def __init__(self, fault: str = "", remedy: str = "") -> None:
        """`remedy` is kept apart where a command, whose user typed the address, gives another."""
        super().__init__(f"{fault} {remedy}" if remedy else fault)
        self.fault = fault
        self.remedy = remedy


class TransientError(TwdError):
    """The same call may succeed later: it is retried."""


class PermanentError(TwdError):
    """The same call fails again until somebody changes something: it is not retried."""


class SourceUnavailable(TransientError):
    """A source database cannot be reached, or broke the connection, or took too long."""


class SourceBusy(TransientError):
    """A source is not read now: its host has as many readings as it may, or nobody can tell."""


class CatalogUnavailable(TransientError):
    """The application's catalog of connections cannot be read now."""


class ApplicationUnavailable(TransientError):
    """The application database cannot be read now."""


class MetadataFailure(TwdError):
    """The metadata database could not be asked, whatever for: it says nothing of a source."""


class MetadataUnavailable(MetadataFailure, TransientError):
    """The metadata database cannot be reached now."""


class SnapshotForgotten(TransientError):
    """A snapshot was removed between two looks at the store; the next look does without it."""


class EmbeddingUnavailable(TransientError):
    """The Ollama server cannot be reached, is overloaded or answered incompletely."""


class EmbeddingTimedOut(EmbeddingUnavailable):
    """The Ollama server took longer than is waited for; a smaller call may be answered in time."""


class IndexUnavailable(TransientError):
    """The Qdrant server cannot be reached or failed on its side."""


class ConfigurationError(PermanentError):
    """A setting is missing or has a value that cannot be used."""


class UnknownConnection(PermanentError):
    """The application's catalog holds no such connection, or it is no longer active."""


class UnusableConnectionString(PermanentError):
    """A connection string cannot be parsed or names something that is not allowed."""


class UnknownDialect(UnusableConnectionString):
    """A connection is of a database type that this project does not read."""


class ApplicationRefused(PermanentError):
    """The application database answered and refused: password, permission, missing table."""


class MetadataRefused(MetadataFailure, PermanentError):
    """The metadata database answered and refused: permission, a release that is too new."""


class SourceRefused(PermanentError):
    """A source database answered and refused: wrong password, no such database, no permission."""


class EmptySchema(PermanentError):
    """A source database shows no table to the role that reads it."""


class ModelUnavailable(PermanentError):
    """The Ollama server does not have the model that is configured."""


class EmbeddingRejected(PermanentError):
    """The Ollama server gave an answer that can never be indexed, or refused the text."""


class TextTooLong(EmbeddingRejected):
    """A text is longer than the embedding model's context; a shorter one may be taken."""


class IndexRejected(PermanentError):
    """The Qdrant server refused the request: wrong dimension, wrong key, no such collection."""


class IndexOutdated(PermanentError):
    """The schema index that is served was made by another model or layout than is there now."""


class MigrationRefused(PermanentError):
    """A new schema index is not served: it is not complete, or finds less than the old one."""
