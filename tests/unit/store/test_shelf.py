"""Listing and deleting in a directory: what others have put there, and deletions that are late."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from pathlib import Path

import pytest
import trio

from c3fs.core.digest import Digest
from c3fs.errors import StoreRefusedError
from c3fs.store.base import Deleted
from c3fs.store.directory import DirectoryStore
from c3fs.store.shelf import LOCK_FILES, shelf_held

DATA = b"weights"
DIGEST = Digest.of(DATA)


def file_of(root: Path, digest: Digest) -> Path:
    return root / str(digest)[:2] / str(digest)


async def test_foreign_files_are_counted_and_left_alone(tmp_path: Path) -> None:
    store = DirectoryStore(str(tmp_path))
    await store.put(DIGEST, DATA)
    shelf = file_of(tmp_path, DIGEST).parent
    other = f"{(DIGEST[0] + 1) % 256:02x}" + str(DIGEST)[2:]
    for name in ("README", str(DIGEST).upper(), str(DIGEST)[:-1], other, f"{DIGEST}.bak"):
        (shelf / name).write_text("mine")
    (shelf / (str(DIGEST)[:-1] + "0")).mkdir()
    (shelf / (str(DIGEST)[:-1] + "1")).symlink_to("README")
    found = await store.shelf(DIGEST[0])
    assert [blob.digest for blob in found.blobs] == [DIGEST]
    assert found.foreign == 7
    directory, link = (Digest.parse(str(DIGEST)[:-1] + end) for end in "01")
    assert await store.delete([DIGEST, directory, link], lambda: True) == Deleted(1, len(DATA))
    assert len(os.listdir(shelf)) == 7


async def test_an_empty_file_that_a_power_cut_left_is_listed_and_deleted(tmp_path: Path) -> None:
    store = DirectoryStore(str(tmp_path))
    path = file_of(tmp_path, DIGEST)
    path.parent.mkdir()
    path.touch()
    [blob] = (await store.shelf(DIGEST[0])).blobs
    assert (blob.digest, blob.size) == (DIGEST, 0)
    assert await store.delete([DIGEST], lambda: True) == Deleted(1, 0)


async def test_a_deletion_that_sleeps_holds_up_whoever_asks_and_undoes_no_answer(tmp_path: Path) -> None:
    """A gc that was stopped after it was allowed to: no answer is given before it has gone on."""
    gc, publisher = DirectoryStore(str(tmp_path)), DirectoryStore(str(tmp_path))
    await publisher.put(DIGEST, DATA)
    asked, released = threading.Event(), threading.Event()

    def allowed() -> bool:
        asked.set()
        released.wait(timeout=60)
        return True

    answers: list[set[Digest]] = []

    async def ask() -> None:
        answers.append(await publisher.missing({DIGEST: DATA}))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(gc.delete, [DIGEST], allowed)
        await trio.to_thread.run_sync(asked.wait)
        for late in (publisher.missing({DIGEST: DATA}), publisher.put(DIGEST, DATA)):
            with trio.move_on_after(0.05) as scope:
                await late
            assert scope.cancelled_caught
        nursery.start_soon(ask)
        released.set()
    assert answers == [{DIGEST}]
    # The put that was cancelled may have come after the deletion, or have found that its caller had left.
    await publisher.put(DIGEST, DATA)
    assert await publisher.get(DIGEST) == DATA


async def test_a_cancelled_deletion_that_comes_to_its_turn_deletes_nothing(tmp_path: Path) -> None:
    store = DirectoryStore(str(tmp_path), threads=1)
    await store.put(DIGEST, DATA)
    with shelf_held(str(file_of(tmp_path, DIGEST).parent)):
        with trio.move_on_after(0.05) as scope:
            await store.delete([DIGEST], lambda: True)
        assert scope.cancelled_caught
    # The store has one thread: this waits for it.
    assert await store.missing({DIGEST: DATA}) == set()


async def test_between_two_handfuls_others_get_their_turn(tmp_path: Path) -> None:
    store = DirectoryStore(str(tmp_path))
    digests = [Digest(DIGEST[:1] + number.to_bytes(31, "big")) for number in range(LOCK_FILES + 1)]
    for digest in digests:
        await store.put(digest, DATA)
    held: list[bool] = []

    def allowed() -> bool:
        # Another descriptor of the same process is another owner of the lock.
        held.append(not lockable(file_of(tmp_path, DIGEST).parent))
        return True

    assert (await store.delete(digests, allowed)).blobs == len(digests)
    assert held == [True] * len(digests)
    assert lockable(file_of(tmp_path, DIGEST).parent)


def lockable(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


async def test_where_there_are_no_locks_blobs_are_kept_and_not_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    monkeypatch.setattr("fcntl.flock", refuse)
    store = DirectoryStore(str(tmp_path))
    await store.put(DIGEST, DATA)
    assert await store.missing({DIGEST: DATA}) == set()
    with pytest.raises(StoreRefusedError, match="no locks"):
        await store.delete([DIGEST], lambda: True)
    assert await store.get(DIGEST) == DATA
