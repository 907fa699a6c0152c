"""A cache that is broken, full, forbidden or shared: the reader never notices more than a miss."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from c3fs.cache.cache import Cache
from c3fs.cache.environment import boot_id, open_environment
from c3fs.core.digest import Digest
from tests.support.blobs import seeded
from tests.support.requirements import ORDINARY_UID

CAP = 64 << 20
DIGEST, DATA = Digest.of(seeded(1, 1 << 20)), seeded(1, 1 << 20)
ROOT = Path(__file__).parents[2]


def fill(directory: Path) -> None:
    """A cache with one blob, closed cleanly."""

    async def put() -> None:
        await use(directory, lambda cache: cache.put(DIGEST, DATA))

    trio.run(put)


async def use(directory: Path, what: Callable[[Cache], object], cap: int | None = CAP) -> Cache:
    """Open, do `what`, commit, close; the cache, for its stats."""
    cache = Cache.open(str(directory), cap)
    async with trio.open_nursery() as nursery:
        await nursery.start(cache.run)
        what(cache)
        await cache.flush()
        nursery.cancel_scope.cancel()
    cache.close()
    return cache


async def works(directory: Path, *, finds: bool) -> None:
    """The cache in `directory` has DIGEST or not, and can keep it."""
    found: list[bytes | None] = []

    def check(cache: Cache) -> None:
        view = cache.get(DIGEST)
        found.append(None if view is None else bytes(view))
        cache.put(DIGEST, DATA)

    await use(directory, check)
    assert found == [DATA if finds else None]
    await use(directory, check)
    assert found[1] == DATA


def damage_garbage(environment: Path) -> None:
    (environment / "data.mdb").write_bytes(seeded(9, 1 << 20))


def damage_truncated(environment: Path) -> None:
    os.truncate(environment / "data.mdb", 64 << 10)


def damage_odd_size(environment: Path) -> None:
    with open(environment / "data.mdb", "ab") as file:
        file.write(b"x")


def damage_format(environment: Path) -> None:
    opened = open_environment(str(environment.parent), None)
    with opened.handle.begin(write=True) as txn:
        txn.put(b"format", b"0", db=opened.info)
    opened.close()


def damage_other_boot(environment: Path) -> None:
    (environment / "boot").write_bytes(b"00000000-0000-0000-0000-000000000000")


def damage_marked(environment: Path) -> None:
    (environment / "broken").touch()


def damage_zeroed(environment: Path) -> None:
    size = (environment / "data.mdb").stat().st_size
    (environment / "data.mdb").write_bytes(bytes(size))


@pytest.mark.parametrize(
    "damage",
    [damage_garbage, damage_truncated, damage_odd_size, damage_format, damage_other_boot, damage_marked, damage_zeroed],
    ids=lambda damage: damage.__name__,
)
def test_a_broken_environment_is_set_aside_and_begun_anew(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path)
    damage(tmp_path / "v1")
    trio.run(lambda: works(tmp_path, finds=False))
    assert "set aside" in caplog.text
    assert [path.name for path in tmp_path.iterdir() if "aside" in path.name] == []


def test_a_clean_close_leaves_no_mark_and_a_kill_does(tmp_path: Path) -> None:
    fill(tmp_path)
    assert not (tmp_path / "v1" / "boot").exists()
    with process(tmp_path, "hold") as holding:
        assert (tmp_path / "v1" / "boot").read_bytes() == boot_id()
        holding.send_signal(signal.SIGKILL)
        holding.wait(10)
    assert (tmp_path / "v1" / "boot").exists()
    trio.run(lambda: works(tmp_path, finds=True))  # the same boot: the kernel has every page


def test_a_deleted_directory_harms_nobody(tmp_path: Path) -> None:
    fill(tmp_path / "cache")

    async def check() -> None:
        def delete(cache: Cache) -> None:
            assert cache.get(DIGEST) is not None
            shutil.rmtree(tmp_path / "cache")
            assert bytes(cache.get(DIGEST) or b"") == DATA
            cache.put(Digest.of(b"later"), b"later")

        await use(tmp_path / "cache", delete)
        await works(tmp_path / "cache", finds=False)

    trio.run(check)


PROGRAM = """
import os, sys, trio
from c3fs.cache.cache import Cache
from c3fs.cache.environment import open_environment
from c3fs.core.digest import Digest
from tests.support.blobs import seeded

what, directory, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])

