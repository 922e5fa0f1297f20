"""Connection strings that the application does not keep in the open.

In the application's catalog stands either the connection string itself, or
`secret:NAME`, which the operator keeps: file NAME in TWD_SECRETS_FOLDER, or variable
TWD_SECRET_<NAME>; or `fernet:TOKEN`, encrypted with one of TWD_CONNECTION_KEYS
(https://github.com/fernet/spec). `python -m twd_shared.clients.connection_secrets` makes keys and
tokens. Not here: what a connection string may reach (`sources/`).
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from twd_shared.errors import ConfigurationError, TwdError
from twd_shared.settings import CONNECTION_KEYS, SECRETS_FOLDER, value_of

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

KEPT, ENCRYPTED = "secret:", "fernet:"
VARIABLE_PREFIX = "TWD_SECRET_"
"""Of variables that a connection may name; no other one can be read by it."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")
_LONGEST = 16_384


class SecretNotOpened(ValueError):
    """A connection string cannot be had; the message says why and holds nothing of it."""


class ConnectionSecrets:
    """Opens what stands in place of connection strings; reads files and variables when asked."""

    def __init__(
        self, keys: str = "", folder: str = "", environment: Mapping[str, str] | None = None
    ) -> None:
        """`keys` are Fernet keys, comma-separated, the newest first; '' = there is none.

        `folder` holds the operator's files; `environment` its variables, by default the process's.
        """
        self._keys = keys
        self._folder = folder
        self._environment = os.environ if environment is None else environment

    def opened(self, text: str) -> str:
        """The connection string that `text` is or stands for; raises SecretNotOpened."""
        if text.startswith(KEPT):
            return self._kept(text.removeprefix(KEPT))
        if text.startswith(ENCRYPTED):
            return self._decrypted(text.removeprefix(ENCRYPTED))
        return text

    def sealed(self, connection_string: str) -> str:
        """What to write in its place: encrypted with the newest key.

        Raises ConfigurationError where there is no key.
        """
        if not self._keys.strip():
            raise ConfigurationError(
                f"{CONNECTION_KEYS.name} is empty. Make a key with: "
                "python -m twd_shared.clients.connection_secrets key"
            )
        return ENCRYPTED + self._fernet().encrypt(connection_string.encode()).decode()

    def _kept(self, name: str) -> str:
        if not _NAME.match(name):
            raise SecretNotOpened(
                f"after {KEPT} a name of letters, digits, '_', '.' and '-' is expected"
            )
        variable = VARIABLE_PREFIX + re.sub(r"[^A-Za-z0-9]", "_", name).upper()
        found = self._environment.get(variable, "")
        if self._folder:
            try:
                with (Path(self._folder) / name).open("rb") as file:
                    found = file.read(_LONGEST).decode()
            except FileNotFoundError:
                pass
            except (OSError, UnicodeDecodeError) as error:
                raise SecretNotOpened(
                    f"file {name!r} in {SECRETS_FOLDER.name} cannot be read "
                    f"({type(error).__name__})"
                ) from None
        if not found.strip():
            places = f"variable {variable}" + (
                f" or a file {name!r} in {SECRETS_FOLDER.name}" if self._folder else ""
            )
            raise SecretNotOpened(f"it names secret {name!r}, and there is no {places}")
        return found.strip()

    def _decrypted(self, token: str) -> str:
        from cryptography.fernet import InvalidToken

        if not self._keys.strip():
            raise SecretNotOpened(f"it is encrypted, and {CONNECTION_KEYS.name} is empty")
        try:
            return self._fernet().decrypt(token).decode()
        except (InvalidToken, UnicodeDecodeError, ValueError):
            raise SecretNotOpened(
                f"none of {CONNECTION_KEYS.name} opens it: it was encrypted with another key, "
                "or was changed"
            ) from None

    def _fernet(self) -> MultiFernet:
        from cryptography.fernet import Fernet, MultiFernet

        try:
            return MultiFernet([Fernet(key.strip()) for key in self._keys.split(",")])
        except ValueError:
            raise ConfigurationError(
                f"{CONNECTION_KEYS.name} holds something that is no key. A key is 44 characters "
                "long, and made with: python -m twd_shared.clients.connection_secrets key"
            ) from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: make a key, or encrypt the connection string on standard input."""
    from cryptography.fernet import Fernet

    parser = argparse.ArgumentParser(
        prog="python -m twd_shared.clients.connection_secrets",
        description="Make what the application stores in the place of a connection string.",
    )
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    commands.add_parser("key", help=f"Print a new key for {CONNECTION_KEYS.name}.")
    commands.add_parser(
        "seal",
        help="Read a connection string from standard input, print it encrypted with the first of "
        f"{CONNECTION_KEYS.name}.",
    )
    if parser.parse_args(arguments).command == "key":
        print(Fernet.generate_key().decode())
        return 0
    try:
        secrets = ConnectionSecrets(value_of(os.environ, CONNECTION_KEYS))
        print(secrets.sealed(sys.stdin.read().strip()))
    except TwdError as error:
        print(f"seal: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
