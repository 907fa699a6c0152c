"""What a diff of two directories on disk is, told as c3fs.data.diff does: by path, with os.walk's own facts."""

from __future__ import annotations

from collections.abc import Iterator
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
