"""A process that puts blobs into a DirectoryStore, to be killed or to run into the end of a disk.

python -m tests.support.store_program forever PATH     says each digest it has put; ends when it is killed
python -m tests.support.store_program once PATH BYTES  puts blobs of together BYTES and prints an Outcome
"""

from __future__ import annotations

import os
import sys

import msgspec
import trio

from c3fs.core.digest import Digest
from c3fs.errors import C3Error
from c3fs.store.directory import DirectoryStore
from tests.support.blobs import seeded

SIZE = (2 << 20) + 1
_AT_ONCE = 4


class Outcome(msgspec.Struct):
    """What became of it: blobs that were put and read back, the error that ended it, what lies in `tmp`."""

    store: str
    put: int
    error: str
    message: str
    temporary: list[str]


async def forever(store: DirectoryStore) -> None:
    async def put(worker: int) -> None:
        number = 0
        while True:
            data = seeded(worker * 1_000_000 + number, SIZE)
            digest = Digest.of(data)
            await store.put(digest, data)
            print(digest, flush=True)
            number += 1

    async with trio.open_nursery() as nursery:
        for worker in range(_AT_ONCE):
            nursery.start_soon(put, worker)


async def once(store: DirectoryStore, path: str, total: int) -> Outcome:
    put = 0
    error = message = ""
    try:
        for seed in range(-(-total // SIZE)):
            data = seeded(seed, SIZE)
            await store.put(Digest.of(data), data)
            assert await store.get(Digest.of(data)) == data
            put += 1
    except C3Error as refused:
        error, message = type(refused).__name__, str(refused)
    return Outcome(repr(store), put, error, message, temporary_files(path))


def temporary_files(path: str) -> list[str]:
    return os.listdir(f"{path}/tmp") if os.path.isdir(f"{path}/tmp") else []


async def main() -> None:
    match sys.argv[1:]:
        case ["forever", path]:
            await forever(DirectoryStore(path))
        case ["once", path, total]:
            print(msgspec.json.encode(await once(DirectoryStore(path), path, int(total))).decode())
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    trio.run(main)
