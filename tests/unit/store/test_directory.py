"""What only a directory can do: leave files, run full, refuse, hang, be tampered with."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from c3fs.core.digest import Digest
from c3fs.core.span import BLOB_MAX
from c3fs.errors import BlobMissingError, StoreRefusedError, StoreUnavailableError
from c3fs.store.blobfile import DIRECT_MIN, FileWriter, read_file
from c3fs.store.directory import DirectoryStore
from c3fs.store.oserrors import REFUSED, store_error
from tests.support.blobs import seeded
from tests.support.store_program import Outcome

DATA = seeded(1, 1 << 20)
DIGEST = Digest.of(DATA)


def file_of(root: Path, digest: Digest) -> Path:
    return root / str(digest)[:2] / str(digest)


def temporary(root: Path) -> list[str]:
    return os.listdir(root / "tmp")


# --- layout ----------------------------------------------------------------------------------------------


async def test_one_read_only_file_per_blob_and_no_directory_before_the_first(tmp_path: Path) -> None:
    root = tmp_path / "home" / "store"
    store = DirectoryStore(str(root))
    assert await store.missing({DIGEST: DATA}) == {DIGEST}
    assert not root.exists()
    await store.put(DIGEST, DATA)
    path = file_of(root, DIGEST)
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o222 == 0
    assert len(os.listdir(root)) == 257
    assert temporary(root) == []


async def test_a_blob_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    store = DirectoryStore(str(tmp_path))
    await store.put(DIGEST, DATA)
    before = file_of(tmp_path, DIGEST).stat().st_ino
    await store.put(DIGEST, DATA)
    assert file_of(tmp_path, DIGEST).stat().st_ino == before


async def test_a_file_of_the_wrong_size_is_replaced(tmp_path: Path) -> None:
    store = DirectoryStore(str(tmp_path))
    await store.put(DIGEST, DATA)
    os.truncate(file_of(tmp_path, DIGEST), 100)
    await store.put(DIGEST, DATA)
    assert await store.get(DIGEST) == DATA


@pytest.mark.parametrize("gone", ["", "tmp", str(DIGEST)[:2]])
async def test_directories_that_vanish_are_made_again(tmp_path: Path, gone: str) -> None:
    root = tmp_path / "store"
    store = DirectoryStore(str(root))
    await store.put(Digest.of(b"other"), b"other")
    os.rename(root / gone, tmp_path / "away")
    await store.put(DIGEST, DATA)
    assert await store.get(DIGEST) == DATA


# --- temporary files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("left", [[], [""], ["tmp"]])
async def test_a_store_that_must_be_there_is_not_made_again(tmp_path: Path, left: list[str]) -> None:
    root = tmp_path / "store"
    for name in left:
        (root / name).mkdir(parents=True)
    store = DirectoryStore(str(root), create=False)
    with pytest.raises(StoreRefusedError, match="the store's directory has been removed; bring it back"):
        await store.put(DIGEST, DATA)
    assert root.exists() == bool(left)


async def test_what_killed_processes_left_is_not_seen_and_swept_when_it_is_old(tmp_path: Path) -> None:
    store = DirectoryStore(str(tmp_path / "store"))
    assert await store.sweep_temporary(0) == 0
    await store.put(Digest.of(b"other"), b"other")
    old, young = (tmp_path / "store" / "tmp" / f"{DIGEST}.{end}" for end in ("0000000a", "0000000b"))
    for path in (old, young):
        path.write_bytes(DATA[:1000])
    os.utime(old, (0, 0))
    assert await store.missing({DIGEST: DATA}) == {DIGEST}
    with pytest.raises(BlobMissingError):
        await store.get(DIGEST)
    assert await store.sweep_temporary(3600) == 1
    assert temporary(tmp_path / "store") == [young.name]
    assert await store.sweep_temporary(-3600) == 1
    assert await store.get(Digest.of(b"other")) == b"other"


class Hanging(bytearray):
    """Bytes that a put cannot read before it is released: a disk that hangs."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reached = threading.Event()
        self.released = threading.Event()

    def __len__(self) -> int:
        self.reached.set()
        self.released.wait(timeout=60)
        return super().__len__()


async def test_a_cancelled_put_returns_soon_and_stores_nothing(tmp_path: Path) -> None:
    store = DirectoryStore(str(tmp_path), threads=1)
    await store.put(Digest.of(b"other"), b"other")
    data = Hanging(DATA)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.put, DIGEST, data)
        await trio.to_thread.run_sync(data.reached.wait)
        nursery.cancel_scope.cancel()
    # Its thread goes on, with data that is no longer what it was.
    bytearray.__setitem__(data, slice(0, 7), b"changed")
    data.released.set()
    # The store has one thread: this waits for it.
    assert await store.missing({DIGEST: DATA}) == {DIGEST}
    assert temporary(tmp_path) == []


async def test_a_cancelled_put_takes_its_file_away(tmp_path: Path) -> None:
    """A process that is interrupted ends right after, and its threads with it."""
    store = DirectoryStore(str(tmp_path))
    data = Hanging(DATA)
    scope = trio.CancelScope()

    async def put() -> None:
        with scope:
            await store.put(DIGEST, data)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(put)
        await trio.to_thread.run_sync(data.reached.wait)
        scope.cancel()
        await wait_all_tasks_blocked()
        data.released.set()
    assert scope.cancelled_caught
    assert temporary(tmp_path) == []


