"""A process that publishes a directory into a home, to be killed on the way.

python -m tests.support.publish_program REF BASE OUTPUT HOME     says "published" when the manifest is registered
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

import trio

from c3fs.publish.publish import Published, PublishRequest, publish_outputs
from c3fs.registry.sql import SqlRegistry
from c3fs.store.directory import DirectoryStore


async def publish(ref: str, base: str, output: str, home: str) -> Published:
    with SqlRegistry.open(f"sqlite:///{home}/registry.db") as registry:
        request = PublishRequest(ref, os.fsencode(base), (os.fsencode(output),))
        store = DirectoryStore(f"{home}/store")
        return await publish_outputs(request, store, registry, now=lambda: datetime.now(UTC))


if __name__ == "__main__":
    REF, BASE, OUTPUT, HOME = sys.argv[1:]
    trio.run(publish, REF, BASE, OUTPUT, HOME)
    print("published", flush=True)
