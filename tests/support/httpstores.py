"""Stores behind a real `c3fs serve`, for the contract suite: an account of its own for each test.

Who may read a blob is said by the manifests that name it. So here a blob that somebody has tried to put is published
before it is got; and connections end with each call, for the suite ends no stores.
"""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from c3fs.api.client import ApiClient, open_client
from c3fs.api.endpoint import Remote
from c3fs.core.digest import Buffer, Digest
from c3fs.errors import BlobMissingError, BlobsNotStoredError
from c3fs.registry.http import HttpRegistry
from c3fs.store.base import Store
from c3fs.store.http import HttpStore
from c3fs.store.transport import UrlTransport
from tests.support.planes import make_admin
from tests.support.records import make_manifest
from tests.support.seaweed import shared_seaweed
from tests.support.served import Served, served

_accounts = count(1)
_SPEEDY: Final = ("--rate", "100000", "--quiet")


class PublishedStore:
    """What has been put is in `sizes`, which all that are open on one account share."""

    def __init__(self, remote: Remote, sizes: dict[Digest, int]) -> None:
        self._remote = remote
        self._sizes = sizes

    async def get(self, digest: Digest) -> Buffer:
        async with self._opened() as (client, store):
            size = self._sizes.get(digest)
            if size is not None:
                await _publish(client, digest, size)
            return await store.get(digest)

    async def put(self, digest: Digest, data: Buffer) -> None:
        if not len(data):
            pytest.skip("no manifest names an empty blob")
        self._sizes[digest] = len(data)
        async with self._opened() as (_, store):
            await store.put(digest, data)

    async def missing(self, blobs: Mapping[Digest, Buffer]) -> set[Digest]:
        async with self._opened() as (_, store):
            return await store.missing(blobs)

    @asynccontextmanager
    async def _opened(self) -> AsyncGenerator[tuple[ApiClient, HttpStore]]:
        async with open_client(self._remote) as client:
            transport = UrlTransport()
            try:
                yield client, HttpStore(client, transport)
            finally:
                await transport.aclose()


async def _publish(client: ApiClient, digest: Digest, size: int) -> None:
    """Raises BlobMissingError."""
    manifest = make_manifest(f"/datasets/{digest}", str(digest))
    try:
        await HttpRegistry(client).register(manifest, [(digest, size)], mark=0)
    except BlobsNotStoredError:
        raise BlobMissingError(str(digest)) from None


def in_relay(_path: Path) -> Callable[[], Store]:
    """A directory, through the control plane."""
    return _opener(*_relay())


def in_presigned_seaweed(_path: Path) -> Callable[[], Store]:
    """SeaweedFS, past the control plane."""
    return _opener(*_presigned())


def _opener(plane: Served, db: str) -> Callable[[], Store]:
    remote = Remote(plane.url, make_admin(db, f"a{next(_accounts)}"))
    sizes: dict[Digest, int] = {}
    return lambda: PublishedStore(remote, sizes)


@cache
def _relay() -> tuple[Served, str]:
    return _serve(None, {})


@cache
def _presigned() -> tuple[Served, str]:
    seaweed = shared_seaweed()
    place = seaweed.settings()
    return _serve(f"s3://{place.bucket}/{place.prefix}", seaweed.variables())


def _serve(store: str | None, environment: Mapping[str, str]) -> tuple[Served, str]:
    """For the rest of this test session."""
    folder = tempfile.TemporaryDirectory(prefix="c3-relay-")
    db = f"sqlite:///{folder.name}/registry.db"
    serving = served(Path(folder.name), *_SPEEDY, db=db, store=store, environment=environment)
    plane = serving.__enter__()
    atexit.register(folder.cleanup)
    atexit.register(serving.__exit__, None, None, None)
    return plane, db
