"""Processes that publish, remove and sweep at once, and are killed at any moment: all that is visible can be read."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import pytest
import trio

from c3fs.core.digest import Digest
from c3fs.core.manifest import Manifest
from c3fs.core.ref import parse_ref
from c3fs.gc.sweep import GcRequest, sweep_store
from tests.support.decoded import decode_tree
from tests.support.gc_program import DATASET, open_home
from tests.support.programs import eventually

PUBLISHERS = 2
COLLECTORS = 2


class Crew:
    """The processes; one that is killed is replaced."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self._home = root / "home"
        self._scratch = root / "scratch"
        self._home.mkdir()
        self._said: list[IO[bytes]] = []
        self._root = root
        self._stack = stack
        self._started = 0
        roles = ["publish"] * PUBLISHERS + ["gc"] * COLLECTORS
        self._alive = [(role, self._start(role)) for role in roles]

    def _start(self, role: str) -> subprocess.Popen[bytes]:
        self._started += 1
        command = [sys.executable, "-m", "tests.support.gc_program", role, str(self._home)]
        if role == "publish":
            command += [str(self._scratch / f"{self._started}"), str(self._started)]
        said = self._stack.enter_context((self._root / f"{role} {self._started}").open("wb"))
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        self._stack.callback(process.wait, 60)
        self._stack.callback(process.kill)
        return process

    def kill(self, number: int) -> None:
        role, process = self._alive[number]
        assert process.poll() is None, self.said()
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        self._alive[number] = (role, self._start(role))

    def end(self) -> None:
        for _, process in self._alive:
            assert process.poll() is None, self.said()
            process.send_signal(signal.SIGKILL)
            process.wait(60)

    def said(self) -> list[str]:
        return [line for path in self._root.glob("* *") for line in path.read_text().splitlines()]

    def published(self) -> int:
        return sum(line.startswith(DATASET) for line in self.said())

    def deleted(self) -> int:
        return sum(int(line) for line in self.said() if line.isdigit())


def run(root: Path, kills: int, seed: int) -> None:
    source = random.Random(seed)
    with ExitStack() as stack:
        crew = Crew(root, stack)
        eventually("something is published, and deleted", lambda: crew.published() > 0 and crew.deleted() > 0, 60)
        for _ in range(kills):
            # Each comes to another point of its work; what it has come to nobody can say.
            time.sleep(source.random() * 0.4)
            crew.kill(source.randrange(PUBLISHERS + COLLECTORS))
            check(root / "home")
        before = crew.published()
        eventually("they go on publishing", lambda: crew.published() > before, 60)
        crew.end()
    check(root / "home")
    trio.run(judge, root / "home")


class Stored(Mapping[Digest, bytes]):
    """The blobs of a store whose files come and go."""

    def __init__(self, home: Path) -> None:
        self._path = home / "store"

    def __getitem__(self, digest: Digest) -> bytes:
        try:
            return (self._path / str(digest)[:2] / str(digest)).read_bytes()
        except FileNotFoundError:
            raise KeyError(digest) from None

    def __iter__(self) -> Iterator[Digest]:
        return (Digest.parse(path.name) for path in self._path.glob("??/*"))

    def __len__(self) -> int:
        return sum(1 for _ in self)


async def visible(home: Path) -> list[Manifest]:
    with open_home(str(home))[1] as registry:
        return await registry.versions(parse_ref(DATASET))


def check(home: Path) -> None:
    """While all go on: what is visible, and still is afterwards, has been whole in between."""
    damaged = {manifest.ref for manifest in trio.run(visible, home) if not is_whole(home, manifest)}
    assert not damaged & {manifest.ref for manifest in trio.run(visible, home)}


def is_whole(home: Path, manifest: Manifest) -> bool:
    try:
        decode_tree(manifest, Stored(home))
    except KeyError:
        return False
    return True


async def judge(home: Path) -> None:
    """When all are dead: every version is whole, the ledger is right, and gc leaves exactly what they need."""
    needed: set[Digest] = set()
    for manifest in await visible(home):
        needed |= decode_tree(manifest, Stored(home)).blobs
        needed |= {Digest.parse(part.blob) for part in manifest.inventory.parts}
    store, registry = open_home(str(home))
    with registry:
        swept = await sweep_store(GcRequest(0), store, registry)
        assert swept.named.bytes == (await registry.balance()).stored
    assert set(Stored(home)) == needed


def test_killed_again_and_again(tmp_path: Path) -> None:
    run(tmp_path, 8, 1)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_killed_for_long(tmp_path: Path, seed: int) -> None:
    run(tmp_path, 200, seed)
