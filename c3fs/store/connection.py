"""One HTTP connection that is kept for the next request: the standard library's, used so that no byte is copied twice.

Synchronous, for worker threads: one request at a time, and `abort` from anywhere. Bytes go from the socket into a
buffer of the right size and from the caller's buffer into the socket, with the GIL released, in a few hops a blob.

A kept connection that the server closes meanwhile is the ordinary end of one. It mostly shows before the next request
is sent (`is_stale`); when it shows only then, before the first byte of an answer, `LostError` says so: that request may
be made again, on a new connection.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from c3fs.core.digest import Buffer
from c3fs.core.span import BLOB_MAX
from c3fs.errors import TransferRefusedError
from c3fs.store.urlerrors import from_answer

CONNECT_WITHIN: Final = 5.0
"""Seconds to make a connection: two lost packets."""
STALL: Final = 20.0
"""Seconds in which something must move."""
IDLE_MAX: Final = 20.0
"""Seconds that a connection is kept for; servers and what is before them close them after 30 or more."""
PIECE: Final = 256 << 10
"""Bytes sent within STALL seconds."""
DOCUMENT_MAX: Final = 64 << 10
"""Bytes of an answer that is an error, or to a put."""
_SENT_BY_US: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "expect"})


class LostError(Exception):
    """The server had closed the connection; nothing of an answer came."""


class Target(NamedTuple):
    """Where a URL leads: the scheme, the host with its port as the URL has them, and what is asked for there, a
    secret."""

    scheme: str
    place: str
    asked: str

    @classmethod
    def parse(cls, url: str) -> Target:
        """Raises TransferRefusedError."""
        # Before it is taken apart, which passes over some of these.
        if not (url.isascii() and url.isprintable()) or " " in url:
            raise TransferRefusedError("the store", "its URL has something in it that none has")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise TransferRefusedError("the store", "its URL is none") from None
        if parts.scheme not in ("http", "https") or not host or port == 0 or parts.username is not None:
            raise TransferRefusedError("the store", "its URL is none that is used for blobs")
        asked = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        return cls(parts.scheme, parts.netloc, asked)

    @property
    def origin(self) -> tuple[str, str]:
        return self.scheme, self.place

    def __repr__(self) -> str:
        return f"<Target {self.scheme}://{self.place}>"


class Range(NamedTuple):
    """A part of a blob; `size` is None for all that follows."""

    offset: int
    size: int | None

    @property
    def header(self) -> str:
        return f"bytes={self.offset}-" + ("" if self.size is None else f"{self.offset + self.size - 1}")

    def begins(self, content_range: str | None) -> bool:
        """Whether the answer's header says that it begins where this does."""
        return (content_range or "").startswith(f"bytes {self.offset}-")


