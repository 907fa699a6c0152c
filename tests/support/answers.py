"""An HTTP server on loopback whose answers a test writes down: what a client makes of any of them."""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import msgspec
import trio

from c3fs.api.endpoint import Remote
from c3fs.api.faults import encode
from c3fs.errors import C3Error, RateLimitedError

KEY = "c3_key_0123456789abcdef"


@dataclass(frozen=True)
class Asked:
    """A request as it came; names of headers in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> object:
        return msgspec.json.decode(self.body)


@dataclass(frozen=True)
class Say:
    """An answer; with `hang` it never comes, with `drop` the connection ends after so many bytes of it."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    hang: bool = False
    drop: int | None = None

    def encode(self) -> bytes:
        headers = {"content-type": "application/json", "content-length": str(len(self.body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} Said", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + (b"" if self.status == 204 else self.body)


HANG = Say(hang=True)
DROP = Say(drop=0)

Step = Say | Callable[[Asked], Say]


def fine(answer: object = None, status: int = 200) -> Say:
    return Say(status, msgspec.json.encode(answer))


def refused(error: C3Error) -> Say:
    """As the control plane says it."""
    status, answer = encode(error)
    headers = {"retry-after": f"{error.seconds:g}"} if isinstance(error, RateLimitedError) else {}
    return Say(status, msgspec.json.encode(answer), headers)


class Answers:
    """Each request takes the next of `script`; the last one is the answer to all that come after."""

    def __init__(self, port: int, *script: Step, tls: bool = False) -> None:
        self.remote = Remote(f"{'https' if tls else 'http'}://127.0.0.1:{port}", KEY)
        self.script = deque(script)
        self.asked: list[Asked] = []

    async def serve(self, stream: trio.abc.Stream) -> None:
        try:
            while (asked := await _receive(stream)) is not None:
                if not asked.headers:
                    await stream.send_all(Say(400).encode())
                    return
                self.asked.append(asked)
                step = self.script.popleft() if len(self.script) > 1 else self.script[0]
                said = step(asked) if callable(step) else step
                if said.hang:
                    await trio.sleep_forever()
                await stream.send_all(said.encode()[: said.drop])
                if said.drop is not None:
                    return
        except trio.BrokenResourceError:
            pass  # the client has had enough
        finally:
            await trio.aclose_forcefully(stream)


@asynccontextmanager
async def answering(*script: Step, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Answers]:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    answers = Answers(port, *script, tls=tls is not None)

    async def serve(stream: trio.SocketStream) -> None:
        try:
            await answers.serve(stream if tls is None else trio.SSLStream(stream, tls, server_side=True))
        except (trio.BrokenResourceError, ssl.SSLError):
            pass  # no trust, no request

    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trio.serve_listeners, serve, listeners, handler_nursery=nursery))
        yield answers
        nursery.cancel_scope.cancel()


async def _receive(stream: trio.abc.Stream) -> Asked | None:
    """The next request; None when there is no more. What is none has no headers."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = await stream.receive_some()
        if not piece:
            return None
        data += piece
        if not data[:1].isalpha():
            return Asked("", "", {}, bytes(data))
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += await stream.receive_some()
    method, target, _ = first.split(" ")
    return Asked(method, target, headers, bytes(body))
