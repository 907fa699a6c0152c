"""Collecting while somebody changes what is collected."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from c3fs.core.digest import Digest
from c3fs.errors import FileChangedError
from c3fs.publish.collect import READ_TRIES
from tests.support.blobs import seeded
from tests.support.encoded import Link
from tests.support.publishing import collected, paths
from tests.support.trees import Source, build, deep, facts

MIB = 1 << 20


class Meddler:
    """Changes something while the file read n-th is read: `tick` is called between its first stat and its last."""

    def __init__(self, change: Callable[[], object], *, times: int = 1) -> None:
        self.change = change
        self.times = times
        self.reads = 0

    def __call__(self, size: int) -> None:
        self.reads += 1
        if self.reads <= self.times:
            self.change()


def append(path: Path, data: bytes = b"more") -> None:
    with open(path, "ab") as file:
        file.write(data)


SIZES = pytest.mark.parametrize("size", [5, 3 * MIB])


@SIZES
@pytest.mark.parametrize("times", [1, READ_TRIES - 1])
def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path, size: int, times: int) -> None:
    build(tmp_path, {b"artifacts": {b"growing": seeded(1, size)}})
    path = tmp_path / "artifacts" / "growing"
    found, decoded = collected(tmp_path, tick=Meddler(lambda: append(path), times=times))
    assert decoded.facts == facts(tmp_path)
    assert found.complete
    assert found.warnings == []


def test_the_blobs_of_a_torn_read_are_not_in_the_inventory(tmp_path: Path) -> None:
    """`collected` compares what is named with what is needed; here the first chunk is replaced as a whole."""
    build(tmp_path, {b"artifacts": {b"file": seeded(1, 9 * MIB)}})

    def replace() -> None:
        (tmp_path / "artifacts" / "file").write_bytes(seeded(2, 9 * MIB))

    _, decoded = collected(tmp_path, tick=Meddler(replace))
    assert decoded.facts[b"artifacts/file"].content == Digest.of(seeded(2, 9 * MIB))


@SIZES
def test_a_file_that_keeps_changing_is_an_error_that_names_it(tmp_path: Path, size: int) -> None:
    build(tmp_path, {b"artifacts": {b"growing": seeded(1, size), b"still": b"still"}})
    path = tmp_path / "artifacts" / "growing"
    with pytest.raises(FileChangedError, match="artifacts/growing"):
        collected(tmp_path, tick=lambda _: append(path))
    found, decoded = collected(tmp_path, tick=lambda _: append(path), best_effort=True)
    assert not found.complete
    assert "growing" in found.warnings[0]
    assert paths(decoded) == {b"artifacts", b"artifacts/still"}


def test_a_change_that_leaves_size_and_mtime_is_seen(tmp_path: Path) -> None:
    build(tmp_path, {b"artifacts": {b"file": b"before"}})
    path = tmp_path / "artifacts" / "file"

    def sly() -> None:
        about = os.stat(path)
        path.write_bytes(b"after!")
        os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))

    _, decoded = collected(tmp_path, tick=Meddler(sly))
    assert decoded.facts[b"artifacts/file"].content == Digest.of(b"after!")


@pytest.mark.parametrize("left", [0, 1000, 4096, 2 * MIB])
def test_a_large_file_that_is_truncated_while_it_is_read(tmp_path: Path, left: int) -> None:
    build(tmp_path, {b"artifacts": {b"large": seeded(1, 20 * MIB)}})
    path = tmp_path / "artifacts" / "large"
    _, decoded = collected(tmp_path, tick=Meddler(lambda: os.truncate(path, left)))
    assert decoded.facts[b"artifacts/large"].content == Digest.of(seeded(1, 20 * MIB)[:left])


def removed(path: Path) -> None:
    path.unlink()


def to_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def to_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def to_directory(path: Path) -> None:
    path.unlink()
    build(path, {b"inner": b"new"})


@pytest.mark.parametrize(
    ("turn", "left", "warning"),
    [
        (removed, set[bytes](), "artifacts/b is gone"),
        (to_fifo, set[bytes](), "artifacts/b is a fifo"),
        (to_link, {b"artifacts/b"}, None),
        (to_directory, {b"artifacts/b", b"artifacts/b/inner"}, None),
    ],
)
def test_a_file_that_turns_into_something_else(
    tmp_path: Path, turn: Callable[[Path], None], left: set[bytes], warning: str | None
) -> None:
    """b turns while a is read: it was listed as a file."""
    build(tmp_path, {b"artifacts": {b"a": b"1", b"b": b"2"}})
    found, decoded = collected(tmp_path, tick=Meddler(lambda: turn(tmp_path / "artifacts" / "b")))
    assert paths(decoded) == {b"artifacts", b"artifacts/a"} | left
    assert found.complete
    assert [said for said in found.warnings if not said.startswith(warning or "\n")] == []
    assert len(found.warnings) == (warning is not None)
    if turn is to_link:
        assert decoded.facts[b"artifacts/b"].content == b"/etc/passwd"


@pytest.mark.parametrize("what", [{b"inner": b"x"}, Link(b"target")])
def test_a_directory_or_symlink_that_turns_into_a_file(tmp_path: Path, what: Source | Link) -> None:
    build(tmp_path, {b"artifacts": {b"a": b"1", b"b": what}})
    path = tmp_path / "artifacts" / "b"

    def turn() -> None:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        path.write_bytes(b"now a file")

    found, decoded = collected(tmp_path, tick=Meddler(turn))
    assert decoded.facts[b"artifacts/b"].content == Digest.of(b"now a file")
    assert found.complete


def test_a_directory_above_an_output_that_turns_into_a_file_is_not_collected(tmp_path: Path) -> None:
    build(tmp_path, {b"a": b"1", b"work": {b"out": {b"x": b"2"}}})

    def turn() -> None:
        shutil.rmtree(tmp_path / "work")
        (tmp_path / "work").write_bytes(b"secret")

    found, decoded = collected(tmp_path, "a", "work/out", tick=Meddler(turn))
    assert paths(decoded) == {b"a"}
    assert found.warnings[1].startswith("work is gone")


def test_a_file_removed_while_it_is_read_is_gone(tmp_path: Path) -> None:
    build(tmp_path, {b"artifacts": {b"a": b"1"}})
    found, decoded = collected(tmp_path, tick=Meddler((tmp_path / "artifacts" / "a").unlink))
    assert paths(decoded) == {b"artifacts"}
    assert found.complete
    assert "is gone" in found.warnings[0]


def test_the_end_of_the_work_leaves_no_descriptor(tmp_path: Path) -> None:
    build(tmp_path, {b"artifacts": deep(20, {b"file": b"x"})})

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collected(tmp_path, tick=stop)
