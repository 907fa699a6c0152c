"""Presigned URLs, and what becomes of them at a real S3 server when bytes, headers or clocks are others."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import anyio
import obstore
import pytest
import trio

from c3fs.core.digest import Digest
from c3fs.core.span import BLOB_MAX
from c3fs.errors import TransferError, TransferRefusedError, UrlExpiredError
from c3fs.store.checksums import attempts, probe_checksums
from c3fs.store.presign import Presigner
from c3fs.store.s3client import open_client
from c3fs.store.s3keys import BlobKey
from c3fs.store.s3settings import S3Settings
from c3fs.store.skew import ServerClock, utc_now
from c3fs.store.transport import UrlTransport
from tests.support.blobs import seeded
from tests.support.radosgw import shared_radosgw
from tests.support.seaweed import shared_seaweed

BOUND = 100.0
HOUR = timedelta(hours=1)

Server = Callable[[], S3Settings]
SERVERS = [
    pytest.param(lambda: shared_seaweed().settings(), id="seaweed"),
    pytest.param(lambda: shared_radosgw().settings(), id="radosgw", marks=pytest.mark.ceph),
]


@asynccontextmanager
async def transporting() -> AsyncGenerator[UrlTransport]:
    transport = UrlTransport()
    with trio.fail_after(BOUND):
        try:
            yield transport
        finally:
            await transport.aclose()


@pytest.mark.parametrize("server", SERVERS)
async def test_a_blob_there_and_back(server: Server) -> None:
    signer = Presigner(server(), utc_now)
    async with transporting() as transport:
        for size in (1, 70_000, BLOB_MAX):
            blob = seeded(size, size)
            key = BlobKey(Digest.of(blob), sha256(blob).digest())
            url, headers = signer.put_request(key, size, sha256(blob).digest(), 60)
            await transport.put(url, blob, headers)
            await transport.put(url, blob, headers)
            assert await transport.get(signer.get_url(key, 60)) == blob
            assert await transport.get(signer.get_url(key, 60), offset=size // 2, size=1) == blob[size // 2 :][:1]


@pytest.mark.parametrize("server", SERVERS)
async def test_what_is_not_there(server: Server) -> None:
    async with transporting() as transport:
        with pytest.raises(TransferRefusedError) as caught:
            await transport.get(Presigner(server(), utc_now).get_url("ab/none", 60))
        assert (caught.value.status, caught.value.code) == (404, "NoSuchKey")


@pytest.mark.parametrize("server", SERVERS)
async def test_a_url_whose_time_is_over(server: Server) -> None:
    signer = Presigner(server(), lambda: utc_now() - timedelta(seconds=62))
    async with transporting() as transport:
        with pytest.raises(UrlExpiredError) as caught:
            await transport.get(signer.get_url("ab/none", 60))
        assert caught.value.status == 403
        url, headers = signer.put_request("ab/late", BLOB_MAX, bytes(32), 60)
        with pytest.raises(UrlExpiredError):
            await transport.put(url, seeded(1, BLOB_MAX), headers)


async def test_a_url_of_a_stranger_has_not_expired() -> None:
    settings = shared_seaweed().settings()
    forged = S3Settings(settings.endpoint, settings.bucket, "", settings.region, settings.access_key_id, "no")
    async with transporting() as transport:
        with pytest.raises(TransferRefusedError) as caught:
            await transport.get(Presigner(forged, utc_now).get_url("ab/none", 60))
        assert (caught.value.status, caught.value.code) == (403, "SignatureDoesNotMatch")


def kept(settings: S3Settings) -> list[str]:
    client = open_client(settings, 10)
    listed = obstore.list(client)  # pyright: ignore[reportUnknownMemberType]  # of Arrow, which is not installed
    return [item["path"] for batch in listed for item in batch]


async def test_seaweedfs_takes_what_was_signed_and_nothing_else() -> None:
    settings = shared_seaweed().settings()
    async with transporting() as transport:
        assert await probe_checksums(Presigner(settings, utc_now), transport) == ()
    assert kept(settings) == []


def test_the_same_on_asyncio() -> None:
    """What a control plane needs runs wherever that is hosted."""
    settings = shared_seaweed().settings()

    async def main() -> tuple[str, ...]:
        clock = ServerClock(settings.endpoint)
        await clock.learn()
        transport = UrlTransport()
        passed = await probe_checksums(Presigner(settings, clock.now), transport)
        with anyio.move_on_after(0):
            await transport.get("http://192.0.2.1/never")
        await transport.aclose()
        return passed

    assert anyio.run(main, backend="asyncio") == ()


@pytest.mark.ceph
async def test_ceph_lets_other_bytes_pass() -> None:
    settings = shared_radosgw().settings()
    async with transporting() as transport:
        passed = await probe_checksums(Presigner(settings, utc_now), transport)
    assert {"other bytes", "other bytes, over what is there"} <= set(passed)
    assert "no checksum" not in passed
    assert kept(settings) == []


class Careless(UrlTransport):
    """To a server that does not look at what was signed: whatever is put gets a signature of its own."""

    def __init__(self, signer: Presigner) -> None:
        super().__init__()
        self._signer = signer

    async def put(self, url: str, data: object, headers: object, *, method: str = "PUT") -> None:
        assert isinstance(data, bytes)
        key = url.partition("?")[0].rpartition(f"{self._signer.settings.prefix}/")[2]
        await super().put(self._signer.url(method, key, 60), data, {}, method=method)


async def test_a_server_that_enforces_nothing_is_found_out() -> None:
    settings = shared_seaweed().settings()
    signer = Presigner(settings, utc_now)
    transport = Careless(signer)
    with trio.fail_after(BOUND):
        passed = await probe_checksums(signer, transport)
        await transport.aclose()
    whats = [attempt.what for attempt in attempts(b"", b"", "")]
    assert passed == (*whats, *(f"{what}, over what is there" for what in whats))
    assert kept(settings) == []


async def test_a_server_that_takes_nothing_is_an_error() -> None:
    settings = shared_seaweed().settings()
    signer = Presigner(settings, lambda: utc_now() - HOUR)
    async with transporting() as transport:
        with pytest.raises(UrlExpiredError):
            await probe_checksums(signer, transport)
    forged = S3Settings(settings.endpoint, settings.bucket, "", settings.region, settings.access_key_id, "no")
    async with transporting() as transport:
        with pytest.raises(TransferError):
            await probe_checksums(Presigner(forged, utc_now), transport)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("wrong", [HOUR, -HOUR, 24 * HOUR])
async def test_a_machine_whose_clock_is_an_hour_off(server: Server, wrong: timedelta) -> None:
    """Every URL that it signs with its own clock in the past has expired; with the server's it is good."""
    settings = server()
    blob = seeded(7, 1000)
    clock = ServerClock(settings.endpoint, local=lambda: datetime.now(UTC) + wrong)
    own, corrected = (Presigner(settings, now) for now in (lambda: datetime.now(UTC) + wrong, clock.now))
    async with transporting() as transport:
        await clock.learn()
        assert abs(clock.offset + wrong.total_seconds()) < 2
        url, headers = corrected.put_request("ab/skewed", len(blob), sha256(blob).digest(), 60)
        await transport.put(url, blob, headers)
        assert await transport.get(corrected.get_url("ab/skewed", 60)) == blob
        if wrong < timedelta(0):
            with pytest.raises(UrlExpiredError):
                await transport.get(own.get_url("ab/skewed", 60))
