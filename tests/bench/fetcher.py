"""Fetches all blobs of a published tree into the cache, and says how long that took; a program of the bench.

python -m tests.bench.fetcher REF           {"seconds", "blobs", "bytes", "cached"}
python -m tests.bench.fetcher --list REF    the digests
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from typing import Final

import trio

from c3fs.cache.cache import Cache
from c3fs.cli.settings import load_settings
from c3fs.cli.wiring import Reading, open_cache, open_registry, open_store, reading
from c3fs.core.digest import Digest
from c3fs.core.manifest import Manifest, decode_inventory
from c3fs.core.ref import parse_ref
from c3fs.store.base import Store

TASKS: Final = 16


async def digests_of(reader: Reading, manifest: Manifest) -> list[Digest]:
    found: list[Digest] = []
    for part in manifest.inventory.parts:
        found += [digest for digest, _ in decode_inventory(await reader.fetcher.blob(Digest.parse(part.blob)))]
    return found


async def fetch_all(store: Store, cache: Cache, digests: list[Digest]) -> None:
    """As fast as the slower of the two allows: a mount that reads faster than the disk writes leaves blobs out."""
    sending, receiving = trio.open_memory_channel[Digest](len(digests))
    for digest in digests:
        sending.send_nowait(digest)
    sending.close()

    async def work() -> None:
        async for digest in receiving:
            await cache.keep(digest, await store.get(digest))

    async with trio.open_nursery() as nursery:
        for _ in range(TASKS):
            nursery.start_soon(work)


async def run(ref: str, *, only_list: bool) -> None:
    settings = load_settings()
    async with open_registry(settings) as registry:
        manifest = await registry.manifest(parse_ref(ref))
    told: object
    async with reading(settings.storage) as reader:
        digests = await digests_of(reader, manifest)
        if only_list:
            print(json.dumps([str(digest) for digest in digests]))
            return
    begin = time.perf_counter()
    async with open_cache(settings.storage) as cache, open_store(settings.storage) as store:
        await fetch_all(store, cache, digests)
    seconds = time.perf_counter() - begin
    async with reading(settings.storage) as reader:
        cached = sum(reader.fetcher.cached(digest) is not None for digest in digests)
    told = {"seconds": seconds, "blobs": len(digests), "bytes": manifest.inventory.bytes, "cached": cached}
    print(json.dumps(told))


if __name__ == "__main__":
    trio.run(partial(run, sys.argv[-1], only_list="--list" in sys.argv))