async def main():
    cache = Cache.open(directory, 64 << 20)
    async with trio.open_nursery() as nursery:
        await nursery.start(cache.run)
        if what == "fill":
            for number in range(60):
                data = seeded(seed * 1000 + number, 300_000 + number * 40_000)
                digest = Digest.of(data)
                cache.put(digest, data)
                await cache.flush()
                view = cache.get(digest)
                assert view is None or bytes(view) == data
                size = os.stat(f"{directory}/v1/data.mdb").st_size
                assert size <= 64 << 20, size
            print("filled", cache.stats().dropped, flush=True)
        elif what == "hold":
            cache.get(Digest.of(b"anything"))
            print("holding", flush=True)
            await trio.sleep_forever()
        elif what == "forbidden":
            cache.put(Digest.of(b"x"), b"x")
            await cache.flush()
            assert cache.get(Digest.of(b"y")) is None
            print("broken", cache.stats().broken, flush=True)
        nursery.cancel_scope.cancel()
    cache.close()

trio.run(main)
"""


@contextmanager
def process(directory: Path, what: str, seed: int = 0, user: int | None = None) -> Generator[subprocess.Popen[str]]:
    """A process of its own on the same cache; it has said that it is ready."""
    started = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, what, str(directory), str(seed)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, user=user,
    )  # fmt: skip
    try:
        if what == "hold":
            assert started.stdout is not None
            assert started.stdout.readline() == "holding\n"
        yield started
    finally:
        started.kill()
        started.wait(10)
        if started.stdout is not None:
            started.stdout.close()


def test_three_processes_fill_one_cache_and_none_passes_the_cap(tmp_path: Path) -> None:
    with process(tmp_path, "fill", 1) as a, process(tmp_path, "fill", 2) as b, process(tmp_path, "fill", 3) as c:
        for started in (a, b, c):
            out, _ = started.communicate(timeout=100)
            assert started.returncode == 0, out
            # Another process's open reader may pin evicted pages: some puts are forgotten, none is an error.
            assert int(out.removeprefix("filled ")) < 30

    environment = open_environment(str(tmp_path), None)
    with environment.handle.begin() as txn:
        entries = txn.stat(environment.index)["entries"]
        assert entries == txn.stat(environment.blobs)["entries"] == txn.stat(environment.order)["entries"] > 5
    environment.close()


def test_the_slot_of_a_killed_reader_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("c3fs.cache.environment.READERS_MAX", 2)
    fill(tmp_path)

    async def check() -> None:
        cache = Cache.open(str(tmp_path))
        with process(tmp_path, "hold") as first, process(tmp_path, "hold"):
            # Both slots are taken: served without the cache, and no error.
            assert cache.get(DIGEST) is None
            first.send_signal(signal.SIGKILL)
            first.wait(10)
            assert bytes(cache.get(DIGEST) or b"") == DATA
        cache.close()

    trio.run(check)


def test_a_full_disk_means_no_caching_and_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small tmpfs")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small], check=True)
    try:

        async def check() -> None:
            def fill_up(cache: Cache) -> None:
                for seed in range(2, 12):
                    data = seeded(seed, 1 << 20)
                    cache.put(Digest.of(data), data)

            await use(small, fill_up)
            assert "the disk is full" in caplog.text
            environment = open_environment(str(small), None)  # and it is as good as before
            environment.close()

        trio.run(check)
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_cache_nobody_may_write_is_no_cache(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    if not os.access(sys.executable, os.X_OK) or os.path.realpath(sys.executable).startswith("/root"):
        pytest.skip("the interpreter lies in root's home")
    tmp_path.chmod(0o755)
    with process(tmp_path / "cache", "forbidden", user=ORDINARY_UID) as started:
        out, _ = started.communicate(timeout=60)
    assert started.returncode == 0, out
    assert "broken True" in out
    assert "going on without" in out


def test_a_file_where_the_directory_should_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cache").write_text("in the way")
    cache = Cache.open(str(tmp_path / "cache"))
    assert cache.get(DIGEST) is None
    assert cache.stats().broken
    assert "going on without" in caplog.text
    assert "none" in repr(cache)


def test_a_smaller_cap_begins_anew_and_a_larger_one_keeps(tmp_path: Path) -> None:
    fill(tmp_path)
    environment = open_environment(str(tmp_path), 128 << 20)
    assert environment.cap == 128 << 20
    with environment.handle.begin(db=environment.blobs) as txn:
        assert txn.get(DIGEST) == DATA
    environment.close()
    environment = open_environment(str(tmp_path), None)
    assert environment.cap == 128 << 20
    environment.close()
