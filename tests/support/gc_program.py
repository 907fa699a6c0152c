"""Processes that publish, remove and sweep on one home, again and again until they are killed.

python -m tests.support.gc_program publish HOME SCRATCH SEED    says a line for every version it has published
python -m tests.support.gc_program gc HOME                      says how many blobs it has deleted, every time
"""

from __future__ import annotations

import os
import random
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import trio

from c3fs.core.ref import parse_ref
from c3fs.errors import RefNotFoundError, SweptError
from c3fs.gc.sweep import GcRequest, sweep_store
from c3fs.publish.publish import PublishRequest, publish_outputs
from c3fs.registry.sql import SqlRegistry
from c3fs.store.directory import DirectoryStore
from tests.support.blobs import seeded
from tests.support.trees import Source, build

DATASET: Final = "/datasets/contended"
SECONDS: Final = 1.0
"""A dead gc holds publishers up for no longer: it is killed often."""
KEPT: Final = 3
"""Versions that are left when one is removed."""
_LARGE: Final = 1_500_000


def open_home(home: str) -> tuple[DirectoryStore, SqlRegistry]:
    return DirectoryStore(f"{home}/store"), SqlRegistry.open(f"sqlite:///{home}/registry.db", lock_wait_s=30)


def make_tree(source: random.Random) -> Source:
    """Small files, and large ones of which there are few: most of their chunks were there before, or still are."""
    small: Source = {b"%d" % number: b"%d" % source.randrange(1000) for number in range(source.randrange(20))}
    large = {b"large %d" % number: seeded(number, _LARGE) for number in range(4) if source.random() < 0.5}
    return {**large, b"small": small}


async def publish_forever(home: str, scratch: str, seed: int) -> None:
    source = random.Random(seed)
    store, registry = open_home(home)
    while True:
        base = build(Path(scratch) / f"{seed}", {b"out": make_tree(source)})
        request = PublishRequest(DATASET, os.fsencode(base), (b"out",))
        try:
            published = await publish_outputs(request, store, registry, now=lambda: datetime.now(UTC))
        except SweptError:
            print("swept", flush=True)
        else:
            print(published.manifest.ref, flush=True)
        shutil.rmtree(base)
        await remove_oldest(registry)


async def remove_oldest(registry: SqlRegistry) -> None:
    for manifest in (await registry.versions(parse_ref(DATASET)))[KEPT:]:
        try:
            await registry.remove([parse_ref(manifest.ref)])
        except RefNotFoundError:
            continue


async def sweep_forever(home: str) -> None:
    store, registry = open_home(home)
    while True:
        swept = await sweep_store(GcRequest(0, seconds=SECONDS), store, registry)
        print(swept.deleted.blobs, flush=True)


def main() -> None:
    match sys.argv[1:]:
        case ["publish", home, scratch, seed]:
            trio.run(publish_forever, home, scratch, int(seed))
        case ["gc", home]:
            trio.run(sweep_forever, home)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
