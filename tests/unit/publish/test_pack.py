"""Packs: sizes, and that one change stays one change."""

from __future__ import annotations

import random

import pytest

from c3fs.core.digest import Digest
from c3fs.publish.pack import PACK_MAX, PACK_MIN, Packer
from tests.support.blobs import seeded


def packed(files: list[bytes]) -> tuple[list[bytes], list[tuple[bytes, int, int]]]:
    """The packs, and where each file was laid: (digest of the pack, offset, size)."""
    packs: list[bytes] = []
    packer = Packer(lambda _digest, data: packs.append(bytes(data)))
    laid = [(*packer.add(data[:32], data, Digest.of(data)), len(data)) for data in files]
    packer.close()
    places: list[tuple[bytes, int, int]] = []
    for pack, offset, size in laid:
        assert pack.digest is not None
        places.append((pack.digest, offset, size))
    return packs, places


def files_of(size: int, total: int) -> list[bytes]:
    return [seeded(number, size) for number in range(total // size)]


@pytest.mark.parametrize("size", [100, 4096, 65_536, 400_000, 524_287])
def test_packs_have_2_to_4_mib_and_hold_every_file(size: int) -> None:
    files = files_of(size, 24 << 20) if size > 1000 else files_of(size, 5 << 20)
    packs, places = packed(files)
    assert all(PACK_MIN <= len(pack) <= PACK_MAX for pack in packs[:-1])
    assert len(packs[-1]) <= PACK_MAX
    by_digest = {Digest.of(pack): pack for pack in packs}
    for data, (digest, offset, length) in zip(files, places, strict=True):
        assert by_digest[Digest(digest)][offset : offset + length] == data


@pytest.mark.parametrize("size", [4096, 100_000])
def test_one_changed_file_changes_its_own_pack(size: int) -> None:
    """Always: what is in a file does not move a cut, but for trees whose names say so never."""
    files = files_of(size, 40 << 20)
    before = {Digest.of(pack) for pack in packed(files)[0]}
    draw = random.Random(1)
    changed: list[int] = []
    for attempt in range(40):
        mine = list(files)
        mine[draw.randrange(len(mine))] = seeded(10_000 + attempt, size)
        changed.append(len({Digest.of(pack) for pack in packed(mine)[0]} - before))
    assert sum(count == 1 for count in changed) >= 38


def test_an_inserted_file_does_not_shift_the_packs_after_it() -> None:
    files = {b"f%06d" % at: data for at, data in enumerate(files_of(20_000, 60 << 20))}

    def packs(files: dict[bytes, bytes]) -> set[Digest]:
        found: set[Digest] = set()
        packer = Packer(lambda digest, _data: found.add(digest))
        for name in sorted(files):
            packer.add(name, files[name], Digest.of(files[name]))
        packer.close()
        return found

    before = packs(files)
    after = packs({b"a-first": seeded(99_999, 15_000)} | files)
    assert len(after - before) <= 4
    assert len(before) > 15


def test_nothing_makes_no_pack() -> None:
    assert packed([]) == ([], [])
