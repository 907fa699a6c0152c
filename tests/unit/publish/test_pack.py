"""Packs: sizes, and that one change stays one change."""

from __future__ import annotations

import random

import pytest

from c3fs.core.digest import Digest
from c3fs.publish.pack import PACK_MAX, PACK_MIN, Packer, label
from tests.support.blobs import seeded

Files = dict[bytes, bytes]


def packed(files: Files) -> tuple[dict[Digest, bytes], dict[bytes, tuple[Digest, int]]]:
    """The packs by digest, and where each file was laid: its pack and offset."""
    packs: dict[Digest, bytes] = {}
    packer = Packer(lambda digest, data: packs.update({digest: bytes(data)}))
    laid = {name: packer.add(name, data, Digest.of(data)) for name, data in files.items()}
    packer.close()
    places: dict[bytes, tuple[Digest, int]] = {}
    for name, (pack, offset) in laid.items():
        assert pack.digest is not None
        places[name] = pack.digest, offset
    return packs, places


def files_of(size: int, total: int, *, label: bytes = b"d/f%06d") -> Files:
    contents = seeded(size, total)
    return {label % number: contents[number * size : (number + 1) * size] for number in range(total // size)}


@pytest.mark.parametrize("size", [100, 4096, 65_536, 400_000, 524_287])
def test_packs_have_2_to_4_mib_and_hold_every_file(size: int) -> None:
    files = files_of(size, 24 << 20 if size > 1000 else 5 << 20)
    packs, places = packed(files)
    sizes = list(map(len, packs.values()))
    assert all(PACK_MIN <= length <= PACK_MAX for length in sizes[:-1])
    assert 0 < sizes[-1] <= PACK_MAX
    assert all(Digest.of(data) == digest for digest, data in packs.items())
    for name, data in files.items():
        digest, offset = places[name]
        assert packs[digest][offset : offset + len(data)] == data


@pytest.mark.parametrize("size", [1_000, 4_096, 65_536, 400_000])
def test_a_changed_file_changes_its_own_pack_alone(size: int) -> None:
    files = files_of(size, 20 << 20)
    before, draw = set(packed(files)[0]), random.Random(size)
    for attempt in range(40):
        changed = files | {draw.choice(list(files)): seeded(1_000_000 + attempt, size)}
        assert len(set(packed(changed)[0]) - before) == 1


@pytest.mark.parametrize("size", [4_096, 65_536])
def test_a_file_of_another_size_seldom_moves_a_cut(size: int) -> None:
    files = files_of(size, 20 << 20)
    before, draw = set(packed(files)[0]), random.Random(size)
    new = [
        len(set(packed(files | {draw.choice(list(files)): seeded(attempt, draw.randrange(1, size))})[0]) - before)
        for attempt in range(40)
    ]
    assert sum(count == 1 for count in new) >= 36
    assert max(new) <= 5


@pytest.mark.parametrize("repeated", [b"data/index.json", b"a/b"])
@pytest.mark.parametrize("size", [300, 20_000])
def test_an_inserted_file_changes_few_packs_even_when_labels_repeat(repeated: bytes, size: int) -> None:
    contents = seeded(1, 40 << 20)
    pieces = [contents[at : at + size] for at in range(0, len(contents), size)]

    def packs(files: list[bytes]) -> set[Digest]:
        made: set[Digest] = set()
        packer = Packer(lambda digest, _: made.add(digest))
        for data in files:
            packer.add(repeated, data, Digest.of(data))
        packer.close()
        return made

    before = packs(pieces)
    assert len(before) >= 9
    assert len(packs([b"new", *pieces]) - before) <= 3


def test_an_inserted_file_does_not_shift_the_packs_after_it() -> None:
    files = files_of(20_000, 60 << 20)
    before = set(packed(files)[0])
    after = set(packed({b"d/e": seeded(99_999, 15_000)} | files)[0])
    assert len(after - before) <= 4


def test_a_directory_under_another_path_keeps_its_packs() -> None:
    names = [label(b"shard-%03d" % (number // 100), b"%05d.json" % number) for number in range(5_000)]
    contents = seeded(2, 5_000 * 2_000)
    files = {name: contents[at * 2_000 : (at + 1) * 2_000] for at, name in enumerate(names)}
    here = set(packed(files)[0])
    there = set(packed({b"other/first": seeded(3, 100_000)} | files)[0])
    assert len(here - there) <= 2


def test_what_does_not_fit_begins_the_next_pack() -> None:
    half = PACK_MAX // 2 + 1
    packs, places = packed({b"a": bytes(half), b"b": bytes(half)})
    assert sorted(map(len, packs.values())) == [half]  # both packs are the same bytes
    assert places[b"a"] == places[b"b"]


def test_nothing_makes_no_pack() -> None:
    assert packed({}) == ({}, {})
