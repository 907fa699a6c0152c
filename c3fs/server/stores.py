"""Where blobs are, by URL: a gateway for each account."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote, urlsplit

from c3fs.errors import SettingsError
from c3fs.server.gateway import Gateway
from c3fs.server.relayed import Relayed
from c3fs.store.directory import DirectoryStore

_FILE: Final = "file"
EXAMPLES: Final = "file:///var/lib/c3fs/store or s3://bucket/prefix"


def open_gateways(url: str) -> Callable[[str], Gateway]:
    """The gateways over the store at `url`, made as accounts are asked for. Raises SettingsError."""
    parts = urlsplit(url)
    if parts.scheme != _FILE:
        raise SettingsError(f"not the address of a store: {url!r}; it looks like {EXAMPLES}")
    root = unquote(parts.path)
    if parts.netloc or parts.query or parts.fragment or not os.path.isabs(root):
        raise SettingsError(f"not the address of a directory: {url!r}; it looks like file:///absolute/path")
    _make(root)
    known: dict[str, Gateway] = {}

    def gateway(account: str) -> Gateway:
        found = known.get(account)
        if found is None:
            found = known[account] = Relayed(DirectoryStore(f"{os.path.normpath(root)}/{account}"))
        return found

    return gateway


def _make(root: str) -> None:
    try:
        os.makedirs(root, 0o700, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"cannot make {root}: {error.strerror}") from error
