"""Cutting by content: stable for ever, the same in windows as in one piece, and around holes."""

from __future__ import annotations

import os
import random
from pathlib import Path

import fastcdc.fastcdc_cy  # pyright: ignore[reportMissingTypeStubs, reportMissingImports]
import pytest

from c3fs.core.digest import Digest
from c3fs.publish.chunk import CHUNK_AVERAGE, CHUNK_MAX, CHUNK_MIN, HOLE_MIN, WINDOW, Segment, chunks, segments
from tests.support.blobs import seeded

MIB = 1 << 20


def cut(path: Path) -> list[bytes]:
    with open(path, "rb", buffering=0) as file:
        return [bytes(chunk) for chunk in chunks(file.fileno(), 0, os.fstat(file.fileno()).st_size)]


def test_the_cuts_of_format_1(tmp_path: Path) -> None:
    """These never change: a published chunk is found again by the next version of c3fs."""
    path = tmp_path / "file"
    path.write_bytes(seeded(1, 16 * MIB))
    found = cut(path)
    assert [len(chunk) for chunk in found] == [
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
    assert str(Digest.of(found[1])) == "e898e1bb0acc8b8d71fb051dee12929185a7a165e03e42f8f747070c9fdecdf8"


@pytest.mark.parametrize("size", [CHUNK_MIN, CHUNK_MAX, WINDOW - 1, WINDOW, WINDOW + 1, 2 * WINDOW + 12_345])
def test_chunks_lie_end_to_end_within_their_bounds(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    data = seeded(size, size)
    path.write_bytes(data)
    found = cut(path)
    assert b"".join(found) == data
    assert all(CHUNK_MIN <= len(chunk) <= CHUNK_MAX for chunk in found[:-1])
    assert len(found[-1]) <= CHUNK_MAX


def whole(data: bytes) -> list[int]:
    """Where the library itself cuts, given everything at once."""
    found = fastcdc.fastcdc_cy.fastcdc_cy(data, CHUNK_MIN, CHUNK_AVERAGE, CHUNK_MAX)  # pyright: ignore
    return [int(chunk.length) for chunk in found]  # pyright: ignore


@pytest.mark.parametrize("seed", range(4))
def test_windows_give_the_cuts_of_the_whole(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    # Stretches of equal bytes reach CHUNK_MAX, also where a window ends.
    parts = [
        seeded(seed, draw.randrange(9 * MIB)),
        bytes(draw.randrange(9 * MIB)),
        seeded(seed + 10, draw.randrange(30 * MIB)),
    ]
    data = b"".join(parts)
    (tmp_path / "file").write_bytes(data)
    assert [len(chunk) for chunk in cut(tmp_path / "file")] == whole(data)


@pytest.mark.parametrize("size", [WINDOW + extra for extra in (-1, 0, 1, CHUNK_MIN, CHUNK_MAX - 1, CHUNK_MAX)])
def test_equal_bytes_around_the_end_of_a_window(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(bytes(size))
    assert [len(chunk) for chunk in cut(tmp_path / "file")] == whole(bytes(size))


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
        (2 * MIB, [(0, 2 * MIB - HOLE_MIN // 2)], [Segment(0, 2 * MIB, False)]),
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
        assert list(segments(file.fileno(), size)) == expected


def test_a_file_that_shrinks_while_its_holes_are_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "file"
    sparse(path, MIB, (0, MIB))
    with open(path, "rb", buffering=0) as file:
        found = list(segments(file.fileno(), 4 * MIB))
    assert sum(segment.size for segment in found) == 4 * MIB


def test_a_file_that_shrinks_gives_fewer_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * MIB))
    with open(path, "rb", buffering=0) as file:
        assert sum(len(chunk) for chunk in chunks(file.fileno(), 0, 5 * MIB)) <= 3 * MIB
