"""What is measured: each function does its work once with c3fs and once with the peer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BIN: Final = Path(sys.executable).parent
PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the run works; `environment` points c3fs at a home and a cache of the run's own."""

    base: Path
    environment: dict[str, str]

    def c3(self, program: str, *arguments: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            [BIN / program, *arguments], env=self.environment, cwd=cwd, check=True, capture_output=True, text=True
        )
        return done.stdout

    @contextmanager
    def mounted(self, ref: str) -> Generator[tuple[Path, int]]:
        """A mount of `ref`, and the process that serves it."""
        mountpoint = self.base / "mnt"
        mountpoint.mkdir(exist_ok=True)
        self.c3("c3fs", "mount", ref, str(mountpoint))
        try:
            yield mountpoint, serving(mountpoint)
        finally:
            self.c3("c3fs", "umount", str(mountpoint))


def serving(mountpoint: Path) -> int:
    """The process whose command line names the mountpoint."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if os.fsencode(mountpoint) in line and any(b"c3fs" in word for word in line):
                return int(entry.name)
    raise LookupError(f"nothing serves {mountpoint}")


def memory(process: int) -> int:
    """Peak resident bytes of the process so far, mapped cache pages included (VmHWM)."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise LookupError(f"process {process} shows no VmHWM")


def timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def read_all(paths: list[Path]) -> None:
    buffer = bytearray(PIECE)
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def forget_pages(paths: list[Path]) -> None:
    """Drop the kernel's pages of these files alone, so that the next read asks the file system."""
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def drop_caches() -> None:
    """Drop every clean page, dentry and inode of the machine (root only)."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")


def find(directory: Path) -> None:
    subprocess.run(["find", directory, "-ls"], check=True, stdout=subprocess.DEVNULL)


def copy(source: Path, target: Path) -> None:
    """What a user would do without c3fs, as durably: copy, then sync."""
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", source, target], check=True)
    subprocess.run(["sync", "-f", target], check=True)
