"""Cutting by content: stable for ever, the same in windows as in one piece, and around holes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from c3fs.core.digest import Digest
from c3fs.publish.chunk import CHUNK_MAX, CHUNK_MIN, HOLE_MIN, WINDOW, Cutter, Segment, segments
from tests.support.blobs import seeded

MIB = 1 << 20


def cut(path: Path) -> list[bytes]:
    with open(path, "rb", buffering=0) as file:
        return [bytes(chunk) for chunk in Cutter().chunks(file.fileno(), 0, os.fstat(file.fileno()).st_size)]


def test_the_cuts_of_format_1(tmp_path: Path) -> None:
    """These never change: a published chunk is found again by the next version of c3fs."""
    path = tmp_path / "file"
    path.write_bytes(seeded(1, 16 * MIB))
    chunks = cut(path)
    assert [len(chunk) for chunk in chunks] == [
        1649048,
        2577238,
        574691,
        1397545,
        3682715,
        1379066,
        780127,
        1957335,
        2355740,
        423711,
    ]
    assert str(Digest.of(chunks[1])) == "e898e1bb0acc8b8d71fb051dee12929185a7a165e03e42f8f747070c9fdecdf8"


@pytest.mark.parametrize("size", [CHUNK_MIN, CHUNK_MAX, WINDOW - 1, WINDOW, WINDOW + 1, 2 * WINDOW + 12_345])
def test_chunks_lie_end_to_end_within_their_bounds(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    data = seeded(size, size)
    path.write_bytes(data)
    chunks = cut(path)
    assert b"".join(chunks) == data
    assert all(CHUNK_MIN <= len(chunk) <= CHUNK_MAX for chunk in chunks[:-1])
    assert len(chunks[-1]) <= CHUNK_MAX


def test_cuts_do_not_depend_on_where_windows_fall(tmp_path: Path) -> None:
    """The same content after ten other bytes: all cuts but the first few are the same."""
    data = seeded(2, 40 * MIB)
    (tmp_path / "a").write_bytes(data)
    (tmp_path / "b").write_bytes(b"0123456789" + data)
    first, second = cut(tmp_path / "a"), cut(tmp_path / "b")
    assert len(set(second) - set(first)) <= 2


def test_equal_bytes_are_cut_at_the_maximum(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(9 * MIB))
    assert [len(chunk) for chunk in cut(tmp_path / "file")] == [CHUNK_MAX, CHUNK_MAX, MIB]


def sparse(path: Path, size: int, *data: tuple[int, int]) -> None:
    with open(path, "wb") as file:
        for offset, length in data:
            file.seek(offset)
            file.write(b"d" * length)
        file.truncate(size)


@pytest.mark.parametrize(
    ("size", "data", "expected"),
    [
        (8 * MIB, [], [Segment(0, 8 * MIB, True)]),
        (8 * MIB, [(0, 8 * MIB)], [Segment(0, 8 * MIB, False)]),
        (8 * MIB, [(4 * MIB, 4096)],
         [Segment(0, 4 * MIB, True), Segment(4 * MIB, 4096, False), Segment(4 * MIB + 4096, 4 * MIB - 4096, True)]),
        # A hole shorter than HOLE_MIN belongs to the data around it.
        (2 * MIB, [(0, MIB), (MIB + HOLE_MIN // 2, MIB - HOLE_MIN // 2)], [Segment(0, 2 * MIB, False)]),
        (3 * MIB, [(HOLE_MIN // 2, MIB)], [Segment(0, HOLE_MIN // 2 + MIB, False),
                                           Segment(HOLE_MIN // 2 + MIB, 2 * MIB - HOLE_MIN // 2, True)]),
    ],
)  # fmt: skip
def test_holes(tmp_path: Path, size: int, data: list[tuple[int, int]], expected: list[Segment]) -> None:
    path = tmp_path / "file"
    sparse(path, size, *data)
    with open(path, "rb", buffering=0) as file:
        assert segments(file.fileno(), size) == expected


def test_a_file_that_shrinks_gives_fewer_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * MIB))
    with open(path, "rb", buffering=0) as file:
        assert sum(len(chunk) for chunk in Cutter().chunks(file.fileno(), 0, 5 * MIB)) == 3 * MIB
