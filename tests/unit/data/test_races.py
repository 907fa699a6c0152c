"""Copies that others get in the way of: a gc, another copy, the end of the program."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import pytest
import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.core.manifest import Manifest
from c3fs.core.ref import parse_ref
from c3fs.data import copy
from c3fs.errors import OutdatedError, StoreRefusedError
from c3fs.registry.base import Registration
from tests.support.stage import CountedStore, Stage, staged
from tests.support.trees import build

DATA = "/datasets/d"
Before = Callable[[], Awaitable[None]]


class Interrupted:
    """Runs `before[n]` before the n-th register of the stage."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch, *before: Before) -> None:
        self.before = list(before)
        self.registered = 0
        self._register = stage.registry.register
        monkeypatch.setattr(stage.registry, "register", self.register)

    async def register(
        self, manifest: Manifest, blobs: Sequence[tuple[Digest, int]], *, mark: int, onto: int | None = None
    ) -> Registration:
        self.registered += 1
        if self.before:
            await self.before.pop(0)()
        return await self._register(manifest, blobs, mark=mark, onto=onto)


async def collect_garbage(stage: Stage) -> None:
    """All that no manifest names, at once."""
    sweep = await stage.registry.condemn(list(stage.store.blobs), 60)
    for digest in sweep.condemned:
        del stage.store.blobs[digest]
    await stage.registry.settle(sweep)
    assert sweep.condemned


async def paths(stage: Stage, ref: str = DATA) -> set[bytes]:
    return set(stage.decoded(await stage.registry.manifest(parse_ref(ref))).facts)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return build(
        tmp_path / "job", {b"d": {b"f": b"1", b"g": b"2" * 3000}, b"h": b"3", b"large": bytes(range(256)) * 9_000}
    )


@pytest.mark.parametrize("path", [(), (b"under", b"this")])
@pytest.mark.parametrize("local", [False, True])
async def test_a_gc_in_between_means_once_more(
    tmp_path: Path, top: Path, monkeypatch: pytest.MonkeyPatch, path: tuple[bytes, ...], local: bool
) -> None:
    """It deletes what was uploaded and is not named yet."""
    async with staged(tmp_path) as stage:
        manifest = await stage.publish(top, "/jobs/job_1_aaaaaa")
        (top / "d" / "new").write_bytes(b"not published yet")
        origin = await stage.origin(manifest, b"d")
        run = Interrupted(stage, monkeypatch, lambda: collect_garbage(stage))
        if local:
            await stage.upload(top / "d", DATA, *path)
        else:
            await stage.copy(origin, DATA, *path)
        assert run.registered == 2
        found = await paths(stage)
        assert b"/".join([*path, b"g"]) in found
        assert (b"/".join([*path, b"new"]) in found) == local


async def test_grafts_that_race_lose_nothing(tmp_path: Path, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with staged(tmp_path) as stage:
        manifest = await stage.publish(top, "/jobs/job_1_aaaaaa")
        origin = await stage.origin(manifest, b"d")

        async def other(name: bytes) -> None:
            await stage.copy(origin, DATA, name)

        run = Interrupted(stage, monkeypatch, lambda: other(b"x"), lambda: other(b"y"))
        copied = await stage.copy(origin, DATA, b"z")
        assert copied.registration.manifest.ref == f"{DATA}/@v3"
        assert run.registered == 5
        assert {b"x/f", b"y/f", b"z/f"} < await paths(stage)


async def test_many_at_once(tmp_path: Path, top: Path) -> None:
    async with staged(tmp_path) as stage:
        manifest = await stage.publish(top, "/jobs/job_1_aaaaaa")

        async def one(number: int) -> None:
            await stage.copy(await stage.origin(manifest, b"h"), DATA, b"in", b"%02d" % number)

        async with trio.open_nursery() as nursery:
            for number in range(12):
                nursery.start_soon(one, number)
        assert await paths(stage) == {b"", b"in", *(b"in/%02d" % number for number in range(12))}
        assert len(await stage.registry.versions(parse_ref(DATA))) == 12


async def test_who_never_comes_first_gives_up(tmp_path: Path, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with staged(tmp_path) as stage:
        origin = await stage.origin(await stage.publish(top, "/jobs/job_1_aaaaaa"), b"h")

        async def outdated() -> None:
            raise OutdatedError(DATA)

        monkeypatch.setattr(copy, "OUTDATED_TRIES", 3)
        run = Interrupted(stage, monkeypatch, *[outdated] * 3)
        with pytest.raises(OutdatedError):
            await stage.copy(origin, DATA, b"h")
        assert run.registered == 3


class CancellingStore(CountedStore):
    """Cancels at the call that counts `left` down to zero."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 0
        self.scope = trio.CancelScope()

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.scope.cancel()

    async def get(self, digest: Digest) -> Buffer:
        self._count()
        return await super().get(digest)

    async def put(self, digest: Digest, data: Buffer) -> None:
        self._count()
        await super().put(digest, data)

    async def missing(self, blobs: Mapping[Digest, Buffer]) -> set[Digest]:
        self._count()
        return await super().missing(blobs)


@pytest.mark.parametrize("how", ["whole", "directory", "graft", "upload"])
async def test_cancelled_at_any_call_of_the_store_registers_nothing(tmp_path: Path, top: Path, how: str) -> None:
    store = CancellingStore()
    async with staged(tmp_path, store) as stage:
        manifest = await stage.publish(top, "/jobs/job_1_aaaaaa")
        await stage.publish(build(tmp_path / "base", {b"way": {b"a": b"0"}}), DATA)
        threads = len(os.listdir("/proc/self/task"))

        async def run() -> None:
            stage.forget()
            origin = await stage.origin(manifest, *([] if how == "whole" else [b"d"]))
            if how == "upload":
                await stage.upload(top / "d", DATA, b"way", b"up")
            else:
                await stage.copy(origin, DATA, *([b"way", b"d"] if how == "graft" else []))

        calls, done = 0, False
        while not done:
            calls += 1
            before = set(store.blobs)
            with trio.CancelScope() as store.scope:
                store.left = calls
                await run()
            done = not store.scope.cancelled_caught
            assert len(await stage.registry.versions(parse_ref(DATA))) == 1 + done
            for digest in () if done else store.blobs.keys() - before:  # so that the next try puts it again
                del store.blobs[digest]
        assert calls > 1
        assert len(os.listdir("/proc/self/task")) <= threads + 10  # those that trio keeps for later


async def test_a_store_that_refuses_registers_nothing(
    tmp_path: Path, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged(tmp_path) as stage:
        origin = await stage.origin(await stage.publish(top, "/jobs/job_1_aaaaaa"), b"d")

        async def refuse(_digest: Digest, _data: Buffer) -> None:
            raise StoreRefusedError("the disk is full")

        monkeypatch.setattr(stage.store, "put", refuse)
        for path in ((), (b"x",)):
            with pytest.raises(StoreRefusedError):
                await stage.copy(origin, DATA, *path)
        assert await stage.registry.versions(parse_ref(DATA)) == []
