"""Trees the bench reads and publishes: seeded, so every run has the same bytes."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Final

MIB: Final = 1 << 20


def large_files(directory: Path, files: int, size: int, seed: int = 0) -> None:
    """`files` files of `size` bytes that do not compress and do not repeat; other ones with another seed."""
    directory.mkdir(parents=True)
    for number in range(files):
        source = random.Random(1000 * seed + number)
        with open(directory / f"shard-{number}.bin", "wb", buffering=0) as file:
            for _ in range(size // MIB):
                file.write(source.randbytes(MIB))


def small_files(directory: Path, files: int, size: int, per_directory: int) -> None:
    """`files` files of `size` bytes in directories of `per_directory`."""
    source = random.Random(files)
    for first in range(0, files, per_directory):
        folder = directory / f"d{first // per_directory:04d}"
        folder.mkdir(parents=True)
        for number in range(first, min(first + per_directory, files)):
            descriptor = os.open(folder / f"f{number:06d}", os.O_WRONLY | os.O_CREAT, 0o644)
            os.write(descriptor, source.randbytes(size))
            os.close(descriptor)
