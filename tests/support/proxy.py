"""A TCP proxy between a client and a server, which does to each connection what a script says."""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import trio

_PIECE: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Stall:
    """Pass on so many bytes of the server's, and then nothing more; the connection stays open."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class Close:
    """Pass on so many bytes of the server's, and end the connection as if that were all; or with a reset."""

    after: int = 0
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Damage:
    """Flip a bit of the server's byte at `at`; all else passes."""

    at: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the first request with a status, and S3's error document with this code; the server sees nothing."""

    status: int
    code: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep what the client sends until the event, whatever becomes of the client meanwhile; then send it on."""

    until: trio.Event


Fault = Stall | Close | Damage | Answer | Hold


class Proxy:
    """`faults` are for the next connections, one each; those after them pass."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self.faults: deque[Fault] = deque()
        self.connections = 0
        self.port = 0

    def __repr__(self) -> str:
        return f"<Proxy {self.port} to {self._upstream}: {self.connections} connections, {len(self.faults)} faults>"

    async def handle(self, client: trio.SocketStream) -> None:
        self.connections += 1
        fault = self.faults.popleft() if self.faults else None
        try:
            if isinstance(fault, Answer):
                await _answer(client, fault)
            elif isinstance(fault, Hold):
                await self._hold(client, fault)
            else:
                await self._pass(client, fault)
        except (trio.BrokenResourceError, trio.ClosedResourceError, ConnectionError):
            pass  # one side has gone, as it may
        finally:
            await trio.aclose_forcefully(client)

    async def _pass(self, client: trio.SocketStream, fault: Stall | Close | Damage | None) -> None:
        async with await trio.open_tcp_stream(*self._upstream) as server, trio.open_nursery() as both:
            both.start_soon(_pump, client, server)
            await _pump_back(server, client, fault)
            both.cancel_scope.cancel()

    async def _hold(self, client: trio.SocketStream, fault: Hold) -> None:
        kept = bytearray()
        async with trio.open_nursery() as both:

            async def keep() -> None:
                while piece := await client.receive_some(_PIECE):
                    kept.extend(piece)

            both.start_soon(keep)
            await fault.until.wait()
            both.cancel_scope.cancel()
        async with await trio.open_tcp_stream(*self._upstream) as server:
            await server.send_all(kept)
            await server.receive_some(_PIECE)


@asynccontextmanager
async def proxied(host: str, port: int) -> AsyncGenerator[Proxy]:
    """A proxy to that server on a free local port, while the body runs."""
    proxy = Proxy(host, port)
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        proxy.port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, proxy.handle, listeners)
        yield proxy
        nursery.cancel_scope.cancel()


async def _pump(source: trio.SocketStream, target: trio.SocketStream) -> None:
    try:
        while piece := await source.receive_some(_PIECE):
            await target.send_all(piece)
    except trio.BrokenResourceError:
        return


async def _pump_back(
    server: trio.SocketStream, client: trio.SocketStream, fault: Stall | Close | Damage | None
) -> None:
    passed = 0
    while piece := await server.receive_some(_PIECE):
        match fault:
            case Stall(after) if passed + len(piece) > after:
                await client.send_all(piece[: after - passed])
                await trio.sleep_forever()
            case Close(after, reset) if passed + len(piece) > after:
                await client.send_all(piece[: after - passed])
                if reset:
                    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            case Damage(at) if passed <= at < passed + len(piece):
                damaged = bytearray(piece)
                damaged[at - passed] ^= 1
                await client.send_all(damaged)
            case _:
                await client.send_all(piece)
        passed += len(piece)


async def _answer(client: trio.SocketStream, fault: Answer) -> None:
    received = bytearray()
    while not _is_whole(received):
        piece = await client.receive_some(_PIECE)
        if not piece:
            return
        received += piece
    body = f"<?xml version='1.0'?><Error><Code>{fault.code}</Code></Error>" if fault.code else ""
    head = f"HTTP/1.1 {fault.status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    await client.send_all((head + ("" if received.startswith(b"HEAD") else body)).encode())


def _is_whole(received: bytearray) -> bool:
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return False
    for line in head.lower().split(b"\r\n")[1:]:
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return True
