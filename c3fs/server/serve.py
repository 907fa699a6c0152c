"""The application in Hypercorn's trio worker: its socket, and a graceful end.

A process that is told to end accepts no more connections, lets nobody wait for news any more, and has END_WITHIN to
finish what is under way. Hypercorn lets nothing interrupt what it sends, not even that, so whoever takes nothing of an
answer for STALLED_WITHIN is hung up on by the kernel: else a few such clients would keep their answers in our memory,
and the process, for ever.
"""

from __future__ import annotations

import os
import signal
import socket
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
STALLED_WITHIN: Final = 30.0
"""Seconds in which a client has to take something of what is sent: as long as it waits for us."""
BACKLOG: Final = 1024
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


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
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; what is accepted has it from here
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(STALLED_WITHIN * 1000))
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


async def serve(plane: ControlPlane, listen: Listen, bound: socket.socket, lifeline: int | None = None) -> None:
    """Serve on the bound socket until SIGTERM, SIGINT, or the end of `lifeline` (c3fs.server.workers)."""
    with trio.open_signal_receiver(*SIGNALS) as received:

        async def told() -> None:
            async with trio.open_nursery() as nursery:
                if lifeline is not None:
                    nursery.start_soon(_cancel_at_end, lifeline, nursery.cancel_scope)
                await anext(received)
                nursery.cancel_scope.cancel()
            plane.news.end()

        await hypercorn_serve(cast(Any, make_app(plane)), _config(listen, bound), shutdown_trigger=told, mode="asgi")


async def _cancel_at_end(lifeline: int, scope: trio.CancelScope) -> None:
    await trio.lowlevel.wait_readable(lifeline)
    scope.cancel()


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
