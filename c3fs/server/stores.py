"""Where blobs are, by URL: a gateway for each account, made when it is first asked for.

`file:///absolute/path` keeps them in a directory an account, `s3://bucket/prefix` below a prefix an account.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import anyio
import anyio.lowlevel

from c3fs.errors import C3Error, SettingsError
from c3fs.gc import sweep
from c3fs.registry.control import ControlDatabase
from c3fs.server.gateway import Gateway
from c3fs.server.objects import Objects
from c3fs.server.presigned import Presigned
from c3fs.server.relayed import Relayed
from c3fs.server.settling import SETTLED_AT_ONCE
from c3fs.server.signing import S3Puts, S3Signer
from c3fs.store import s3
from c3fs.store.base import SweepableStore
from c3fs.store.checksums import probe_checksums
from c3fs.store.directory import DirectoryStore
from c3fs.store.presign import Presigner
from c3fs.store.s3 import S3Store
from c3fs.store.s3settings import S3Settings
from c3fs.store.skew import ServerClock
from c3fs.store.transport import UrlTransport

log = logging.getLogger("c3fs.server")

ASK_EVERY: Final = 1.0
"""Seconds between two tries to ask S3 what it does; until then nobody puts anything."""
CLOSE_WITHIN: Final = 5.0
EXAMPLES: Final = "file:///var/lib/c3fs/store or s3://bucket/prefix"


class Gateways(Protocol):
    """The gateways of all accounts over one place."""

    def __call__(self, account: str) -> Gateway: ...

    async def run(self) -> None:
        """Look after the place as long as the control plane runs; returns if there is nothing to look after."""
        ...


class DirectoryGateways:
    """Below the absolute path `root`."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._known: dict[str, Gateway] = {}

    def __repr__(self) -> str:
        return f"<DirectoryGateways {self._root}: {len(self._known)} accounts>"

    def __call__(self, account: str) -> Gateway:
        found = self._known.get(account)
        if found is None:
            found = self._known[account] = Relayed(DirectoryStore(f"{self._root}/{account}"))
        return found

    async def run(self) -> None:
        await anyio.lowlevel.checkpoint()


class S3Gateways:
    """Below the prefix of `settings`, with what was put noted in `database`. `clock` tells S3's time."""

    def __init__(
        self,
        settings: S3Settings,
        database: ControlDatabase,
        puts: S3Puts | None = None,
        clock: ServerClock | None = None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._puts = puts or S3Puts()
        self._clock = clock or ServerClock(settings.endpoint)
        self._transport = UrlTransport()
        self._known: dict[str, Gateway] = {}

    def __repr__(self) -> str:
        return f"<S3Gateways {self._settings.place}, {self._puts!r}, {self._clock!r}: {len(self._known)} accounts>"

    def __call__(self, account: str) -> Gateway:
        found = self._known.get(account)
        if found is None:
            found = self._known[account] = self._open(account)
        return found

    def _open(self, account: str) -> Gateway:
        presigner = Presigner(self._settings.below(account), self._clock.now)
        return Presigned(
            Objects(presigner, self._transport),
            S3Signer(presigner, self._puts),
            self._database.deposits(account),
            anyio.CapacityLimiter(SETTLED_AT_ONCE),
        )

    async def run(self) -> None:
        """Keep to S3's time, and ask what it does with checksums."""
        try:
            try:
                await self._clock.learn()
            except C3Error as error:
                log.warning("%s; going by this machine's clock", error)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._clock.keep)
                tasks.start_soon(self._ask)
        finally:
            with anyio.move_on_after(CLOSE_WITHIN, shield=True):
                await self._transport.aclose()

    async def _ask(self) -> None:
        while not self._puts.known:
            try:
                passed = await probe_checksums(Presigner(self._settings, self._clock.now), self._transport)
            except C3Error as error:
                log.warning("cannot ask S3 what it does with checksums: %s", error)
                await anyio.sleep(ASK_EVERY)
                continue
            self._puts.answered(not passed)
            if passed:
                log.warning("S3 takes what was not signed (%s): blobs are put through this server", "; ".join(passed))
            else:
                log.info("S3 compares checksums: blobs are put past this server")


def open_gateways(url: str, variables: Mapping[str, str], database: ControlDatabase) -> Gateways:
    """The gateways over the store at `url`; of the environment's `variables` those for AWS count. Raises
    SettingsError."""
    if urlsplit(url).scheme == "s3":
        return S3Gateways(S3Settings.parse(url, variables), database)
    return DirectoryGateways(_directory(url))


def open_sweepables(url: str, variables: Mapping[str, str]) -> Callable[[str], SweepableStore]:
    """The stores of the accounts at `url`, as gc sees them. Raises SettingsError."""
    if urlsplit(url).scheme == "s3":
        settings = S3Settings.parse(url, variables)
        return lambda account: S3Store(settings.below(account))
    root = _directory(url)
    return lambda account: DirectoryStore(f"{root}/{account}", create=False)


def sweep_seconds(url: str) -> float:
    """How long what gc condemns in the store at `url` must stay condemned if gc is killed: see c3fs.store.s3."""
    return s3.SWEEP_SECONDS if urlsplit(url).scheme == "s3" else sweep.SWEEP_SECONDS


def _directory(url: str) -> str:
    """The path that `url` names; made if need be."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        raise SettingsError(f"not the address of a store: {url!r}; it looks like {EXAMPLES}")
    root = unquote(parts.path)
    if parts.netloc or parts.query or parts.fragment or not os.path.isabs(root):
        raise SettingsError(f"not the address of a directory: {url!r}; it looks like file:///absolute/path")
    try:
        os.makedirs(root, 0o700, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"cannot make {root}: {error.strerror}") from error
    return os.path.normpath(root)
