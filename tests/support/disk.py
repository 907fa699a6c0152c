"""What c3fs.data does to published trees, done to directories on disk: compared by their facts, copied by cp itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.trees import Fact, facts

Told = tuple[str, bytes]


class Listed:
    def __init__(self, top: Path) -> None:
        self.facts = facts(top)
        self.below: dict[bytes, list[bytes]] = {path: [] for path in self.facts}
        for path in self.facts:
            if path:
                self.below[path.rpartition(b"/")[0]].append(path)
        for paths in self.below.values():
            paths.sort()

    def whole(self, kind: str, path: bytes) -> Iterator[Told]:
        """All that is told of a path that is only here."""
        if self.facts[path].kind != "directory" or not self.below[path]:
            yield kind, path
        for below in self.below[path]:
            yield from self.whole(kind, below)


def disk_diff(one: Path, other: Path) -> list[Told]:
    return list(_diff(Listed(one), Listed(other), b""))


def _diff(one: Listed, other: Listed, path: bytes) -> Iterator[Told]:
    for below in sorted({*one.below[path], *other.below[path]}):
        before, after = one.facts.get(below), other.facts.get(below)
        if before is not None and after is not None and before.kind == after.kind:
            if _content(before) != _content(after):
                yield "changed", below
            if before.kind == "directory":
                yield from _diff(one, other, below)
            continue
        if before is not None:
            yield from one.whole("removed", below)
        if after is not None:
            yield from other.whole("added", below)


def _content(fact: Fact) -> tuple[int, bytes]:
    return fact.mode, fact.content


def copied(source: Path, base: Path, path: Sequence[bytes], made_ns: int) -> bool:
    """Copy `source` into `base` under `path` as `cp -a` does; False when that is refused.

    Directories on the way are made, with the time `made_ns`; those that are there keep their times.
    """
    here, times = base, {base: os.lstat(base).st_mtime_ns}
    for name in path[:-1]:
        here = here / os.fsdecode(name)
        if here.is_symlink() or (here.exists() and not here.is_dir()):
            return False
        if not here.exists():
            here.mkdir()
            here.chmod(0o755)
            os.utime(here, ns=(made_ns, made_ns))
        times[here] = os.lstat(here).st_mtime_ns
    command = ["cp", "-aT", "--remove-destination", source, here / os.fsdecode(path[-1])]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    for directory, time in reversed(times.items()):
        os.utime(directory, ns=(time, time))
    return done.returncode == 0


def duplicate(source: Path, target: Path) -> Path:
    """All of `source`, times included."""
    subprocess.run(["cp", "-aT", source, target], check=True, timeout=60)
    return target
