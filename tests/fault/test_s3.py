"""What an S3 server, and the way to it, can do to the store; and that no secret is in what is said about it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
import trio

from c3fs.core.digest import Digest
from c3fs.core.retry import Retry
from c3fs.core.span import BLOB_MAX
from c3fs.errors import (
    BlobCorruptError,
    BlobMissingError,
    C3Error,
    DeadlineError,
    DeletionUnansweredError,
    StoreRefusedError,
    StoreUnavailableError,
)
from c3fs.store.deadline import Deadline
from c3fs.store.retried import Retried
from c3fs.store.s3 import S3Store
from c3fs.store.s3bucket import LATE
from c3fs.store.s3settings import S3Settings
from c3fs.store.verified import Verified
from tests.support.blobs import seeded
from tests.support.ports import free_block
from tests.support.proxy import Answer, Close, Damage, Fault, Hold, Proxy, Stall, proxied
from tests.support.seaweed import SECRET, STRANGER, own_seaweed, shared_seaweed

DATA: Final = seeded(1, 1 << 20)
DIGEST: Final = Digest.of(DATA)
ABSENT: Final = Digest.of(b"absent")
WITHIN: Final = 1.0
"""Seconds for a request that is not answered."""

Call = Callable[[S3Store], Awaitable[object]]
CALLS: Final[dict[str, Call]] = {
    "get": lambda store: store.get(DIGEST),
    "put": lambda store: store.put(DIGEST, DATA),
    "missing": lambda store: store.missing({DIGEST: DATA}),
    "shelf": lambda store: store.shelf(DIGEST[0]),
    "delete": lambda store: store.delete([DIGEST], always),
    "size_of": lambda store: store.size_of(DIGEST, bytes(32)),
    "read": lambda store: store.read(DIGEST, bytes(32)),
    "remove": lambda store: store.remove(DIGEST, bytes(32)),
}


def always() -> bool:
    return True


@pytest.fixture(params=CALLS)
def call(request: pytest.FixtureRequest) -> Call:
    return CALLS[request.param]


@pytest.fixture
def settings() -> S3Settings:
    return shared_seaweed().settings()


@asynccontextmanager
async def store_behind_proxy(settings: S3Settings, *faults: Fault) -> AsyncGenerator[tuple[S3Store, Proxy]]:
    """A store with DATA in it, whose next connections have `faults`."""
    await S3Store(settings).put(DIGEST, DATA)
    server = shared_seaweed()
    async with proxied(server.host, server.port) as proxy:
        proxy.faults.extend(faults)
        yield S3Store(replace(settings, endpoint=f"http://127.0.0.1:{proxy.port}"), within=WITHIN), proxy


def check_told(error: C3Error, settings: S3Settings) -> None:
    """It names the place, and neither it nor its traceback has a secret or a signature."""
    assert settings.endpoint in str(error)
    assert settings.bucket in str(error)
    shown = "".join(traceback.format_exception(error))
    for secret in (SECRET, settings.secret_access_key, "Signature=", "AWS4-HMAC", "X-Amz-Signature", "Debug source"):
        assert secret not in shown


# --- what no second try mends


async def test_wrong_secret(settings: S3Settings, call: Call) -> None:
    wrong = replace(settings, secret_access_key="NotTheSecret")
    with pytest.raises(StoreRefusedError, match="AWS_SECRET_ACCESS_KEY") as caught:
        await call(S3Store(wrong))
    check_told(caught.value, wrong)


async def test_unknown_key(settings: S3Settings, call: Call) -> None:
    with pytest.raises(StoreRefusedError, match="AWS_ACCESS_KEY_ID") as caught:
        await call(S3Store(replace(settings, access_key_id="NOBODY")))
    check_told(caught.value, settings)


async def test_somebody_without_rights(settings: S3Settings, call: Call) -> None:
    with pytest.raises(StoreRefusedError, match="right to read") as caught:
        await call(S3Store(replace(settings, access_key_id=STRANGER)))
    check_told(caught.value, settings)


@pytest.mark.parametrize("name", ["get", "put", "shelf", "delete"])
async def test_no_such_bucket(settings: S3Settings, name: str) -> None:
    other = replace(settings, bucket="no-such-bucket")
    # SeaweedFS may say that nobody but an administrator could know of it.
    with pytest.raises(StoreRefusedError, match=r"bucket|right to") as caught:
        await CALLS[name](S3Store(other))
    check_told(caught.value, other)


async def test_what_is_no_blob_is_not_read(settings: S3Settings) -> None:
    store = S3Store(settings)
    await store.put(ABSENT, bytes(BLOB_MAX + 1))
    with pytest.raises(StoreRefusedError, match="no blob"):
        await store.get(ABSENT)


async def test_the_environment_is_not_asked(settings: S3Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    others = {
        "AWS_ACCESS_KEY_ID": "NOBODY",
        "AWS_ENDPOINT": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_REGION": "eu-nowhere-1",
        "AWS_SECRET_ACCESS_KEY": "NotTheSecret",
        "AWS_SESSION_TOKEN": "NotTheToken",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_UNSIGNED_PAYLOAD": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
        "AWS_S3_EXPRESS": "true",
        "AWS_ROLE_ARN": "arn:aws:iam::1:role/nobody",
    }
    for name, value in others.items():
        monkeypatch.setenv(name, value)
    store = S3Store(settings)
    await store.put(DIGEST, DATA)
    assert await store.get(DIGEST) == DATA


# --- what may pass


async def test_refused_port(settings: S3Settings, call: Call) -> None:
    nowhere = replace(settings, endpoint=f"http://127.0.0.1:{free_block('127.0.0.1', 1)}")
    with pytest.raises(StoreUnavailableError, match="no connection") as caught:
        await call(S3Store(nowhere))
    assert not isinstance(caught.value, DeletionUnansweredError)
    check_told(caught.value, nowhere)


async def test_unknown_host(settings: S3Settings, call: Call) -> None:
    with pytest.raises(StoreUnavailableError, match="no connection"):
        await call(S3Store(replace(settings, endpoint="http://nowhere.invalid")))


@pytest.mark.parametrize(
    "fault",
    [Stall(), Close(), Close(reset=True), Answer(500), Answer(503, "SlowDown"), Answer(429)],
    ids=repr,
)
async def test_a_fault_on_the_way_is_told_and_the_next_try_succeeds(
    settings: S3Settings, call: Call, fault: Fault
) -> None:
    # Requests on a connection that ends unused are sent again by the client: as many faults as it may make of those.
    async with store_behind_proxy(settings, *[fault] * 4) as (store, proxy):
        with trio.fail_after(10 * WITHIN):
            try:
                await call(store)
            except StoreUnavailableError as error:
                check_told(error, replace(settings, endpoint=f"http://127.0.0.1:{proxy.port}"))
            else:
                # A put that is refused for now, of a blob that is there.
                assert fault == Answer(429)
                assert call is CALLS["put"]
            proxy.faults.clear()
            try:
                await call(store)
            except BlobMissingError:
                assert call is CALLS["read"]


@pytest.mark.parametrize("after", [10, 300, 100_000, (1 << 20) - 1])
@pytest.mark.parametrize("fault", [Stall, Close])
async def test_a_body_that_ends_early_is_no_blob(
    settings: S3Settings, fault: Callable[[int], Fault], after: int
) -> None:
    async with store_behind_proxy(settings, *[fault(after)] * 4) as (store, _):
        with pytest.raises(StoreUnavailableError):
            await store.get(DIGEST)


async def test_damaged_bytes_pass_the_store_and_not_verified(settings: S3Settings) -> None:
    async with store_behind_proxy(settings, *[Damage(500_000)] * 2) as (store, _):
        assert await store.get(DIGEST) != DATA
    async with store_behind_proxy(settings, Damage(500_000)) as (store, proxy):
        with pytest.raises(BlobCorruptError):
            await Verified(store).get(DIGEST)
        assert proxy.connections == 1


async def test_retries_reach_a_server_behind_faults(settings: S3Settings) -> None:
    faults = [Answer(503), Close(100_000), Stall(300), Damage(500_000)]
    async with store_behind_proxy(settings, *faults) as (store, proxy):
        retried = Retried(Verified(store), Retry(tries=8, first=0.001))
        with trio.fail_after(20):
            # The connection with the damage stays open, and goes on to be damaged nowhere else.
            assert await retried.get(DIGEST) == DATA
        assert not proxy.faults


async def test_a_deadline_ends_a_call_that_hangs(settings: S3Settings, call: Call) -> None:
    async with store_behind_proxy(settings, *[Stall()] * 4) as (store, _):
        with trio.fail_after(4 * WITHIN), pytest.raises((DeadlineError, StoreUnavailableError)):
            await Deadline(store, WITHIN / 10).get(DIGEST)


@pytest.mark.parametrize("status", [409, 412, 429])
async def test_a_put_of_what_is_there_may_be_turned_away(settings: S3Settings, status: int) -> None:
    async with store_behind_proxy(settings, Answer(status)) as (store, proxy):
        await store.put(DIGEST, DATA)
        assert proxy.connections == 2
    async with store_behind_proxy(settings, Answer(status)) as (store, _):
        with pytest.raises(StoreUnavailableError, match=str(status)):
            await store.put(ABSENT, b"absent")


async def test_bytes_that_were_damaged_on_their_way_are_sent_again(settings: S3Settings) -> None:
    async with store_behind_proxy(settings, Answer(400, "BadDigest")) as (store, _):
        await Retried(store, Retry(first=0.001)).put(ABSENT, b"absent")
        assert bytes(await store.get(ABSENT)) == b"absent"


# --- deletions that are not answered


async def test_a_deletion_that_was_not_answered_says_how_long_it_may_happen(settings: S3Settings) -> None:
    held = trio.Event()
    async with store_behind_proxy(settings) as (store, proxy):
        assert await store.missing({DIGEST: DATA}) == set()
        proxy.faults.extend([Hold(held)] * 2)  # the client for deletions has connections of its own
        with pytest.raises(DeletionUnansweredError) as caught:
            await store.delete([DIGEST], always)
        assert caught.value.seconds == LATE
        assert await store.missing({DIGEST: DATA}) == set()
        held.set()
        with trio.fail_after(10):
            while not await store.missing({DIGEST: DATA}):
                await trio.lowlevel.checkpoint()


async def test_a_cancelled_deletion_waits_for_its_answer_and_says_if_there_was_none(settings: S3Settings) -> None:
    async with store_behind_proxy(settings) as (store, proxy):
        await store.missing({DIGEST: DATA})
        proxy.faults.append(Stall())
        with trio.fail_after(10 * WITHIN), pytest.raises(DeletionUnansweredError):
            await cancelled_when(lambda: proxy.connections == 2, lambda: store.delete([DIGEST], always))


async def cancelled_when(ready: Callable[[], bool], call: Callable[[], Awaitable[object]]) -> None:
    raised: list[C3Error] = []
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            try:
                await call()
            except C3Error as error:
                raised.append(error)

        nursery.start_soon(run)
        while not ready():
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    if raised:
        raise raised[0]


# --- killed


async def test_what_was_acknowledged_outlives_a_killed_server() -> None:
    with own_seaweed() as server:
        store = S3Store(server.settings("killed"), within=5)
        blobs = {Digest.of(data): data for data in (seeded(number, 100_000) for number in range(200))}
        stored: set[Digest] = set()

        async def put_some(digests: list[Digest]) -> None:
            for digest in digests:
                try:
                    await store.put(digest, blobs[digest])
                except StoreUnavailableError:
                    return
                stored.add(digest)
                if len(stored) == 50:
                    server.kill()

        async with trio.open_nursery() as nursery:
            for first in range(8):
                nursery.start_soon(put_some, list(blobs)[first::8])
        assert 50 <= len(stored) < len(blobs)
        with pytest.raises(StoreUnavailableError):
            await store.get(min(stored))
        server.start()
        # The same store goes on, with connections that are dead.
        for digest in stored:
            assert await store.get(digest) == blobs[digest]
        for digest in blobs.keys() - stored:
            if not await store.missing({digest: blobs[digest]}):
                assert await store.get(digest) == blobs[digest]
            await store.put(digest, blobs[digest])
        assert await store.missing(blobs) == set()


async def test_a_frozen_server_is_waited_for_no_longer_than_was_said() -> None:
    with own_seaweed() as server:
        store = S3Store(server.settings("frozen"), within=WITHIN)
        await store.put(DIGEST, DATA)
        server.freeze()
        try:
            for call in CALLS.values():
                with trio.fail_after(5 * WITHIN), pytest.raises(StoreUnavailableError, match=r"in time|not answered"):
                    await call(store)
        finally:
            server.thaw()
        assert await S3Store(server.settings("frozen")).missing({ABSENT: b""}) == {ABSENT}


def test_the_server_goes_with_who_started_it_and_has_no_secret_among_its_arguments(tmp_path: Path) -> None:
    program = "from tests.support.seaweed import shared_seaweed as s; print(s().pid, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},  # it cannot tidy up
    ) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        with open(f"/proc/{pid}/cmdline") as file:
            arguments = file.read()
        starter.send_signal(signal.SIGKILL)
    assert "mini" in arguments
    assert SECRET not in arguments
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/{pid}"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
