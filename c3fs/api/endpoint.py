"""Where a control plane is and what opens it, checked before anything is sent there.

A key crosses a network in TLS, or not at all: http:// is for this machine and for private networks named by their
addresses, where whoever runs the control plane also runs the wires. A name says nothing of where it leads, so for any
other http:// the user has to say that it is meant (C3_API_INSECURE=1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from c3fs.errors import SettingsError

_KEY: Final = re.compile(r"c3_(?:key|job)_[0-9A-Za-z_-]{8,200}\Z")


@dataclass(frozen=True, slots=True)
class Remote:
    """An endpoint without a slash at its end, and a key; no repr shows that. Raises SettingsError.

    `insecure` allows http:// to anywhere.
    """

    endpoint: str
    key: str = field(repr=False)
    insecure: bool = False

    def __post_init__(self) -> None:
        check_endpoint(self.endpoint, insecure=self.insecure)
        if not _KEY.match(self.key):
            raise SettingsError("C3_API_KEY: not a key; one begins with c3_key_")

    def with_key(self, key: str) -> Remote:
        return replace(self, key=key)

    @property
    def is_clear(self) -> bool:
        """Whether what is sent can be read on its way to another machine."""
        parts = urlsplit(self.endpoint)
        return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def tidy_endpoint(text: str) -> str:
    """As `Remote` takes it, of what somebody has typed."""
    return text.strip().rstrip("/")


def check_endpoint(text: str, *, insecure: bool) -> None:
    """Raises SettingsError; what it shows of `text` holds no password."""
    try:
        parts = urlsplit(text)
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        raise SettingsError("C3_API_ENDPOINT: not a URL; one looks like https://c3.example.org") from None
    if parts.username is not None or parts.password is not None:
        raise SettingsError("C3_API_ENDPOINT: a user or password in it is not used; the key is C3_API_KEY")
    is_plain = text.isascii() and text.isprintable() and " " not in text and not text.endswith("/")
    if not is_plain or parts.scheme not in ("http", "https") or not parts.hostname or not port_is_right:
        raise SettingsError(f"C3_API_ENDPOINT: {text[:200]!r} is not a URL like https://c3.example.org")
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise SettingsError(f"C3_API_ENDPOINT: {text[:200]!r} has more than a host, a port and a path")
    if parts.scheme == "http" and not insecure and not _is_near(parts.hostname):
        raise SettingsError(
            f"C3_API_ENDPOINT: the key would cross the network to {parts.hostname} in the clear; "
            "use https://, or set C3_API_INSECURE=1"
        )


def _is_near(host: str) -> bool:
    """On this machine, or a private network's address."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_private or address.is_loopback


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