class Connection:
    """To the server of `target`; nothing is sent before the first request.

    One thread works with it, between `begin` and `end`; `abort` comes from another. Each of the two first says what it
    does and then looks at what the other does: so one of them closes the socket.
    """

    def __init__(self, target: Target, tls: ssl.SSLContext | None, *, connect: float, stall: float) -> None:
        self._place = target.place
        self._stall = stall
        if tls is None:
            self._http = HTTPConnection(target.place, timeout=connect)
        else:
            self._http = HTTPSConnection(target.place, timeout=connect, context=tls)
        self._sock: socket.socket | None = None
        self._answer: HTTPResponse | None = None
        self._used = 0.0
        self._is_busy = False
        self._aborted = False

    @property
    def is_kept(self) -> bool:
        """Whether it can take another request."""
        return self._http.sock is not None and not self._aborted

    def is_stale(self) -> bool:
        """Whether it is too old, or the server has closed it: what it says unasked can only be that."""
        if self._http.sock is None or time.monotonic() - self._used > IDLE_MAX:
            return True
        waiting = select.poll()
        waiting.register(self._http.sock, select.POLLIN)
        return bool(waiting.poll(0))

    def begin(self) -> None:
        """Raises ConnectionAbortedError if nobody wants it any more."""
        self._is_busy = True
        if self._aborted:
            raise ConnectionAbortedError

    def end(self) -> None:
        self._is_busy = False
        if self._aborted:
            self.close()

    def abort(self) -> None:
        """End what another thread does with it, at once but for making a connection, which ends by itself."""
        self._aborted = True
        if not self._is_busy:
            self.close()
        elif self._sock is not None:
            try:
                # Not SSLSocket.shutdown, which takes away the state that the other thread is working with.
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended already

    def close(self) -> None:
        if self._answer is not None:
            self._answer.close()
        self._http.close()

    def get(self, target: Target, part: Range | None) -> Buffer:
        """Raises what urlerrors.from_answer makes of an answer; LostError, OSError, HTTPException."""
        headers = {} if part is None else {"Range": part.header}
        answer = self._ask("GET", target, headers, None)
        if answer.status == 200:
            data = self._body(answer)
            return data if part is None else _cut(data, part)
        if answer.status == 206 and part is not None and part.begins(answer.headers["Content-Range"]):
            return self._body(answer)
        raise self._refusal(answer)

    def put(self, target: Target, headers: Mapping[str, str], data: Buffer, method: str) -> None:
        """Raises likewise."""
        answer = self._ask(method, target, headers, data)
        if not 200 <= answer.status < 300:
            raise self._refusal(answer)
        self._document(answer)

    # --- requests

    def _ask(self, method: str, target: Target, headers: Mapping[str, str], data: Buffer | None) -> HTTPResponse:
        is_new = self._http.sock is None
        if is_new:
            self._connect()
        self._used = time.monotonic()
        try:
            lost = self._send(method, target, headers, data)
            answer = self._answer = self._http.getresponse()
        except (ConnectionError, ssl.SSLEOFError):
            # RemoteDisconnected is one of these, and comes from a connection that ends before an answer begins.
            if is_new or self._aborted:
                raise
            raise LostError from None
        if lost is not None and answer.status < 400:
            raise lost
        return answer

    def _connect(self) -> None:
        self._http.connect()
        self._sock = self._http.sock
        assert self._sock is not None
        self._sock.settimeout(self._stall)
        if self._aborted:
            raise ConnectionAbortedError

    def _send(self, method: str, target: Target, headers: Mapping[str, str], data: Buffer | None) -> OSError | None:
        """What ended the sending of the body: a server that refuses a put by its head may close the door, and its
        answer is there all the same."""
        http = self._http
        http.putrequest(method, target.asked, skip_host=True, skip_accept_encoding=True)
        http.putheader("Host", target.place)
        for name, value in headers.items():
            if name.lower() not in _SENT_BY_US:
                http.putheader(name, value)
        if data is None:
            http.endheaders()
            return None
        http.putheader("Content-Length", str(len(data)))
        http.endheaders()
        assert http.sock is not None
        try:
            for at in range(0, len(data), PIECE):
                http.sock.sendall(memoryview(data)[at : at + PIECE])
        except (BrokenPipeError, ConnectionResetError) as error:
            if self._aborted:
                raise
            return error
        return None

    # --- answers

    def _body(self, answer: HTTPResponse) -> bytes:
        """All of it, at most BLOB_MAX bytes."""
        length = answer.length
        if length is not None and length > BLOB_MAX:
            raise self._too_large(str(length))
        # One byte more than there may be, so that more shows. A length makes it less.
        data = answer.read(BLOB_MAX + 1)
        if len(data) > BLOB_MAX:
            raise self._too_large("more")
        if length is not None and len(data) < length:
            raise IncompleteRead(b"", length - len(data))
        self._end(answer)
        return data

    def _too_large(self, size: str) -> TransferRefusedError:
        self.close()
        return TransferRefusedError(self._place, f"answered with {size} bytes; no blob has more than {BLOB_MAX}")

    def _refusal(self, answer: HTTPResponse) -> Exception:
        return from_answer(self._place, answer.status, answer.headers["Retry-After"], self._document(answer))

    def _document(self, answer: HTTPResponse) -> bytes:
        """The body, or its beginning: then the connection ends, for what follows is not read."""
        try:
            document = answer.read(DOCUMENT_MAX)
        except (OSError, HTTPException):
            # The status has come, and tells enough.
            document = b""
        self._end(answer)
        return document

    def _end(self, answer: HTTPResponse) -> None:
        """Keep the connection if nothing of the answer is left in it."""
        answer.read(0)
        if not answer.isclosed():
            self.close()
        self._used = time.monotonic()


def _cut(data: Buffer, part: Range) -> Buffer:
    """For a server that knows no ranges, and has sent all of it."""
    end = len(data) if part.size is None else part.offset + part.size
    return memoryview(data)[part.offset : end]
