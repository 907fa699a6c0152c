"""Local files, symlinks and directories that become data sets, or parts of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from c3fs.core.ref import parse_ref
from c3fs.data.copy import Target, upload
from c3fs.errors import CollectError, IsDirectoryError, NotDirectoryError
from c3fs.publish.publish import Progress
from tests.support.stage import NOW_NS, Stage, staged
from tests.support.trees import Fact, build, facts, odd

DATA = "/datasets/d"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return build(tmp_path / "top", odd())


async def uploaded(stage: Stage, source: Path, *path: bytes) -> dict[bytes, Fact]:
    copied = await stage.upload(source, DATA, *path)
    assert copied.warnings == ()
    return stage.decoded(copied.registration.manifest).facts


async def test_a_directory_becomes_a_whole_tree(tmp_path: Path, top: Path) -> None:
    async with staged(tmp_path) as stage:
        assert await uploaded(stage, top) == facts(top)
        again = await stage.upload(top, DATA)
        assert (again.registration.created, again.uploaded_blobs) == (False, 0)
        assert again.registration.manifest.ref == f"{DATA}/@v1"
        (top / "new").write_bytes(b"1")
        assert (await stage.upload(top, DATA)).registration.manifest.ref == f"{DATA}/@v2"


async def test_a_directory_under_a_path(tmp_path: Path, top: Path) -> None:
    async with staged(tmp_path) as stage:
        made = await uploaded(stage, top, b"way", b"to")
        assert made.pop(b"way").mtime_ns == made.pop(b"").mtime_ns == NOW_NS
        assert {path[7:]: fact for path, fact in made.items()} == facts(top)


async def test_a_file_and_a_symlink_into_what_is_there(tmp_path: Path, top: Path) -> None:
    async with staged(tmp_path) as stage:
        await uploaded(stage, top)
        (top / "links" / "new").symlink_to("in")
        assert (await uploaded(stage, top / "links" / "new", b"links", b"new"))[b"links/new"].content == b"in"
        (top / "sizes" / "new").write_bytes(b"n" * 3_000_000)
        made = await uploaded(stage, top / "sizes" / "new", b"links", b"in")
        assert made[b"links/in"] == facts(top)[b"sizes/new"]
        assert made.keys() == facts(top).keys() - {b"sizes/new"}


async def test_the_same_file_again_is_no_new_version(tmp_path: Path, top: Path) -> None:
    async with staged(tmp_path) as stage:
        for created in (True, False):
            copied = await stage.upload(top / "empty" / "file", DATA, b"file")
            assert copied.registration.created is created
        assert len(await stage.registry.versions(parse_ref(DATA))) == 1


async def test_paths_may_lead_through_symlinks_and_dots(
    tmp_path: Path, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged(tmp_path) as stage:
        (tmp_path / "alias").symlink_to(top / "sizes")
        wanted = facts(top)[b"sizes/1"]
        monkeypatch.chdir(top / "sizes")
        for number, source in enumerate(["../../alias/1", "1", "./1", f"{top}/../alias/1"]):
            name = b"%d" % number
            assert (await uploaded(stage, Path(source), name))[name] == wanted
        assert (await uploaded(stage, Path("."), b"dot"))[b"dot/1"] == wanted
        copied = await stage.upload_bytes(b"../../alias/", DATA, b"slash")
        assert stage.decoded(copied.registration.manifest).facts[b"slash/1"] == wanted


async def test_what_cannot_be_uploaded(tmp_path: Path, top: Path) -> None:
    async with staged(tmp_path) as stage:
        os.mkfifo(top / "fifo")
        for source, path, error in [
            (top / "missing", (b"x",), CollectError),
            (top / "missing", (), CollectError),
            (top / "fifo", (b"x",), CollectError),
            (top / "empty" / "file", (), NotDirectoryError),
            (top / "links" / "up", (), NotDirectoryError),
        ]:
            with pytest.raises(error):
                await stage.upload(source, DATA, *path)
        assert await stage.registry.versions(parse_ref(DATA)) == []
        copied = await stage.upload(top, DATA)
        assert copied.warnings == ("fifo is a fifo; not collected",)
        with pytest.raises(IsDirectoryError, match=r"^empty/directory: "):
            await stage.upload(top / "empty" / "file", DATA, b"empty", b"directory")
        again = await stage.upload(top, DATA, b"again")
        assert again.warnings == ("fifo is a fifo; not collected",)


async def test_progress_tells_what_is_read_and_sent(tmp_path: Path, top: Path) -> None:
    async with staged(tmp_path) as stage:
        for path in ((), (b"x",)):
            seen: list[Progress] = []
            target = Target(parse_ref(f"/datasets/{len(path)}"), path)
            copied = await upload(
                os.fsencode(top), target, store=stage.store, registry=stage.registry, open_tree=stage.open_tree,
                now=stage.now, progress=seen.append,
            )  # fmt: skip
            assert seen[-1].read == copied.registration.manifest.root.bytes
            stage.store.blobs.clear()
            stage.forget()
