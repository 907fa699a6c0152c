"""What README promises of a mount beyond its contents: inodes, faults of the store, death, readahead, memory."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from c3fs.fuse.mounts import find_mount
from tests.bench.measures import serving
from tests.support.blobs import seeded
from tests.support.mounting import Home

pytestmark = pytest.mark.mounts

MIB = 1 << 20


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.make(tmp_path)


def tree(home: Home, *files: tuple[str, bytes]) -> Path:
    top = home.base / "work" / "artifacts"
    for name, data in files:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(data)
    return top


def inodes(top: Path) -> dict[str, int]:
    return {str(path.relative_to(top)): path.lstat().st_ino for path in top.rglob("*")}


def blobs_of(home: Home) -> Iterator[Path]:
    for folder in (home.base / "home" / "store").iterdir():
        if len(folder.name) == 2:
            yield from folder.iterdir()


def listing_errno(directory: Path) -> int:
    """0 when it can be listed; it must not be empty then."""
    try:
        assert os.listdir(directory)
    except OSError as error:
        return error.errno or -1
    return 0


def until(happens: Callable[[], bool]) -> None:
    """Another process does it, within seconds."""
    deadline = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_inodes_are_the_same_in_every_mount(home: Home) -> None:
    files = [(f"d{number % 7}/e{number % 3}/f{number}", b"%d" % number) for number in range(200)]
    ref, _ = home.publish(tree(home, *files))
    with home.mounted(ref) as first:
        seen = inodes(first)
    with home.mounted(ref) as second:
        # In another order, and a deep file before anything above it was listed.
        deep = next(path for path in seen if path.endswith("f199"))
        assert (second / deep).lstat().st_ino == seen[deep]
        assert inodes(second) == seen
    assert len(set(seen.values())) == len(seen)


def test_a_sub_path_is_mounted_alone(home: Home) -> None:
    ref, _ = home.publish(tree(home, ("a/b/file", b"x"), ("other", b"y")))
    with home.mounted(f"{ref}/artifacts/a") as mountpoint:
        assert os.listdir(mountpoint) == ["b"]
        assert (mountpoint / "b" / ".." / "b" / "file").read_bytes() == b"x"
        assert os.stat(mountpoint / "b" / "..").st_ino == os.stat(mountpoint).st_ino


@pytest.mark.parametrize("fault", ["corrupt", "missing", "short"])
def test_a_bad_blob_is_eio_and_never_wrong_bytes_and_heals_without_remount(home: Home, fault: str) -> None:
    data = seeded(1, 3 * MIB)
    ref, _ = home.publish(tree(home, ("large", data)))
    (blob,) = [
        path
        for path in blobs_of(home)
        if path.read_bytes() == data[: path.stat().st_size] and path.stat().st_size > MIB // 2
    ]
    good = blob.read_bytes()
    with home.mounted(ref) as mountpoint:
        if fault == "missing":
            blob.unlink()
        else:
            blob.write_bytes(good[:-1] + b"?" if fault == "corrupt" else good[:-10])
        with open(mountpoint / "artifacts" / "large", "rb", buffering=0) as file:
            with pytest.raises(OSError) as caught:
                file.read(4096)
            assert caught.value.errno == errno.EIO
            assert os.listdir(mountpoint / "artifacts") == ["large"]
            blob.write_bytes(good)
            assert file.read(4096) == data[:4096]
        assert (mountpoint / "artifacts" / "large").read_bytes() == data


def test_a_killed_mount_answers_enotconn_and_is_cleared(home: Home) -> None:
    ref, _ = home.publish(tree(home, ("file", b"x")))
    with home.mounted(ref) as mountpoint:
        os.kill(serving(mountpoint), signal.SIGKILL)
        # Whoever was waiting for an answer at that moment gets ECONNABORTED, everybody after that ENOTCONN.
        until(lambda: listing_errno(mountpoint) == errno.ENOTCONN)
        # The next mount there clears it by itself …
        home.ok("c3fs", "mount", ref, mountpoint)
        assert (mountpoint / "artifacts" / "file").read_bytes() == b"x"
        os.kill(serving(mountpoint), signal.SIGKILL)
        # … and so does umount.
        home.ok("c3fs", "umount", mountpoint)
        assert find_mount(str(mountpoint)) is None
        assert os.listdir(mountpoint) == []


def test_sigterm_unmounts_and_leaves_nothing(home: Home) -> None:
    ref, _ = home.publish(tree(home, ("file", b"x")))
    with home.mounted(ref) as mountpoint:
        os.kill(serving(mountpoint), signal.SIGTERM)
        until(lambda: find_mount(str(mountpoint)) is None)
        assert os.listdir(mountpoint) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may set it")
def test_root_gets_a_wide_readahead(home: Home) -> None:
    """It lasts: the kernel's handshake, which sets its own, is over when the mount is live."""
    ref, _ = home.publish(tree(home, ("file", b"x")))
    with home.mounted(ref) as mountpoint:
        record = find_mount(str(mountpoint))
        assert record is not None
        assert int(Path(f"/sys/class/bdi/{record.device}/read_ahead_kb").read_text()) >= 1024


def test_memory_stays_small_whatever_is_read(home: Home) -> None:
    """128 MiB read and 20,000 files listed: the process's own memory stays far below what it has served."""
    top = tree(home, *((f"large{number}", seeded(number, 64 * MIB)) for number in range(2)))
    for number in range(20_000):
        (top / f"d{number % 20}").mkdir(exist_ok=True)
        (top / f"d{number % 20}" / str(number)).touch()
    ref, _ = home.publish(top)
    with home.mounted(ref) as mountpoint:
        for number in range(2):
            assert (mountpoint / "artifacts" / f"large{number}").read_bytes() == seeded(number, 64 * MIB)
        subprocess.run(["find", mountpoint, "-ls"], check=True, stdout=subprocess.DEVNULL, timeout=60)
        status = Path(f"/proc/{serving(mountpoint)}/status").read_text()
        own = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:"))
        assert own < 150 << 10


def test_a_job_of_20_000_files_mounts_by_reading_no_more_than_one_of_two(home: Home) -> None:
    """Counted in blobs fetched until the mount is live and its root was listed."""
    counts: list[str] = []
    for number, files in enumerate((2, 20_000)):
        top = home.base / f"work{number}" / "artifacts"
        for at in range(files):
            (top / f"d{at // 1000}").mkdir(parents=True, exist_ok=True)
            (top / f"d{at // 1000}" / str(at)).touch()
        ref, _ = home.publish(top)
        with home.mounted(ref) as mountpoint:
            assert os.listdir(mountpoint) == ["artifacts"]
            log = max((home.base / "home" / "logs").glob("mount-*.log"), key=os.path.getmtime)
        until(lambda log=log: "unmounted" in log.read_text())
        counts.append(log.read_text().rsplit("fetched_blobs=", 1)[1].split(",")[0])
    assert counts == ["1", "1"]
