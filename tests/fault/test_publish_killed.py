"""A publish that is killed leaves nothing that is visible, and nothing that is in the way of the next one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio

from c3fs.core.digest import Digest
from c3fs.core.ref import parse_ref
from c3fs.errors import RefNotFoundError
from c3fs.registry.sql import SqlRegistry
from tests.support.blobs import seeded
from tests.support.decoded import decode_tree
from tests.support.publish_program import publish
from tests.support.trees import build, facts, many

REF = "/jobs/job_1_aaaaaa"
WITHIN = 60


def stored(home: Path) -> dict[Digest, bytes]:
    """Every blob the store shows; each is whole."""
    blobs: dict[Digest, bytes] = {}
    for path in (home / "store").glob("??/*"):
        blobs[Digest.parse(path.name)] = path.read_bytes()
    assert all(Digest.of(data) == digest for digest, data in blobs.items())
    return blobs


@pytest.mark.parametrize("blobs", [0, 1, 8, 30])
def test_killed_on_the_way_and_published_again(tmp_path: Path, blobs: int) -> None:
    """Killed when the store has so many blobs; of 40 or so."""
    home = tmp_path / "home"
    home.mkdir()
    base = build(tmp_path / "work", {b"out": {**many(2_000, 4_096, 100), b"large": seeded(9, 60 << 20)}})
    command = [sys.executable, "-m", "tests.support.publish_program", REF, base, "out", home]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        deadline = time.monotonic() + WITHIN
        while len(list((home / "store").glob("??/*"))) < blobs and process.poll() is None:
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGKILL)
        said = process.communicate(timeout=WITHIN)[0]
    kept = stored(home)

    async def visible() -> bool:
        with SqlRegistry.open(f"sqlite:///{home}/registry.db") as registry:
            try:
                await registry.manifest(parse_ref(REF))
            except RefNotFoundError:
                return False
            return True

    # Registered and killed before it could say so is the one thing that cannot be told from outside.
    assert trio.run(visible) or not said
    published = trio.run(publish, REF, str(base), "out", str(home))
    assert published.reused_blobs >= len(kept)
    assert trio.run(visible)
    assert decode_tree(published.manifest, stored(home)).facts == facts(base)
