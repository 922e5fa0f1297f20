"""Which hosts and files a connection string may reach: decided by the operator, not by its user.

Belongs here: the policy and the one look-up of a name that it takes. Not here: what a connection
string may look like, which is the same for every operator (`address.py`).
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from twd_shared.errors import ConfigurationError, SourceUnavailable, UnusableConnectionString
from twd_shared.settings import SOURCE_FILES, SOURCE_HOSTS, entries_of
from twd_shared.sources.address import SourceAddress

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Kind = Literal["public", "private", "loopback", "special"]

_WORDS: dict[_Kind, str] = {
    "public": "a public address",
    "private": "a private address",
    "loopback": "an address of the machine itself",
    "special": "an address of special use",
}

# RFC 1918, RFC 6598 (shared by a carrier, and by many clusters), RFC 4193.
_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
# Where clouds answer with a machine's credentials, outside 169.254.0.0/16: Alibaba, Azure, AWS,
# Google.
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254")
)
# IETF protocol assignments (RFC 6890): no host of anybody's, but Oracle's cloud answers in it with
# a machine's credentials, and Python holds most of it for public.
_PROTOCOL_ASSIGNMENTS = ipaddress.ip_network("192.0.0.0/24")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# An IPv6 address that a translator turns into the IPv4 address in its last 32 bits (RFC 6052).
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")

# A letter, so that no pattern looks like an address and means less than it seems to.
_NAME_PATTERN = re.compile(r"(?=.*[a-z])[a-z0-9_.*?-]+")


@dataclass(frozen=True, slots=True)
class ReachPolicy:
    """What the operator lets connection strings reach; the default is that of the settings."""

    kinds: frozenset[str] = frozenset({"public", "private"})
    networks: tuple[_Network, ...] = ()
    names: tuple[str, ...] = ()
    """Patterns of host names in lower case; `*` stands for dots too."""
    folders: tuple[str, ...] = ()

    def check(self, label: str, address: SourceAddress) -> None:
        """Let pass an address that may be reached; `label` names the connection in errors.

        Blocks while a name is looked up. The driver looks it up again when it connects, and who
        owns the name can answer differently then: this refuses what is plainly forbidden, and a
        network policy that fences what this process reaches is still needed against the rest.

        Raises UnusableConnectionString for a host or file that is not allowed, SourceUnavailable
        for a name that does not resolve: it may later.
        """
        if address.dialect == "sqlite":
            self._check_file(label, address.database)
        else:
            self._check_host(label, address)

    def _check_host(self, label: str, address: SourceAddress) -> None:
        is_named = self._is_named(address.host)
        for reached in _resolved(label, address):
            if any(reached in network for network in self.networks):
                continue
            kind = _kind(reached)
            if kind in self.kinds or (is_named and kind != "special"):
                continue
            raise UnusableConnectionString(
                f"The connection string of {label} names host {address.host!r}, which may not be "
                f"reached: it stands for {_WORDS[kind]}.",
                "Correct it in the application, or let the operator add the host to "
                f"{SOURCE_HOSTS.name}.",
            )

    def _is_named(self, host: str) -> bool:
        name = host.encode("idna").decode().lower().removesuffix(".")
        return ":" not in name and any(fnmatchcase(name, pattern) for pattern in self.names)

    def _check_file(self, label: str, name: str) -> None:
        # One message for every reason, so that nobody learns which files there are.
        if not (os.path.isabs(name) and self._is_inside(name)):
            raise UnusableConnectionString(
                f"The connection string of {label} names a file that may not be read. Allowed is "
                f"the whole path of a regular file in a folder of {SOURCE_FILES.name}.",
                "Correct it in the application, or let the operator add the folder.",
            )

    def _is_inside(self, name: str) -> bool:
        try:
            real = Path(os.path.realpath(name))
        except ValueError:  # a NUL, or half of a character
            return False
        if not any(real.is_relative_to(os.path.realpath(folder)) for folder in self.folders):
            return False
        try:
            return stat.S_ISREG(real.stat().st_mode)
        except OSError:
            # It may come to be; until then the driver says that it cannot be read.
            return True


SAFE = ReachPolicy()
"""The policy of an operator who set nothing: no file, no address of the machine itself."""


def reach_policy(hosts: str, files: str) -> ReachPolicy:
    """The policy that the settings TWD_SOURCE_HOSTS and TWD_SOURCE_FILES say, comma-separated.

    Raises: ConfigurationError for an entry that is none of what may stand there.
    """
    kinds: set[str] = set()
    networks: list[_Network] = []
    names: list[str] = []
    for entry in entries_of(hosts):
        word = entry.lower().removesuffix(".")
        if word in ("public", "private", "loopback"):
            kinds.add(word)
        elif network := _network(word):
            networks.append(network)
        elif _NAME_PATTERN.fullmatch(word):
            names.append(word)
        else:
            raise ConfigurationError(
                f"{SOURCE_HOSTS.name} holds {entry!r}. Write public, private, loopback, an "
                "address, a network such as 10.0.0.0/8, or a host name such as *.example.com."
            )
    folders = entries_of(files)
    for folder in folders:
        if not os.path.isabs(folder):
            raise ConfigurationError(
                f"{SOURCE_FILES.name} holds {folder!r}. Write the whole path of a folder."
            )
    return ReachPolicy(frozenset(kinds), tuple(networks), tuple(names), folders)


def _network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _resolved(label: str, address: SourceAddress) -> Iterable[_Address]:
    """Every address that the host stands for, as the drivers find them too."""
    try:
        # Of numbers the resolver also takes the short, the hexadecimal and the decimal form.
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError:
        raise SourceUnavailable(
            f"{label} at {address.place} cannot be reached (its host name does not resolve). "
            "Check host and port, and the name server of this service."
        ) from None
    return [_plain(ipaddress.ip_address(str(entry[4][0]).partition("%")[0])) for entry in found]


def _plain(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 address only wraps, or itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _kind(address: _Address) -> _Kind:
    if address in _METADATA or address in _PROTOCOL_ASSIGNMENTS or address.is_multicast:
        return "special"
    if address.is_loopback:
        return "loopback"
    if any(address in network for network in _PRIVATE):
        return "private"
    if address.is_global and (address.version == 4 or address in _GLOBAL_UNICAST):
        return "public"
    return "special"
