"""Blobs through the control plane: verified before they are kept, ranges, complaints, and registering what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from c3fs.api.messages import BlobRow, Claim, ClaimedBlobs, Digests
from c3fs.core.access import Role
from c3fs.core.digest import Digest
from tests.support.plane import PROJECT, World, piece, register, world

REF = f"/projects/{PROJECT}/data/set"


def claimed(*blobs: bytes) -> ClaimedBlobs:
    return ClaimedBlobs([Claim(str(Digest.of(data)), len(data), "0" * 64) for data in blobs])


def file_of(made: World, digest: Digest, account: str = "acme") -> Path:
    return made.root / "store" / account / f"{digest[0]:02x}" / str(digest)


async def test_what_is_missing_is_put_at_the_control_plane(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        slots = (await made.admin.post("blobs/missing", claimed(piece(1), piece(2)))).json["missing"]
        assert {slot["digest"] for slot in slots} == {str(Digest.of(piece(1))), str(Digest.of(piece(2)))}
        assert all(slot["url"].startswith("/v1/blobs/") and slot["seconds"] > 0 for slot in slots)
        await made.put_blob(piece(1))
        left = (await made.admin.post("blobs/missing", claimed(piece(1), piece(2)))).json["missing"]
        assert [slot["digest"] for slot in left] == [str(Digest.of(piece(2)))]
        unconfirmed = (await made.admin.post("blobs/confirm", claimed(piece(1), piece(2)))).json["missing"]
        assert unconfirmed == [str(Digest.of(piece(2)))]
        # Another account has nothing of it.
        assert len((await made.rival.post("blobs/missing", claimed(piece(1)))).json["missing"]) == 1


async def test_wrong_bytes_are_never_kept(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        digest = Digest.of(piece(1))
        reply = await made.admin.ask("PUT", f"blobs/{digest}", piece(2))
        assert (reply.status, reply.code) == (422, "blob_corrupt")
        assert not file_of(made, digest).exists()
        await made.put_blob(piece(1))
        assert file_of(made, digest).read_bytes() == piece(1)


async def test_a_manifest_names_what_is_stored_or_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.put_blob(piece(1))
        rows = [BlobRow(str(Digest.of(piece(number))), 1000) for number in (1, 2, 3)]
        reply = await made.admin.post("manifests", register(REF, rows))
        assert (reply.status, reply.code) == (409, "blobs_not_stored")
        assert reply.json["error"]["facts"]["count"] == 2
        await made.put_blob(piece(2))
        await made.put_blob(piece(3))
        done = (await made.admin.post("manifests", register(REF, rows))).json
        assert (done["created"], done["charged"]) == (True, 3000)
        again = (await made.admin.post("manifests", register(REF, rows))).json
        assert (again["created"], again["charged"]) == (False, 0)
        # The rival's blobs of the same name are not there.
        assert (await made.rival.post("manifests", register(REF, rows))).code == "blobs_not_stored"


async def test_a_blob_has_the_size_that_it_has(tmp_path: Path) -> None:
    """Bytes that are charged and given back by sizes that somebody made up would add up to anything."""
    async with world(tmp_path) as made:
        digest = await made.put_blob(piece(1))
        for size in (1, 999, 1001, 4 << 20):
            reply = await made.admin.post("manifests", register(REF, [BlobRow(str(digest), size)]))
            assert (reply.status, reply.code) == (409, "blobs_not_stored")
        # What a bad disk has left of it is missing, so whoever has it puts it again.
        file_of(made, digest).write_bytes(piece(1)[:500])
        assert len((await made.admin.post("blobs/missing", claimed(piece(1)))).json["missing"]) == 1
        await made.put_blob(piece(1))
        assert (await made.admin.post("manifests", register(REF, [BlobRow(str(digest), 1000)]))).json["charged"] == 1000


@pytest.mark.parametrize(
    ("header", "status", "first", "end"),
    [
        (None, 200, 0, 1000),
        ("bytes=0-0", 206, 0, 1),
        ("bytes=100-199", 206, 100, 200),
        ("bytes=900-", 206, 900, 1000),
        ("bytes=-10", 206, 990, 1000),
        ("bytes=-5000", 206, 0, 1000),
        ("bytes=990-5000", 206, 990, 1000),
        ("bytes=5-1", 200, 0, 1000),
        ("bytes=0-1,5-6", 200, 0, 1000),
        ("lines=1-2", 200, 0, 1000),
        ("bytes=1000-", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
    ],
)
async def test_ranges(header: str | None, status: int, first: int, end: int, tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.publish(REF, piece(1))
        digest = Digest.of(piece(1))
        reply = await made.admin.ask("GET", f"blobs/{digest}", headers={"Range": header} if header else None)
        assert reply.status == status
        if status == 416:
            assert reply.headers["content-range"] == "bytes */1000"
            return
        assert reply.body == piece(1)[first:end]
        assert reply.headers["accept-ranges"] == "bytes"
        assert reply.headers["etag"] == f'"{digest}"'
        assert "private" in reply.headers["cache-control"]
        if status == 206:
            assert reply.headers["content-range"] == f"bytes {first}-{end - 1}/1000"
        known = await made.admin.ask("GET", f"blobs/{digest}", headers={"If-None-Match": f'"{digest}"'})
        assert (known.status, known.body) == (304, b"")


async def test_urls_are_for_readers_of_what_names_the_blob(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.publish(REF, piece(1))
        stored = await made.put_blob(piece(2))  # no manifest names it
        asked = Digests([str(Digest.of(piece(1))), str(stored), "0" * 64])
        reader = await made.person("reader", demo=Role.READ)
        for client in (made.admin, reader):
            urls = (await client.post("blobs/urls", asked)).json["urls"]
            assert [url["digest"] for url in urls] == [str(Digest.of(piece(1)))]
        assert (await made.rival.post("blobs/urls", asked)).json["urls"] == []


async def test_a_complaint_removes_what_has_rotted_and_nothing_else(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.publish(REF, piece(1))
        digest = Digest.of(piece(1))
        reader = await made.person("reader", demo=Role.READ)
        assert (await reader.post(f"blobs/{digest}/complaint")).json == {"removed": False}
        path = file_of(made, digest)
        path.chmod(0o644)
        path.write_bytes(bytes(1000))
        assert (await reader.post(f"blobs/{digest}/complaint")).json == {"removed": True}
        assert (await reader.get(f"blobs/{digest}")).code == "blob_missing"
        assert (await reader.post(f"blobs/{digest}/complaint")).json == {"removed": False}
        # The next honest upload mends it.
        slots = (await made.admin.post("blobs/missing", claimed(piece(1)))).json["missing"]
        assert len(slots) == 1
        await made.put_blob(piece(1))
        assert (await reader.get(f"blobs/{digest}")).body == piece(1)