async def test_a_put_that_waits_for_a_thread_can_be_cancelled(tmp_path: Path) -> None:
    store = DirectoryStore(str(tmp_path), threads=1)
    data = Hanging(DATA)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.put, DIGEST, data)
        await trio.to_thread.run_sync(data.reached.wait)
        with trio.move_on_after(0) as scope:
            await store.put(Digest.of(b"other"), b"other")
        assert scope.cancelled_caught
        data.released.set()
    assert await store.missing({DIGEST: DATA, Digest.of(b"other"): b"other"}) == {Digest.of(b"other")}


# --- errors ----------------------------------------------------------------------------------------------


def test_the_table_of_errors() -> None:
    missing = store_error(OSError(errno.ENOENT, "x"), "/p", DIGEST)
    assert isinstance(missing, BlobMissingError)
    assert missing.digest == str(DIGEST)
    for code in (errno.ENOENT, errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
        refused = store_error(OSError(code, "x"), "/home/store/ab/abcd")
        assert isinstance(refused, StoreRefusedError)
        assert str(refused) == f"/home/store/ab/abcd: {os.strerror(code)}; {REFUSED[code]}"
    for code in set(errno.errorcode) - set(REFUSED):
        assert isinstance(store_error(OSError(code, "x"), "/p"), StoreUnavailableError)
    assert isinstance(store_error(OSError("no number"), "/p"), StoreUnavailableError)


async def test_something_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a store")
    with pytest.raises(StoreRefusedError, match="in the way"):
        await DirectoryStore(str(tmp_path / "file")).put(DIGEST, DATA)
    store = DirectoryStore(str(tmp_path / "store"))
    path = file_of(tmp_path / "store", DIGEST)
    path.mkdir(parents=True)
    assert await store.missing({DIGEST: DATA}) == {DIGEST}
    with pytest.raises(StoreRefusedError, match="in the way"):
        await store.put(DIGEST, DATA)
    with pytest.raises(StoreRefusedError):
        await store.get(DIGEST)
    assert temporary(tmp_path / "store") == []


async def test_a_file_that_no_blob_can_be_is_refused_unread(tmp_path: Path) -> None:
    path = file_of(tmp_path, DIGEST)
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(StoreRefusedError, match="no blob is that large"):
        await DirectoryStore(str(tmp_path)).get(DIGEST)


def in_mount(kind: str, options: str, path: Path, total: int) -> Outcome:
    """Put blobs of `total` bytes into a store on a file system of its own, in a private mount namespace."""
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--user", "--map-root-user"]
    script = f'mount -t {kind} -o {options} c3fs-test "$1" && exec "$0" -m tests.support.store_program once "$1" "$2"'
    done = subprocess.run(
        [*unshare, "sh", "-c", script, sys.executable, str(path), str(total)],
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Outcome)


@pytest.mark.namespaces
def test_a_full_disk_refuses_and_nothing_is_left_of_what_did_not_fit(tmp_path: Path) -> None:
    outcome = in_mount("tmpfs", "size=10m", tmp_path, 64 << 20)
    assert (outcome.error, outcome.temporary) == ("StoreRefusedError", [])
    assert outcome.put == 4
    assert outcome.message.endswith("No space left on device; free some space there, or choose another C3_HOME")


@pytest.mark.namespaces
def test_a_read_only_disk_refuses(tmp_path: Path) -> None:
    outcome = in_mount("tmpfs", "ro", tmp_path, 1)
    assert (outcome.put, outcome.error) == (0, "StoreRefusedError")
    assert "Read-only file system" in outcome.message


@pytest.mark.namespaces
def test_a_file_system_without_direct_writing_takes_blobs_all_the_same(tmp_path: Path) -> None:
    outcome = in_mount("ramfs", "mode=0755", tmp_path, 8 << 20)
    assert (outcome.put, outcome.error, outcome.temporary) == (4, "", [])
    assert "FileWriter buffered" in outcome.store


# --- files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size", [0, 1, 4095, DIRECT_MIN - 1, DIRECT_MIN, DIRECT_MIN + 1, DIRECT_MIN + 4096, BLOB_MAX - 1, BLOB_MAX]
)
def test_files_of_every_alignment(tmp_path: Path, size: int) -> None:
    writer = FileWriter()
    path = str(tmp_path / "file")
    # Larger first: what an earlier blob left in the buffer must not show.
    for data in (seeded(2, BLOB_MAX), seeded(3, size), b"", memoryview(seeded(4, size + 9))[9:]):
        writer.write(path, data)
        assert read_file(path) == data
        os.unlink(path)


async def test_an_empty_file_is_no_blob_and_is_replaced(tmp_path: Path) -> None:
    """What a power cut leaves of one where renames get ahead of contents."""
    store = DirectoryStore(str(tmp_path / "store"))
    data = b"weights"
    digest = Digest.of(data)
    await store.put(digest, data)
    file = tmp_path / "store" / str(digest)[:2] / str(digest)
    file.chmod(0o644)
    file.write_bytes(b"")
    assert await store.missing({digest: data}) == {digest}
    await store.put(digest, data)
    assert bytes(await store.get(digest)) == data
