"""`c3fs serve` as a process of its own, with an account and an admin's key."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from c3fs.core.access import EVERY, Role
from c3fs.registry.control import ControlDatabase
from tests.support.programs import BIN

START_WITHIN: Final = 30.0
END_WITHIN: Final = 30.0


@dataclass
class Served:
    """A control plane that listens at `url`; `key` is that of its admin, `log` what it has said so far."""

    url: str
    key: str
    process: subprocess.Popen[bytes]
    log_path: Path

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def end(self) -> int:
        """Its exit code, after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(END_WITHIN)


def administer(db: str, *arguments: str) -> str:
    """What `c3fs admin` prints."""
    command = [f"{BIN}/c3fs", "admin", *arguments, "--db", db]
    return subprocess.run(command, check=True, capture_output=True, timeout=START_WITHIN).stdout.decode()


async def _first_key(db: str) -> str:
    """What `c3fs admin` does in three processes."""
    database = ControlDatabase.open(db)
    try:
        await database.access.add_account("acme")
        await database.access.add_user("acme", "boss")
        await database.access.grant("acme", "boss", EVERY, Role.ADMIN)
        return (await database.access.add_key("acme", "boss"))[1]
    finally:
        database.close()


@contextmanager
def served(
    root: Path,
    *options: str,
    db: str | None = None,
    store: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Generator[Served]:
    """A control plane whose state is below `root` unless `db` and `store` say otherwise; ended at the end."""
    db = db or f"sqlite:///{root}/registry.db"
    key = trio.run(_first_key, db)
    log_path = root / "serve.log"
    where = ["--db", db, "--store", store or f"file://{root}/store", "--port", "0"]
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "c3fs.cli.c3fs", "serve", *where, *options],
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **(environment or {})},
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().decode()  # ends, at the latest, when the process does
        assert line.startswith("http"), log_path.read_text()
        yield Served(line.split()[0], key, process, log_path)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(END_WITHIN)
        assert process.stdout is not None
        process.stdout.close()
