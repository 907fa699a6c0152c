"""A server on loopback that answers HTTP as no good server does: a test says with which bytes, and when."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import trio


@dataclass(frozen=True)
class Heard:
    """The head of a request; names of headers in lower case."""

    method: str
    asked: str
    headers: dict[str, str]


@dataclass
class Talk:
    """One connection of a client."""

    stream: trio.abc.Stream
    waiting: bytes = b""
    heard: list[Heard] = field(default_factory=list[Heard])
    bodies: list[bytes] = field(default_factory=list[bytes])
    ended: trio.Event = field(default_factory=trio.Event)

    async def head(self) -> Heard:
        """The next request; raises EOFError when the client has left."""
        while b"\r\n\r\n" not in self.waiting:
            await self._more()
        head, _, self.waiting = self.waiting.partition(b"\r\n\r\n")
        first, *lines = head.decode("ascii").split("\r\n")
        method, asked, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        self.heard.append(Heard(method, asked, headers))
        return self.heard[-1]

    async def request(self) -> Heard:
        """The same with its body."""
        heard = await self.head()
        size = int(heard.headers.get("content-length", "0"))
        while len(self.waiting) < size:
            await self._more()
        self.bodies.append(self.waiting[:size])
        self.waiting = self.waiting[size:]
        return heard

    async def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        """With a length, unless there is another header that says how long it is."""
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        if not {"content-length", "transfer-encoding", "connection"} & said.keys():
            said["content-length"] = str(len(body))
        lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in said.items()), "", ""]
        await self.stream.send_all("\r\n".join(lines).encode() + body)

    async def left(self) -> None:
        """Return when the client has closed the connection."""
        try:
            while await self.stream.receive_some():
                pass
        except trio.BrokenResourceError:
            pass

    async def _more(self) -> None:
        piece = await self.stream.receive_some(1 << 20)
        if not piece:
            raise EOFError
        self.waiting += piece


Answering = Callable[[Talk], Awaitable[None]]


@dataclass
class RawServer:
    """`talks` are the connections there were, in the order they came."""

    url: str
    talks: list[Talk]

    @property
    def asked(self) -> list[Heard]:
        return [heard for talk in self.talks for heard in talk.heard]


@asynccontextmanager
async def serving(answering: Answering, tls: ssl.SSLContext | None = None) -> AsyncGenerator[RawServer]:
    """`answering` talks with one client until it returns, which ends the connection, or the client leaves."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    server = RawServer(f"{'http' if tls is None else 'https'}://127.0.0.1:{port}", [])

    async def talk(stream: trio.SocketStream) -> None:
        secured = stream if tls is None else trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
        one = Talk(secured)
        server.talks.append(one)
        try:
            await answering(one)
        except (EOFError, ssl.SSLError, trio.BrokenResourceError):
            pass  # the client has had enough
        finally:
            await trio.aclose_forcefully(secured)
            one.ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trio.serve_listeners, talk, listeners, handler_nursery=nursery))
        yield server
        nursery.cancel_scope.cancel()
