"""What a tree costs that was published before, as it is or changed."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from tests.support.blobs import seeded
from tests.support.publishing import Publisher, fill
from tests.support.trees import Sparse, many, odd

MIB = 1 << 20


def every_path(top: Path) -> list[str]:
    """Path.rglob of Python 3.11.2 stumbles over a symlink whose target is as long as one may be."""
    return [os.path.join(directory, name) for directory, names, files in os.walk(top) for name in (*names, *files)]


def test_the_blobs_of_a_tree_never_change(publisher: Publisher, top: Path) -> None:
    """Whoever changes one of these makes every tree that was published before be stored anew."""
    fill(top, {**many(6_000, 1_500, 3_000), b"large": seeded(1, 9 * MIB), b"sparse": Sparse(3 * MIB, {MIB: b"x"})})
    manifest = publisher.publish(top).manifest
    assert manifest.root.digest == "0284022aa591dcde6ca5e9b81601c0e9d2342ab2a0e926532d20e62b117e790e"
    assert (manifest.inventory.blobs, manifest.inventory.bytes) == (11, 18_867_833)
    (part,) = manifest.inventory.parts
    assert part.blob == "1db672ab637b6b6051dad0207d98710ac0e94f4fff5f463126d420835360e0ea"


def test_the_same_tree_has_the_same_root_digest_whatever_its_times(publisher: Publisher, top: Path) -> None:
    fill(top, odd())
    first = publisher.publish(top)
    for number, path in enumerate([*every_path(top), top]):
        os.utime(path, ns=(number, 10**18 + number), follow_symlinks=False)
    second = publisher.publish(top)
    assert first.manifest.root.digest == second.manifest.root.digest
    assert first.manifest.root.mtime_ns != second.manifest.root.mtime_ns
    # Only what holds times is new: the directories, in one blob, and the inventory.
    assert second.uploaded_blobs == 2


@pytest.mark.parametrize("change", ["mode", "content", "name", "target", "kind"])
def test_another_tree_has_another_root_digest(publisher: Publisher, top: Path, change: str) -> None:
    fill(top, {b"d": {b"file": b"1"}})
    (top / "artifacts" / "link").symlink_to("d")
    file = top / "artifacts" / "d" / "file"
    first = publisher.publish(top)
    match change:
        case "mode":
            file.chmod(0o600)
        case "content":
            file.write_bytes(b"2")
        case "name":
            file.rename(file.with_name("other"))
        case "target":
            (top / "artifacts" / "link").unlink()
            (top / "artifacts" / "link").symlink_to("e")
        case _:
            file.unlink()
            file.mkdir()
    assert publisher.publish(top).manifest.root.digest != first.manifest.root.digest


def test_two_copies_of_a_tree_are_the_same_blobs(publisher: Publisher, top: Path, tmp_path: Path) -> None:
    fill(top, {**many(300, 3000, 30), b"large": seeded(1, 5 * MIB)})
    first = publisher.publish(top)
    shutil.copytree(top, tmp_path / "copy", symlinks=True)
    shutil.copystat(top, tmp_path / "copy")
    second = publisher.publish(tmp_path / "copy")
    assert second.uploaded_blobs == second.charged == 0
    assert second.reused_blobs == first.uploaded_blobs
    assert second.manifest.root == first.manifest.root
    assert second.manifest.inventory == first.manifest.inventory


def test_an_unchanged_tree_of_20_000_files_uploads_nothing_and_a_changed_file_three_blobs(
    publisher: Publisher, top: Path
) -> None:
    size = 4096
    fill(top, many(20_000, size, 1000))
    first = publisher.publish(top)
    assert first.manifest.root.files == 20_000
    again = publisher.publish(top)
    assert (again.uploaded_blobs, again.uploaded_bytes, again.charged) == (0, 0, 0)
    draw = random.Random(size)
    for attempt in range(12):
        number = draw.randrange(20_000)
        path = top / "artifacts" / f"d{number // 1000:04d}" / f"f{number:06d}"
        path.write_bytes(seeded(attempt, size))
        changed = publisher.publish(top)
        assert changed.uploaded_blobs == 3  # its pack, the directories, the inventory
        assert changed.charged == changed.uploaded_bytes


@pytest.mark.parametrize("seed", range(3))
def test_a_changed_file_of_any_size_uploads_three_blobs(publisher: Publisher, top: Path, seed: int) -> None:
    """Files of 1 byte to 500 KiB: few to a pack, where cuts after contents would move in one change of five."""
    draw = random.Random(seed)
    sizes = [int(2 ** draw.uniform(0, 18.9)) for _ in range(400)]
    source = {b"d%02d" % (at // 20): dict[bytes, bytes]() for at in range(400)}
    for at, size in enumerate(sizes):
        source[b"d%02d" % (at // 20)][b"f%03d" % at] = seeded(at, size)
    fill(top, source)
    publisher.publish(top)
    for attempt in range(15):
        at = draw.randrange(400)
        (top / "artifacts" / f"d{at // 20:02d}" / f"f{at:03d}").write_bytes(seeded(1000 + attempt, sizes[at]))
        assert publisher.publish(top).uploaded_blobs <= 3


def test_ten_bytes_at_the_front_of_256_mib_upload_under_5_percent(publisher: Publisher, top: Path) -> None:
    data = seeded(3, 256 * MIB)
    path = top / "artifacts" / "checkpoint"
    path.write_bytes(data)
    publisher.publish(top)
    path.write_bytes(b"0123456789" + data)
    inserted = publisher.publish(top)
    assert 0 < inserted.uploaded_bytes < len(data) * 0.05
