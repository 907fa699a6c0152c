"""Where blobs are asked for, how often, and for how long the answers are believed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio

from c3fs.api.client import open_client
from c3fs.core.digest import Digest
from c3fs.errors import (
    BlobMissingError,
    C3Error,
    StoreUnavailableError,
    TransferConflictError,
    TransferRefusedError,
    TransferUnavailableError,
    UrlExpiredError,
)
from c3fs.store.http import HttpStore
from tests.support.answers import KEY, answering
from tests.support.blobs import seeded
from tests.support.urlplane import Bucket, Relay, UrlPlane

DATA = seeded(1, 10_000)
DIGEST = Digest.of(DATA)
EXPIRED = UrlExpiredError("bucket.invalid", "expired", status=403)


@asynccontextmanager
async def opened(plane: UrlPlane, *faults: C3Error) -> AsyncGenerator[tuple[HttpStore, Bucket]]:
    bucket = Bucket(plane, *faults)
    async with answering(plane) as answers, open_client(answers.remote) as client:
        yield HttpStore(client, bucket), bucket


# --- get -----------------------------------------------------------------------------------------------


async def test_a_url_is_asked_for_once() -> None:
    plane = UrlPlane()
    plane.put(DATA)
    async with opened(plane) as (store, bucket):
        for _ in range(3):
            assert await store.get(DIGEST) == DATA
    assert (plane.asked["urls"], bucket.gets, plane.urls) == (1, 3, 1)
    assert KEY not in str(bucket.urls)


async def test_gets_that_come_together_ask_together() -> None:
    plane = UrlPlane()
    digests = [plane.put(b"%d" % number) for number in range(300)]
    async with opened(plane) as (store, _), trio.open_nursery() as nursery:
        for digest in digests:
            nursery.start_soon(store.get, digest)
    assert plane.sizes == [300]


@pytest.mark.parametrize(("seconds", "asked"), [(600.0, 1), (0.0, 3)])
async def test_a_url_is_used_until_shortly_before_its_time_is_over(seconds: float, asked: int) -> None:
    plane = UrlPlane(seconds=seconds)
    plane.put(DATA)
    async with opened(plane) as (store, _):
        for _ in range(3):
            await store.get(DIGEST)
    assert plane.asked["urls"] == asked


@pytest.mark.parametrize("times", [1, 2])
async def test_an_expired_url_is_renewed(times: int) -> None:
    plane = UrlPlane()
    plane.put(DATA)
    async with opened(plane, *[EXPIRED] * times) as (store, bucket):
        assert await store.get(DIGEST) == DATA
    assert (plane.asked["urls"], bucket.gets) == (times + 1, times + 1)
    assert len(set(bucket.urls)) == times + 1


async def test_but_not_for_ever() -> None:
    plane = UrlPlane()
    plane.put(DATA)
    async with opened(plane, *[EXPIRED] * 9) as (store, bucket):
        with pytest.raises(UrlExpiredError):
            await store.get(DIGEST)
    assert bucket.gets == 3


async def test_what_has_no_url_is_missing_and_what_is_not_behind_it() -> None:
    plane = UrlPlane()
    plane.put(DATA)
    plane.stored.clear()
    async with opened(plane) as (store, _):
        for digest in (Digest.of(b"absent"), DIGEST):
            with pytest.raises(BlobMissingError) as caught:
                await store.get(digest)
            assert caught.value.digest == str(digest)
        plane.put(DATA)
        assert await store.get(DIGEST) == DATA


async def test_other_faults_of_a_transfer_are_raised() -> None:
    plane = UrlPlane()
    plane.put(DATA)
    faults = TransferUnavailableError("b", "busy", status=503), TransferRefusedError("b", "no", status=400)
    async with opened(plane, *faults) as (store, _):
        for fault in faults:
            with pytest.raises(type(fault)):
                await store.get(DIGEST)
        assert await store.get(DIGEST) == DATA


# --- missing and put -----------------------------------------------------------------------------------


async def test_what_is_missing_is_put_where_that_was_said_and_confirmed() -> None:
    plane = UrlPlane()
    blobs = {Digest.of(data): data for data in (seeded(number, 100) for number in range(50))}
    there = next(iter(blobs))
    plane.put(blobs[there])
    async with opened(plane) as (store, bucket):
        assert await store.missing(blobs) == set(blobs) - {there}
        async with trio.open_nursery() as nursery:
            for digest in set(blobs) - {there}:
                nursery.start_soon(store.put, digest, blobs[digest])
        assert await store.missing(blobs) == set()
        assert plane.asked["missing"] == 2
        assert plane.asked["confirm"] <= 3
        assert bucket.puts == 49
        assert all(headers == {"x-amz-checksum-sha256": "…"} for headers in bucket.headers)
        for digest, data in blobs.items():
            assert await store.get(digest) == data


async def test_a_blob_of_another_sha256_is_missing() -> None:
    plane = UrlPlane()
    plane.put(DATA)
    plane.confirmed[str(DIGEST)] = "0" * 64
    async with opened(plane) as (store, _):
        assert await store.missing({DIGEST: DATA}) == {DIGEST}


async def test_more_than_one_request_may_ask_about() -> None:
    plane = UrlPlane()
    blobs = {Digest.of(b"%d" % number): b"%d" % number for number in range(1001)}
    async with opened(plane) as (store, _):
        assert await store.missing(blobs) == set(blobs)
        assert await store.missing({}) == set()
    assert plane.sizes == [1000, 1]


async def test_a_put_without_a_slot_asks_for_one_and_sends_nothing_that_is_there() -> None:
    plane = UrlPlane()
    async with opened(plane) as (store, bucket):
        for _ in range(2):
            await store.put(DIGEST, memoryview(DATA))
        assert bucket.puts == 1
    assert plane.confirmed


async def test_a_slot_that_expired_is_renewed() -> None:
    plane = UrlPlane()
    async with opened(plane, EXPIRED) as (store, bucket):
        await store.put(DIGEST, DATA)
        assert (bucket.puts, len(set(bucket.urls))) == (2, 2)
    async with opened(UrlPlane(), *[EXPIRED] * 9) as (store, bucket):
        with pytest.raises(UrlExpiredError):
            await store.put(DIGEST, DATA)
        assert bucket.puts == 3


@pytest.mark.parametrize(
    "fault",
    [
        TransferConflictError("b", "exists", status=412),
        TransferConflictError("b", "under way", status=409),
        TransferUnavailableError("b", "slow down", status=429),
    ],
)
async def test_a_refused_identical_put_is_success_if_the_blob_is_there(fault: C3Error) -> None:
    plane = UrlPlane()
    async with opened(plane, fault, fault) as (store, bucket):
        with pytest.raises(type(fault)):
            await store.put(DIGEST, DATA)
        plane.stored[str(DIGEST)] = DATA
        await store.put(DIGEST, DATA)
        assert bucket.puts == 2
    assert str(DIGEST) in plane.confirmed


async def test_other_faults_are_no_success() -> None:
    plane = UrlPlane()
    async with opened(plane, TransferUnavailableError("b", "busy", status=503)) as (store, _):
        plane.stored[str(DIGEST)] = DATA
        with pytest.raises(TransferUnavailableError):
            await store.put(DIGEST, DATA)
    assert plane.asked["confirm"] == 0


async def test_a_put_that_is_not_there_is_not_done() -> None:
    plane = UrlPlane()

    class Losing(Bucket):
        async def put(self, url: str, data: object, headers: object) -> None:
            await trio.lowlevel.checkpoint()

    async with answering(plane) as answers, open_client(answers.remote) as client:
        with pytest.raises(StoreUnavailableError, match="is not there"):
            await HttpStore(client, Losing(plane)).put(DIGEST, DATA)


# --- through the control plane ---------------------------------------------------------------------------


async def test_what_is_relayed_goes_through_the_control_plane_with_the_key() -> None:
    plane = Relay()
    async with answering(plane) as answers, open_client(answers.remote) as client:
        bucket = Bucket(plane)
        store = HttpStore(client, bucket)
        await store.put(DIGEST, memoryview(DATA))
        assert await store.get(DIGEST) == DATA
        assert (bucket.gets, bucket.puts) == (0, 0)
        assert all(asked.headers["authorization"] == f"Bearer {KEY}" for asked in answers.asked)


async def test_complaints_are_made() -> None:
    plane = UrlPlane()
    plane.put(DATA)
    async with opened(plane) as (store, _):
        await store.get(DIGEST)
        assert not await store.complain(DIGEST)
        await store.get(DIGEST)
    assert (plane.asked["complaint"], plane.asked["urls"]) == (1, 2)


async def test_no_repr_shows_a_url() -> None:
    plane = UrlPlane()
    plane.put(DATA)
    async with opened(plane) as (store, _):
        await store.get(DIGEST)
        assert "signature" not in repr(store)
