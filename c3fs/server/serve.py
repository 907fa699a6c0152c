"""The application in Hypercorn's trio worker: sockets, workers, and a graceful end.

The socket is bound once, before anything else runs, and inherited by every worker: the kernel spreads connections.
A worker that is told to end accepts no more connections, lets nobody wait for news any more, and has END_WITHIN to
finish what is under way.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, cast

import trio
from hypercorn.config import Config
from hypercorn.trio import serve as hypercorn_serve  # pyright: ignore[reportUnknownVariableType] - a WSGI app's dict

from c3fs.errors import SettingsError
from c3fs.server.app import make_app
from c3fs.server.plane import ControlPlane

END_WITHIN: Final = 10.0
"""Seconds for requests under way when the server is to stop: a blob of 4 MiB takes one, a large register two."""
KEEP_ALIVE: Final = 75.0
"""Seconds a connection may be idle: longer than a client keeps it in its pool, so that none meets a closed one."""
BACKLOG: Final = 1024
DEFECT: Final = 70
"""The exit code of a worker that nobody told to end."""
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


log = logging.getLogger("c3fs.server")


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen; with `certificate` and `key` (paths of PEM files) in TLS."""

    host: str
    port: int
    certificate: str | None = None
    key: str | None = None


def bind(listen: Listen) -> socket.socket:
    """A listening socket; raises SettingsError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
    except OSError as error:
        raise SettingsError(f"cannot listen on {listen.host} port {listen.port}: {error.strerror}") from error
    return bound


def address_of(listen: Listen, bound: socket.socket) -> str:
    """The URL that clients on this machine use."""
    host, port = bound.getsockname()[:2]
    scheme = "http" if listen.certificate is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


async def serve(plane: ControlPlane, listen: Listen, bound: socket.socket) -> None:
    """Serve on the bound socket until SIGTERM or SIGINT."""
    with trio.open_signal_receiver(*SIGNALS) as received:

        async def told() -> None:
            await anext(received)
            plane.news.end()

        await hypercorn_serve(cast(Any, make_app(plane)), _config(listen, bound), shutdown_trigger=told, mode="asgi")


def _config(listen: Listen, bound: socket.socket) -> Config:
    config = Config()
    # Hypercorn closes what it is given.
    config.bind = [f"fd://{os.dup(bound.fileno())}"]
    config.certfile = listen.certificate
    config.keyfile = listen.key
    config.graceful_timeout = END_WITHIN
    config.keep_alive_timeout = KEEP_ALIVE
    config.include_server_header = False
    config.accesslog = None
    config.loglevel = "WARNING"
    return config


def run_workers(count: int, work: Callable[[], int]) -> int:
    """Fork `count` processes that do `work`, which returns an exit code, and end them all when one ends or this one is
    told to. The exit code: 0 if it was told to. Nothing but the socket may be open by now."""
    workers = _Workers()
    previous = [signal.signal(number, workers.end) for number in SIGNALS]
    try:
        for _ in range(count):
            workers.fork(work, dict(zip(SIGNALS, previous, strict=True)))
        return workers.wait()
    finally:
        for number, handler in zip(SIGNALS, previous, strict=True):
            signal.signal(number, handler)


class _Workers:
    def __init__(self) -> None:
        self._alive: set[int] = set()
        self._told = False

    def fork(self, work: Callable[[], int], handlers: dict[signal.Signals, Any]) -> None:
        if self._told:
            return
        pid = os.fork()
        if pid:
            self._alive.add(pid)
            return
        code = DEFECT
        try:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            code = work()
        finally:
            os._exit(code)

    def end(self, _number: int, _frame: object) -> None:
        """The signals' handler."""
        self._told = True
        self._tell()

    def wait(self) -> int:
        code = 0
        while self._alive:
            pid, _ = os.wait()
            self._alive.discard(pid)
            if not self._told and not code:
                # One that ends unasked has met a defect: whoever supervises this process starts all of them anew.
                log.error("a worker has ended")
                code = DEFECT
                self._tell()
        return code

    def _tell(self) -> None:
        for pid in self._alive:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
