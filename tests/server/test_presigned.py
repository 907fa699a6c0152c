"""Blobs in S3 that go past the control plane: URLs, confirming, liars, rot, and S3 that does not compare checksums."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from c3fs.api.messages import BlobRow, Claim, ClaimedBlobs, Digests
from c3fs.core.access import Role
from c3fs.core.digest import Buffer, Digest
from c3fs.errors import StoreUnavailableError
from c3fs.registry.control import ControlDatabase
from c3fs.registry.deposits import Deposits
from c3fs.server.gateway import Claimed, Gateway
from c3fs.server.objects import Objects
from c3fs.server.presigned import Presigned
from c3fs.server.signing import S3Puts, S3Signer
from c3fs.server.stores import S3Gateways
from c3fs.store.presign import Presigner
from c3fs.store.s3bucket import Bucket as S3Bucket
from c3fs.store.s3keys import BlobKey
from c3fs.store.s3settings import S3Settings
from c3fs.store.skew import ServerClock, utc_now
from c3fs.store.transport import UrlTransport
from tests.support.plane import PROJECT, Client, World, piece, register, world
from tests.support.seaweed import shared_seaweed

REF = f"/projects/{PROJECT}/data/set"


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def claim(data: bytes, digest: Digest | None = None) -> Claim:
    """What an honest uploader says; with `digest` a liar."""
    return Claim(str(digest or Digest.of(data)), len(data), sha(data).hex())


@dataclass
class Bucket:
    """The world over a bucket, and ways past the control plane to it; `inside` takes any bytes for any key."""

    world: World
    objects: Objects
    inside: S3Bucket
    s3: httpx.AsyncClient
    place: S3Settings

    async def missing(self, *claims: Claim, by: Client | None = None) -> dict[str, Any]:
        reply = await (by or self.world.admin).post("blobs/missing", ClaimedBlobs(list(claims)))
        assert reply.status == 200, reply.body
        return {slot["digest"]: slot for slot in reply.json["missing"]}

    async def confirm(self, *claims: Claim, by: Client | None = None) -> list[str]:
        reply = await (by or self.world.admin).post("blobs/confirm", ClaimedBlobs(list(claims)))
        assert reply.status == 200, reply.body
        return reply.json["missing"]

    async def put(self, slot: dict[str, Any], data: bytes) -> int:
        return (await self.s3.put(slot["url"], content=data, headers=slot["headers"])).status_code

    async def upload(self, data: bytes, digest: Digest | None = None, by: Client | None = None) -> None:
        """All that an uploader does; a liar says another `digest`."""
        claimed = claim(data, digest)
        slot = (await self.missing(claimed, by=by))[claimed.digest]
        assert await self.put(slot, data) == 200
        assert await self.confirm(claimed, by=by) == []

    async def download(self, digest: Digest, by: Client | None = None) -> bytes | None:
        """None if there is no URL, or nothing at it."""
        reply = await (by or self.world.admin).post("blobs/urls", Digests([str(digest)]))
        urls = reply.json["urls"]
        if not urls:
            return None
        got = await self.s3.get(urls[0]["url"])
        return got.content if got.status_code == 200 else None


@asynccontextmanager
async def bucket(path: Path, *, compared: bool | None = True) -> AsyncGenerator[Bucket]:
    settings = shared_seaweed().settings()

    def gateways(database: ControlDatabase) -> S3Gateways:
        return S3Gateways(settings, database, S3Puts(compared))

    async with world(path, gateways=gateways) as made, httpx.AsyncClient(timeout=30) as s3:
        acme = settings.below("acme")
        transport = UrlTransport()
        made_bucket = Bucket(made, Objects(Presigner(acme, utc_now), transport), S3Bucket(acme, 30), s3, acme)
        if compared is None:  # it would find out
            yield made_bucket
        else:
            async with made.running():
                yield made_bucket
        await transport.aclose()


async def test_blobs_go_past_the_control_plane(tmp_path: Path) -> None:
    async with bucket(tmp_path) as made:
        data = piece(1)
        slot = (await made.missing(claim(data)))[str(Digest.of(data))]
        assert slot["url"].startswith("http://")
        assert slot["seconds"] > 60
        # S3 itself refuses other bytes.
        assert await made.put(slot, piece(2)) in (400, 403)
        assert await made.confirm(claim(data)) == [str(Digest.of(data))]
        assert await made.put(slot, data) == 200
        # Put and not confirmed: nobody may name it.
        row = BlobRow(str(Digest.of(data)), len(data))
        assert (await made.world.admin.post("manifests", register(REF, [row]))).code == "blobs_not_stored"
        assert await made.confirm(claim(data)) == []
        wrong = BlobRow(row.digest, 1)
        assert (await made.world.admin.post("manifests", register(REF, [wrong]))).code == "blobs_not_stored"
        assert await made.confirm(claim(data)) == []
        assert await made.missing(claim(data)) == {}
        assert (await made.world.admin.post("manifests", register(REF, [row]))).status == 200
        assert await made.download(Digest.of(data)) == data
        assert (await made.world.admin.get(f"blobs/{Digest.of(data)}")).body == data
        # Another account has to bring its own.
        assert len(await made.missing(claim(data), by=made.world.rival)) == 1
        assert await made.download(Digest.of(data), by=made.world.rival) is None


async def test_a_liar_is_found_by_the_honest_uploader(tmp_path: Path) -> None:
    """Somebody puts other bytes for a digest before it is honestly uploaded."""
    async with bucket(tmp_path) as made:
        liar = await made.world.person("liar", other=Role.WRITE)
        data, lie = piece(1), piece(2)
        digest = Digest.of(data)
        await made.upload(lie, digest, by=liar)
        named = await liar.post("manifests", register("/projects/other/data/lie", [BlobRow(str(digest), len(lie))]))
        assert named.status == 200
        # The honest one asks: the lie is found out and goes, and the honest bytes are wanted.
        assert str(digest) in await made.missing(claim(data))
        assert await made.objects.have([(digest, len(lie), sha(lie))]) == [False]
        assert await made.download(digest, by=liar) is None
        await made.upload(data)
        row = BlobRow(str(digest), len(data))
        assert (await made.world.admin.post("manifests", register(REF, [row]))).status == 200
        assert await made.download(digest) == data
        # The liar comes again: what is there is right, so the claim is refused, and nothing changes.
        again = await liar.post("blobs/missing", ClaimedBlobs([claim(lie, digest)]))
        assert (again.status, again.code) == (422, "blob_corrupt")
        assert await made.download(digest) == data


async def test_a_liar_who_confirms_in_between_is_found_too(tmp_path: Path) -> None:
    async with bucket(tmp_path) as made:
        data, lie = piece(1), piece(2)
        digest = Digest.of(data)
        honest = (await made.missing(claim(data)))[str(digest)]
        await made.upload(lie, digest)
        assert await made.put(honest, data) == 200
        assert await made.confirm(claim(data)) == []
        assert await made.missing(claim(data)) == {}
        assert await made.objects.have([(digest, len(lie), sha(lie))]) == [False]
        # And a lie that is confirmed after the truth.
        refused = await made.world.admin.post("blobs/confirm", ClaimedBlobs([claim(lie, digest)]))
        assert refused.json == {"missing": [str(digest)]}
        await made.objects.write(digest, sha(lie), lie)
        refused = await made.world.admin.post("blobs/confirm", ClaimedBlobs([claim(lie, digest)]))
        assert (refused.status, refused.code) == (422, "blob_corrupt")
        assert await made.missing(claim(data)) == {}


class Meddled(Objects):
    """Whose liar has put and confirmed the lie again as soon as it has been removed."""

    lie: bytes
    deposits: Deposits

    async def remove(self, digest: Digest, sha256: bytes) -> None:
        await super().remove(digest, sha256)
        await self.write(digest, sha256, self.lie)
        lie = (digest, len(self.lie), sha256)
        assert await self.deposits.confirm([lie], mark=await self.deposits.mark()) == {digest}


async def test_a_liar_who_confirms_without_end_passes_for_nobody_else(tmp_path: Path) -> None:
    async with bucket(tmp_path) as made:
        data, lie = piece(1), piece(2)
        digest = Digest.of(data)
        await made.upload(lie, digest)
        await made.objects.write(digest, sha(data), data)
        presigner = Presigner(made.place, utc_now)
        transport = UrlTransport()
        objects = Meddled(presigner, transport)
        objects.lie, objects.deposits = lie, made.world.plane.database.deposits("acme")
        signer = S3Signer(presigner, S3Puts(True))
        gateway = Presigned(objects, signer, objects.deposits, anyio.CapacityLimiter(1))
        honest = Claimed(digest, len(data), sha(data))
        # Not told that it is stored: what is stored under the digest is the lie.
        assert await gateway.confirm([honest]) == [digest]
        with pytest.raises(StoreUnavailableError):
            await gateway.put(digest, data)
        assert await objects.deposits.sha256_of([digest]) == {digest: sha(lie)}
        # When the liar is tired the truth comes in.
        assert await made.confirm(claim(data)) == []
        assert await objects.deposits.sha256_of([digest]) == {digest: sha(data)}
        await transport.aclose()


async def test_a_reader_who_complains_has_the_lie_removed(tmp_path: Path) -> None:
    async with bucket(tmp_path) as made:
        data, lie = piece(1), piece(2)
        digest = Digest.of(data)
        await made.upload(lie, digest)
        row = BlobRow(str(digest), len(lie))
        assert (await made.world.admin.post("manifests", register(REF, [row]))).status == 200
        reader = await made.world.person("reader", demo=Role.READ)
        assert await made.download(digest, by=reader) == lie  # which the reader verifies
        assert (await reader.post(f"blobs/{digest}/complaint")).json == {"removed": True}
        assert (await reader.post(f"blobs/{digest}/complaint")).json == {"removed": False}
        assert await made.download(digest, by=reader) is None
        assert (await reader.get(f"blobs/{digest}")).code == "blob_missing"
        await made.upload(data)
        assert (await reader.post(f"blobs/{digest}/complaint")).json == {"removed": False}
        assert await made.download(digest, by=reader) == data


class Damaging(Objects):
    """On whose way bytes are damaged, the first time."""

    reads = 0

    async def read(self, digest: Digest, sha256: bytes) -> Buffer:
        self.reads += 1
        data = bytes(await super().read(digest, sha256))
        return data if self.reads > 1 else bytes([data[0] ^ 1]) + data[1:]


async def test_a_good_blob_stays_when_it_is_damaged_on_its_way(tmp_path: Path) -> None:
    async with bucket(tmp_path) as made:
        data = piece(1)
        digest = Digest.of(data)
        await made.upload(data)
        presigner, transport = Presigner(made.place, utc_now), UrlTransport()
        objects, deposits = Damaging(presigner, transport), made.world.plane.database.deposits("acme")
        gateway = Presigned(objects, S3Signer(presigner, S3Puts(True)), deposits, anyio.CapacityLimiter(1))
        assert not await gateway.complaint(digest)
        assert objects.reads == 2
        assert await made.missing(claim(data)) == {}
        assert await made.objects.have([(digest, len(data), sha(data))]) == [True]
        await transport.aclose()


async def test_what_has_gone_or_rotted_in_s3_can_be_put_again(tmp_path: Path) -> None:
    async with bucket(tmp_path) as made:
        for number, spoil in enumerate(("gone", "rotten")):
            data = piece(10 + number)
            digest = Digest.of(data)
            await made.upload(data)
            row = BlobRow(str(digest), len(data))
            ref = f"/projects/{PROJECT}/data/{spoil}"
            assert (await made.world.admin.post("manifests", register(ref, [row]))).status == 200
            await made.objects.remove(digest, sha(data))
            if spoil == "rotten":
                made.inside.put(BlobKey(digest, sha(data)), bytes(len(data)))
            assert await made.missing(claim(data)) == {}  # as far as anybody knows
            assert (await made.world.admin.post(f"blobs/{digest}/complaint")).json == {"removed": True}
            await made.upload(data)
            assert await made.download(digest) == data


async def test_a_claim_of_two_things_is_refused(tmp_path: Path) -> None:
    async with bucket(tmp_path) as made:
        digest = Digest.of(piece(1))
        body = ClaimedBlobs([claim(piece(1)), claim(piece(2), digest)])
        assert (await made.world.admin.post("blobs/missing", body)).code == "invalid_request"
        assert len(await made.missing(claim(piece(1)), claim(piece(1)))) == 1


async def test_where_s3_does_not_compare_blobs_go_through_the_control_plane(tmp_path: Path) -> None:
    async with bucket(tmp_path, compared=False) as made:
        data = piece(1)
        digest = Digest.of(data)
        slot = (await made.missing(claim(data)))[str(digest)]
        assert slot["url"] == f"/v1/blobs/{digest}"
        wrong = await made.world.admin.ask("PUT", f"blobs/{digest}", piece(2))
        assert (wrong.status, wrong.code) == (422, "blob_corrupt")
        await made.world.put_blob(data)
        await made.world.put_blob(data)
        assert await made.missing(claim(data)) == {}
        row = BlobRow(str(digest), len(data))
        assert (await made.world.admin.post("manifests", register(REF, [row]))).status == 200
        assert await made.download(digest) == data


async def test_until_s3_has_answered_nobody_is_told_where_to_put_anything(tmp_path: Path) -> None:
    async with bucket(tmp_path, compared=None) as made:
        reply = await made.world.admin.post("blobs/missing", ClaimedBlobs([claim(piece(1))]))
        assert (reply.status, reply.code) == (503, "unavailable")


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_clock_that_is_an_hour_off_changes_nothing(hours: int, tmp_path: Path) -> None:
    settings = shared_seaweed().settings()

    def wrong() -> datetime:
        return datetime.now(UTC) + timedelta(hours=hours)

    def gateways(database: ControlDatabase) -> S3Gateways:
        return S3Gateways(settings, database, clock=ServerClock(settings.endpoint, local=wrong))

    async with world(tmp_path, gateways=gateways) as made, httpx.AsyncClient(timeout=30) as s3:
        bucket = Bucket(
            made, Objects(Presigner(settings, utc_now), UrlTransport()), S3Bucket(settings, 30), s3, settings
        )
        async with made.running():
            for _ in range(600):  # until S3 has been asked, which is another process
                if (await made.admin.post("blobs/missing", ClaimedBlobs([claim(piece(1))]))).status == 200:
                    break
                await anyio.sleep(0.05)
            await bucket.upload(piece(1))
            row = BlobRow(str(Digest.of(piece(1))), 1000)
            assert (await made.admin.post("manifests", register(REF, [row]))).status == 200
            assert await bucket.download(Digest.of(piece(1))) == piece(1)


def test_what_it_shows_of_itself_is_no_secret(tmp_path: Path) -> None:
    settings = shared_seaweed().settings()
    database = ControlDatabase.open(f"sqlite:///{tmp_path}/registry.db")
    try:
        gateway: Gateway = S3Gateways(settings, database, S3Puts(True))("acme")
        assert isinstance(gateway, Presigned)
        assert settings.secret_access_key not in repr(gateway)
    finally:
        database.close()


@pytest.mark.parametrize("size", [1, 4 << 20])
async def test_the_smallest_and_the_largest(size: int, tmp_path: Path) -> None:
    async with bucket(tmp_path) as made:
        data = piece(3, size)
        await made.upload(data)
        assert await made.objects.have([(Digest.of(data), size, sha(data))]) == [True]
