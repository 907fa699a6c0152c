"""A home of its own for a test, trees published into it, and real mounts of them by the real command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final

import trio

from c3fs.publish.publish import Published, PublishRequest, publish_outputs
from c3fs.registry.sql import SqlRegistry
from c3fs.store.directory import DirectoryStore

BIN: Final = Path(sys.executable).parent
COMMAND_TIMEOUT: Final = 60
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Home:
    """$C3_HOME and $C3_CACHE_DIR below `base`."""

    base: Path
    environment: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def make(cls, base: Path) -> Home:
        (base / "home").mkdir()
        variables = {"C3_HOME": str(base / "home"), "C3_CACHE_DIR": str(base / "cache")}
        return cls(base, dict(os.environ, **variables))

    def run(self, program: str, *arguments: str | bytes | Path) -> subprocess.CompletedProcess[str]:
        """Run `c3` or `c3fs`; the caller looks at the exit code."""
        return subprocess.run(
            [BIN / program, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=COMMAND_TIMEOUT,
            check=False,
        )

    def ok(self, program: str, *arguments: str | bytes | Path) -> str:
        """Run it and return its output; it must succeed."""
        done = self.run(program, *arguments)
        assert done.returncode == 0, f"{program} {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def publish(self, directory: Path) -> tuple[str, Published]:
        """Publish what is in `directory` (under its own name) as a job's artifacts: the ref, and what was done."""
        ref = f"/jobs/job_{next(_numbers)}_{os.getpid():06d}"[:60]

        async def publish() -> Published:
            store = DirectoryStore(str(self.base / "home" / "store"))
            registry = SqlRegistry.open(f"sqlite:///{self.base / 'home' / 'registry.db'}")
            try:
                outputs = (os.fsencode(directory.name),)
                request = PublishRequest(ref, os.fsencode(directory.parent), outputs)
                return await publish_outputs(request, store, registry, now=lambda: datetime.now(UTC))
            finally:
                registry.close()

        return ref, trio.run(publish)

    @contextmanager
    def mounted(self, ref: str, *options: str) -> Generator[Path, None, None]:
        """A live mount of `ref`; unmounted at the end, whatever happened."""
        mountpoint = self.base / f"mnt{next(_numbers)}"
        mountpoint.mkdir()
        self.ok("c3fs", "mount", *options, ref, mountpoint)
        try:
            yield mountpoint
        finally:
            if os.path.ismount(mountpoint):
                self.ok("c3fs", "umount", mountpoint)
