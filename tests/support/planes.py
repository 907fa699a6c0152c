"""Control planes for contract tests: one server process on loopback, and in it a control plane for each test.

It is the application of c3fs.server under its own server, over databases that the tests make; only the blobs are not
looked for, for the registry's tests register blobs that nobody has. The control plane of the database that is named in
the file FOLDER/n is at http://127.0.0.1:PORT/n; a registry's address here is that and `#` and a key.

    python -m tests.support.planes FOLDER    says its port on stdout, and runs until its stdin is closed
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Final

import trio
from hypercorn.config import Config
from hypercorn.trio import serve as hypercorn_serve  # pyright: ignore[reportUnknownVariableType] - a WSGI app's dict

from c3fs.api.client import ApiClient, Request, open_client
from c3fs.api.endpoint import Remote
from c3fs.core.access import EVERY, Role
from c3fs.core.digest import Digest
from c3fs.registry.base import Registry
from c3fs.registry.control import ControlDatabase
from c3fs.registry.http import HttpRegistry
from c3fs.server.app import make_app
from c3fs.server.limits import Limit
from c3fs.server.plane import ControlPlane
from c3fs.server.relayed import Relayed
from c3fs.server.serve import Listen, bind
from c3fs.store.directory import DirectoryStore

ACCOUNT: Final = "acme"
OPEN_MAX: Final = 4
NO_LIMIT: Final = Limit(1e9, 1e9)
_numbers = count(1)

App = Callable[[Any, Any, Any], Awaitable[None]]


class Trusting(Relayed):
    """Takes every blob for stored."""

    async def unstored(self, blobs: Mapping[Digest, int]) -> set[Digest]:
        return set()


class Planes:
    """The application: the first part of a path says which control plane answers the rest."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._apps: dict[str, tuple[App, ControlDatabase]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for done in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{done}.complete"})
            return
        _, number, rest = scope["path"].split("/", 2)
        if number not in self._apps:
            self._open(number)
        await self._apps[number][0]({**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}, receive, send)

    def _open(self, number: str) -> None:
        """Those of tests that have ended are closed: a PostgreSQL has a hundred connections."""
        while len(self._apps) >= OPEN_MAX:
            self._apps.pop(next(iter(self._apps)))[1].close()
        database = ControlDatabase.open(Path(self._folder, number).read_text())
        store = DirectoryStore(f"{self._folder}/store{number}")
        plane = ControlPlane(database, lambda _account: Trusting(store), NO_LIMIT, NO_LIMIT)
        self._apps[number] = make_app(plane), database


async def run(folder: str) -> None:
    bound = bind(Listen("127.0.0.1", 0))
    config = Config()
    config.bind = [f"fd://{os.dup(bound.fileno())}"]
    config.loglevel = "WARNING"
    print(bound.getsockname()[1], flush=True)
    app: Any = Planes(folder)
    await hypercorn_serve(app, config, shutdown_trigger=_told, mode="asgi")


async def _told() -> None:
    await trio.to_thread.run_sync(sys.stdin.read)


@cache
def _shared() -> tuple[str, int]:
    """The folder and the port of the one of this test session, started when it is first needed."""
    folder = tempfile.TemporaryDirectory(prefix="c3-planes-")
    command = [sys.executable, "-m", __name__, folder.name]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    port = int(server.stdout.readline())

    def stop() -> None:
        server.communicate(timeout=30)
        folder.cleanup()

    atexit.register(stop)
    return folder.name, port


def http_address(database_url: str) -> str:
    """Of a control plane over the empty database there: its account's, with an admin's key."""
    folder, port = _shared()
    number = str(next(_numbers))
    key = make_admin(database_url, ACCOUNT)
    Path(folder, number).write_text(database_url)
    return f"http://127.0.0.1:{port}/{number}#{key}"


def make_admin(database_url: str, account: str) -> str:
    """A key of the admin of a new account."""

    async def make() -> str:
        await database.access.add_account(account)
        await database.access.add_user(account, "ann")
        await database.access.grant(account, "ann", EVERY, Role.ADMIN)
        return (await database.access.add_key(account, "ann"))[1]

    database = ControlDatabase.open(database_url)
    try:
        return trio.run(make)
    finally:
        database.close()


class OneCallClient(ApiClient):
    """Closes its connections after each call: whoever has it need not end it under trio."""

    async def _try(self, request: Request) -> Any:
        async with open_client(self.remote) as client:
            return await client._try(request)


@contextmanager
def open_http_registry(address: str) -> Generator[Registry]:
    endpoint, _, key = address.partition("#")
    yield HttpRegistry(OneCallClient(Remote(endpoint, key)))


if __name__ == "__main__":
    trio.run(run, sys.argv[1])
