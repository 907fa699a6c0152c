"""A mount shows exactly what was collected, to the tools people use."""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import random
import shutil
import stat
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings, strategies as st

from tests.support.blobs import seeded
from tests.support.mounting import Home

pytestmark = pytest.mark.mounts

SPARSE: Final = (5 << 30) + 12_345
ODD_NAMES: Final = (
    b"blank name", b" leading", b"trailing ", b"new\nline", b"tab\t", b"\x01\x7f", b"\xff\xfe not utf-8", b"-rf",
    "Ünïcödé €".encode(), b"*?[a]", b"'quote\"", b"back\\slash", b"..dots", b"x" * 255, b"\xc3\x28",
)  # fmt: skip
MTIMES: Final = (0, 1, -86_400 * 10**9, 1_700_000_000_123_456_789, 4_000_000_000 * 10**9)


def make_tree(top: Path) -> None:
    """Everything a job may leave behind that is kept."""
    (top / "empty").mkdir(parents=True)
    (top / "deep" / "er" / "still").mkdir(parents=True)
    (top / "empty-file").touch()
    (top / "small.txt").write_bytes(b"small\n")
    (top / "deep" / "er" / "still" / "file").write_bytes(seeded(1, 5000))
    for number, size in enumerate((1, 4095, 4096, 4097, (512 << 10) - 1, 512 << 10, (512 << 10) + 1, 9 << 20)):
        (top / f"size-{size}").write_bytes(seeded(100 + number, size))
    (top / "link-in").symlink_to("deep/er")
    (top / "link-out").symlink_to("/etc/hostname")
    (top / "link-dangling").symlink_to("nowhere")
    (top / "link-loop").symlink_to("link-loop")
    os.link(top / "small.txt", top / "hard-link")
    (top / "names").mkdir()
    for number, name in enumerate(ODD_NAMES):
        Path(os.fsdecode(os.path.join(os.fsencode(top / "names"), name))).write_bytes(b"%d" % number)
    (top / "modes").mkdir()
    for mode in (0o000, 0o400, 0o555, 0o600, 0o644, 0o755, 0o777, 0o4755, 0o2755, 0o1644):
        file = top / "modes" / f"{mode:04o}"
        file.write_bytes(b"mode")
        file.chmod(mode)
    with open(top / "sparse", "wb") as sparse:
        sparse.seek(3 << 30)
        sparse.write(b"in the middle")
        sparse.truncate(SPARSE)
    (top / "times").mkdir()
    for number, mtime in enumerate(MTIMES):
        file = top / "times" / str(number)
        file.write_bytes(b"t")
        os.utime(file, ns=(mtime, mtime))
    (top / "closed").mkdir()
    (top / "closed" / "inside").write_bytes(b"in a closed directory")
    (top / "closed").chmod(0o500)
    os.utime(top / "deep", ns=(MTIMES[3], MTIMES[3]))


class Pair:
    """The source and the mount that must look the same."""

    def __init__(self, source: Path, mount: Path) -> None:
        self.source = source
        self.mount = mount

    def paths(self) -> list[bytes]:
        """Every path below the source, relative."""
        top = os.fsencode(self.source)
        found: list[bytes] = []
        for directory, names, files in os.walk(top):
            found += [os.path.relpath(os.path.join(directory, name), top) for name in (*names, *files)]
        return sorted(found)

    def both(self, path: bytes) -> tuple[bytes, bytes]:
        return os.path.join(os.fsencode(self.source), path), os.path.join(os.fsencode(self.mount), path)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Generator[Pair, None, None]:
    base = tmp_path_factory.mktemp("exact")
    home = Home.make(base)
    source = base / "work" / "artifacts"
    make_tree(source)
    ref, published = home.publish(source)
    assert published.manifest.complete
    with home.mounted(ref) as mountpoint:
        yield Pair(source, mountpoint / "artifacts")


