"""Looking below the working directory: paths, kinds and order."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from c3fs.errors import CollectError
from c3fs.publish.scan import Kind, Wanted, kind_at, kind_of, names, open_directory, parts_of
from tests.support.encoded import Link
from tests.support.trees import ODD_NAMES, build


@pytest.fixture
def here(tmp_path: Path) -> Iterator[int]:
    build(tmp_path, {b"dir": {b"file": b"x", b"below": {}}, b"link": Link(b"dir"), b"file": b"y"})
    descriptor = open_directory(os.fsencode(tmp_path))
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize(
    ("output", "parts"),
    [(b"a", (b"a",)), (b"a/b/", (b"a", b"b")), (b"./a//b/.", (b"a", b"b")), (b".", ()), (b"\xff", (b"\xff",))],
)
def test_an_output_is_a_path_below(output: bytes, parts: tuple[bytes, ...]) -> None:
    assert parts_of(output) == parts


@pytest.mark.parametrize(
    "output", [b"", b"/", b"/etc", b"..", b"a/..", b"a/../../b", b"a\0b", b"n" * 256, b"/".join([b"d"] * 257)]
)
def test_other_outputs_are_refused(output: bytes) -> None:
    with pytest.raises(CollectError):
        parts_of(output)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (b".", Kind.DIRECTORY),
        (b"dir", Kind.DIRECTORY),
        (b"dir/below", Kind.DIRECTORY),
        (b"dir/file", Kind.FILE),
        (b"link", Kind.SYMLINK),
        (b"link/file", Kind.SYMLINK),
        (b"link/nothing/at/all", Kind.SYMLINK),
        (b"file/below", None),
        (b"nothing", None),
        (b"dir/nothing/below", None),
    ],
)
def test_kinds_are_told_without_following_symlinks(here: int, path: bytes, kind: Kind | None) -> None:
    before = len(os.listdir("/proc/self/fd"))
    assert kind_at(here, parts_of(path)) is kind
    assert len(os.listdir("/proc/self/fd")) == before


def test_names_are_in_the_order_of_their_bytes(tmp_path: Path) -> None:
    build(tmp_path, dict.fromkeys(ODD_NAMES, b""))
    descriptor = open_directory(os.fsencode(tmp_path))
    found = names(descriptor)
    os.close(descriptor)
    assert found == [(name, Kind.FILE) for name in sorted(ODD_NAMES)]


def test_kinds_come_with_the_names(here: int, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(tmp_path / "socket"))
    assert names(here) == [
        (b"dir", Kind.DIRECTORY), (b"fifo", None), (b"file", Kind.FILE), (b"link", Kind.SYMLINK), (b"socket", None),
    ]  # fmt: skip
    assert kind_of(here, b"fifo") is Kind.FIFO
    assert kind_of(here, b"socket") is Kind.SOCKET
    assert kind_of(here, b"gone") is None
    assert {kind for kind in Kind if kind.special} == {Kind.FIFO, Kind.SOCKET, Kind.DEVICE}


def test_devices_are_told() -> None:
    descriptor = open_directory(b"/dev")
    assert kind_of(descriptor, b"null") is Kind.DEVICE
    os.close(descriptor)


def test_a_symlink_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(OSError, match="directory"):
        open_directory(os.fsencode(tmp_path / "link"))


def test_wanted_is_the_union_of_outputs() -> None:
    want = Wanted()
    for output in (b"a/b", b"a/c", b"d"):
        want.add(parts_of(output))
    assert sorted(want.below) == [b"a", b"d"]
    assert not want.at(b"a").whole
    assert want.at(b"a").at(b"b").whole
    assert want.at(b"d").at(b"anything").whole