def tool(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(command, capture_output=True, cwd=cwd, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.decode(errors="surrogateescape")


def test_stat_of_everything(pair: Pair) -> None:
    paths = pair.paths()
    assert len(paths) > 50
    for path in paths:
        source, mount = (os.lstat(both) for both in pair.both(path))
        assert mount.st_mode == (source.st_mode if stat.S_ISLNK(source.st_mode) else source.st_mode & ~0o222), path
        assert mount.st_mtime_ns == source.st_mtime_ns, path
        if not stat.S_ISDIR(source.st_mode):
            assert mount.st_size == source.st_size, path
        assert (mount.st_uid, mount.st_gid) == (os.getuid(), os.getgid())
        if stat.S_ISLNK(source.st_mode):
            assert len({os.readlink(both) for both in pair.both(path)}) == 1


def test_inodes_are_distinct_and_stable(pair: Pair) -> None:
    first = {path: os.lstat(pair.both(path)[1]).st_ino for path in pair.paths()}
    assert len(set(first.values())) == len(first)
    again = {path: os.lstat(pair.both(path)[1]).st_ino for path in reversed(pair.paths())}
    assert again == first


def test_diff(pair: Pair) -> None:
    tool("diff", "-r", "--no-dereference", "--exclude=sparse", pair.source, pair.mount)


def test_sparse_file_over_4_gib(pair: Pair) -> None:
    file = os.stat(pair.mount / "sparse")
    assert file.st_size == SPARSE
    assert file.st_blocks * 512 < 8 << 20
    with open(pair.mount / "sparse", "rb", buffering=0) as sparse:
        assert os.pread(sparse.fileno(), 100, (3 << 30) - 50) == bytes(50) + b"in the middle" + bytes(37)
        assert os.pread(sparse.fileno(), 100, SPARSE - 10) == bytes(10)
        assert os.pread(sparse.fileno(), 100, SPARSE) == b""
        assert os.pread(sparse.fileno(), 100, 1 << 62) == b""


def test_rsync_finds_nothing_to_do(pair: Pair) -> None:
    modes = "--chmod=a-w"
    found = tool("rsync", "-anc", "--itemize-changes", modes, "--exclude=sparse", "--exclude=link-*",
                 f"{pair.mount}/", f"{pair.source}/")  # fmt: skip
    # Modes differ by the write bits, which a mount has not; no content, size or time does.
    changes = [line for line in found.splitlines() if line and not line.split(" ")[0].startswith((".f...p", ".d...p"))]
    assert changes == []


def test_tar_packs_the_same_bytes(pair: Pair, tmp_path: Path) -> None:
    options = ("--sort=name", "--owner=0", "--group=0", "--mode=a-w", "--exclude=./sparse", "--hard-dereference")
    archives = [tmp_path / "source.tar", tmp_path / "mount.tar"]
    for archive, top in zip(archives, (pair.source, pair.mount), strict=True):
        tool("tar", *options, "-cf", archive, "-C", top, ".")
    assert archives[0].read_bytes() == archives[1].read_bytes()


def test_sha256sum(pair: Pair) -> None:
    sums = [
        tool("bash", "-c", "find . -type f ! -name sparse -print0 | sort -z | xargs -0 sha256sum", cwd=top)
        for top in (pair.source, pair.mount)
    ]
    assert sums[0] == sums[1]
    assert sums[0].count("\n") > 40


def test_find_lists_the_same(pair: Pair) -> None:
    shown = "%P %y %s %T@ %l\\0"
    lists = [
        sorted(tool("find", top, "-mindepth", "1", "!", "-type", "d", "-printf", shown).split("\0"))
        for top in (pair.source, pair.mount)
    ]
    assert lists[0] == lists[1]
    assert len(tool("find", pair.mount, "-ls").splitlines()) >= len(lists[0])


def test_mmap(pair: Pair) -> None:
    for size in (1, 4097, 9 << 20):
        with open(pair.mount / f"size-{size}", "rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            with mapped:
                assert bytes(mapped) == (pair.source / f"size-{size}").read_bytes()


def test_sendfile(pair: Pair, tmp_path: Path) -> None:
    source = pair.mount / f"size-{9 << 20}"
    expected = (pair.source / source.name).read_bytes()
    with open(source, "rb") as reading, open(tmp_path / "copy", "wb") as writing:
        left = len(expected)
        while left:
            done = os.sendfile(writing.fileno(), reading.fileno(), None, left)
            assert done > 0
            left -= done
    assert (tmp_path / "copy").read_bytes() == expected


def test_copy_file_range_is_that_between_two_file_systems(pair: Pair, tmp_path: Path) -> None:
    """Linux copies between file systems of different kinds only by reading and writing: EXDEV, upon which tools do."""
    source = pair.mount / f"size-{9 << 20}"
    with open(source, "rb") as reading, open(tmp_path / "range", "wb") as writing:
        with pytest.raises(OSError) as caught:
            os.copy_file_range(reading.fileno(), writing.fileno(), 1 << 20)
        assert caught.value.errno == errno.EXDEV
    tool("cp", "--sparse=never", source, tmp_path / "copy")
    shutil.copyfile(source, tmp_path / "again")
    expected = (pair.source / source.name).read_bytes()
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "again").read_bytes() == expected


LARGE: Final = 9 << 20


@given(offset=st.integers(0, LARGE + 5000), size=st.integers(0, 2 << 20), direct=st.booleans())
@settings(max_examples=300, deadline=None)
def test_reads_at_any_offset(pair: Pair, offset: int, size: int, direct: bool) -> None:
    path = f"size-{LARGE}"
    with open(pair.mount / path, "rb", buffering=0) as ours, open(pair.source / path, "rb", buffering=0) as theirs:
        if direct:
            os.posix_fadvise(ours.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        assert os.pread(ours.fileno(), size, offset) == os.pread(theirs.fileno(), size, offset)


def test_many_readers_at_once(pair: Pair) -> None:
    path = pair.mount / f"size-{LARGE}"
    expected = hashlib.sha256((pair.source / path.name).read_bytes()).hexdigest()
    with open(path, "rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    readers = [subprocess.Popen(["sha256sum", path], stdout=subprocess.PIPE, text=True) for _ in range(8)]
    for reader in readers:
        out, _ = reader.communicate(timeout=60)
        assert out.split()[0] == expected


def test_df_and_statfs(pair: Pair) -> None:
    shown = os.statvfs(pair.mount)
    files = len(pair.paths()) + 2
    assert shown.f_files == files
    assert (shown.f_bfree, shown.f_ffree, shown.f_namemax) == (0, 0, 255)
    assert shown.f_flag & os.ST_RDONLY
    assert shown.f_flag & os.ST_NOSUID


def _with_open(path: bytes, use: Callable[[int], object], flags: int = os.O_RDONLY) -> None:
    descriptor = os.open(path, flags)
    try:
        use(descriptor)
    finally:
        os.close(descriptor)


def errno_from(call: str, top: Path) -> int:
    """The errno of one call below `top`; 0 when it works."""
    path = os.fsencode(top)
    file, folder, link = path + b"/small.txt", path + b"/deep", path + b"/link-dangling"
    calls = {
        "open missing": lambda: os.open(path + b"/missing", os.O_RDONLY),
        "stat missing": lambda: os.stat(path + b"/missing"),
        "stat below a file": lambda: os.stat(file + b"/x"),
        "list a file": lambda: os.listdir(file),
        "open a directory as one below a file": lambda: os.open(file, os.O_DIRECTORY),
        "readlink of a file": lambda: os.readlink(file),
        "name too long": lambda: os.stat(path + b"/" + b"n" * 256),
        "path too long": lambda: os.stat(path + b"/d" * 3000),
        "dangling link": lambda: os.stat(link),
        "link loop": lambda: os.stat(path + b"/link-loop"),
        "O_NOFOLLOW": lambda: os.open(link, os.O_NOFOLLOW),
        "read a directory": lambda: _with_open(folder, lambda fd: os.read(fd, 1)),
        "xattr that is not there": lambda: os.getxattr(file, "user.none"),
        "device ioctl": lambda: _with_open(file, os.get_terminal_size),
        "pread at a negative offset": lambda: _with_open(file, lambda fd: os.pread(fd, 1, -1)),
        "seek before the start": lambda: _with_open(file, lambda fd: os.lseek(fd, -1, os.SEEK_SET)),
    }
    try:
        calls[call]()
    except OSError as error:
        return error.errno or -1
    return 0


@pytest.mark.parametrize("call", [
    "open missing", "stat missing", "stat below a file", "list a file", "open a directory as one below a file",
    "readlink of a file", "name too long", "path too long", "dangling link", "link loop", "O_NOFOLLOW",
    "read a directory", "device ioctl", "pread at a negative offset", "seek before the start",
])  # fmt: skip
def test_errors_are_those_of_a_local_file_system(pair: Pair, call: str) -> None:
    assert errno_from(call, pair.mount) == errno_from(call, pair.source) != 0


def test_extended_attributes_are_not_supported(pair: Pair) -> None:
    assert errno_from("xattr that is not there", pair.mount) in (errno.ENOTSUP, errno.ENODATA)
    assert os.listxattr(pair.mount / "small.txt") == [] if _lists_xattrs(pair) else True


def _lists_xattrs(pair: Pair) -> bool:
    try:
        os.listxattr(pair.mount / "small.txt")
    except OSError as error:
        assert error.errno == errno.ENOTSUP
        return False
    return True


def writing_calls(top: Path) -> dict[str, object]:
    file, folder = str(top / "small.txt"), str(top / "deep")
    return {
        "open for writing": lambda: os.open(file, os.O_WRONLY),
        "open for both": lambda: os.open(file, os.O_RDWR),
        "open truncating": lambda: os.open(file, os.O_RDONLY | os.O_TRUNC),
        "open appending": lambda: os.open(file, os.O_WRONLY | os.O_APPEND),
        "create": lambda: os.open(f"{top}/new", os.O_WRONLY | os.O_CREAT, 0o644),
        "temporary file": lambda: os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600),
        "mkdir": lambda: os.mkdir(f"{top}/new"),
        "mknod": lambda: os.mknod(f"{top}/new"),
        "mkfifo": lambda: os.mkfifo(f"{top}/new"),
        "symlink": lambda: os.symlink("x", f"{top}/new"),
        "link": lambda: os.link(file, f"{top}/new"),
        "unlink": lambda: os.unlink(file),
        "rmdir": lambda: os.rmdir(f"{top}/empty"),
        "rename": lambda: os.rename(file, f"{top}/new"),
        "chmod": lambda: os.chmod(file, 0o777),
        "chown": lambda: os.chown(file, 1, 1),
        "truncate": lambda: os.truncate(file, 0),
        "utime": lambda: os.utime(file),
        "setxattr": lambda: os.setxattr(file, "user.x", b"y"),
        "removexattr": lambda: os.removexattr(file, "user.x"),
    }


@pytest.mark.parametrize("call", sorted(writing_calls(Path("/"))))
def test_every_writing_call_gets_erofs(pair: Pair, call: str) -> None:
    attempt = writing_calls(pair.mount)[call]
    assert callable(attempt)
    with pytest.raises(OSError) as caught:
        attempt()
    assert caught.value.errno == errno.EROFS


def test_100_000_entries_in_one_directory(tmp_path: Path) -> None:
    home = Home.make(tmp_path)
    source = tmp_path / "work" / "artifacts"
    source.mkdir(parents=True)
    names = [f"{number:06d}-{'x' * (number % 30)}" for number in range(100_000)]
    for name in names:
        os.close(os.open(source / name, os.O_CREAT | os.O_WRONLY, 0o644))
    ref, _ = home.publish(source)
    with home.mounted(ref) as mountpoint:
        top = mountpoint / "artifacts"
        assert sorted(os.listdir(top)) == sorted(names)
        for number in random.Random(1).sample(range(100_000), 100):
            assert os.stat(top / names[number]).st_size == 0
            assert not (top / f"{names[number]}-not").exists()
