"""UrlTransport against a server that does what servers do on their worst days."""

from __future__ import annotations

import gc
import socket
import ssl
import struct
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from c3fs.core.span import BLOB_MAX
from c3fs.errors import (
    C3Error,
    ConflictError,
    DeadlineError,
    RateLimitedError,
    StoreRefusedError,
    StoreUnavailableError,
    TransferConflictError,
    TransferError,
    TransferRefusedError,
    TransferUnavailableError,
    UrlExpiredError,
)
from c3fs.store import connection
from c3fs.store.transport import UrlTransport
from tests.support.blobs import seeded
from tests.support.rawserver import Answering, RawServer, Talk, serving

BLOB = seeded(1, 300_000)
SECRET = "X-Amz-Signature=5ec4e7"
BOUND = 20.0
"""Seconds that nothing here takes."""


@asynccontextmanager
async def meeting(
    answering: Answering, *, connections: int = 4, within: float = BOUND, stall: float = BOUND
) -> AsyncGenerator[tuple[RawServer, UrlTransport, str]]:
    """A server, a transport and a URL with something secret in it."""
    with trio.fail_after(BOUND):
        async with serving(answering) as server:
            transport = UrlTransport(connections=connections, within=within, stall=stall)
            try:
                yield server, transport, f"{server.url}/bucket/ab/blob?{SECRET}"
            finally:
                await transport.aclose()


def saying(status: int, body: bytes = b"", **headers: str) -> Answering:
    """The same answer to every request; to a put that went well there is nothing to say."""

    async def answering(talk: Talk) -> None:
        while True:
            method = (await talk.request()).method
            await talk.say(status, b"" if method == "PUT" and status < 300 else body, **headers)

    return answering


def checked(error: C3Error) -> C3Error:
    """Nothing in it tells the URL, nor does what it was made of."""
    seen: BaseException | None = error
    while seen is not None:
        assert "5ec4e7" not in f"{seen} {seen!r} {vars(seen)}"
        seen = seen.__cause__ or seen.__context__
    return error


# --- what goes well


async def test_get_and_put_on_one_connection() -> None:
    async with meeting(saying(200, BLOB)) as (server, transport, url):
        assert await transport.get(url) == BLOB
        await transport.put(url, BLOB, {"x-amz-checksum-sha256": "abc="})
        assert await transport.get(url) == BLOB
        (talk,) = server.talks
        assert [(heard.method, heard.asked) for heard in talk.heard] == [
            ("GET", f"/bucket/ab/blob?{SECRET}"),
            ("PUT", f"/bucket/ab/blob?{SECRET}"),
            ("GET", f"/bucket/ab/blob?{SECRET}"),
        ]
        assert talk.bodies == [b"", BLOB, b""]
        sent = talk.heard[1].headers
        host = server.url.removeprefix("http://")
        assert sent == {"host": host, "content-length": str(len(BLOB)), "x-amz-checksum-sha256": "abc="}
        assert "5ec4e7" not in repr(transport)


@pytest.mark.parametrize("data", [b"", bytearray(b"abc"), memoryview(BLOB)[10:20], seeded(2, BLOB_MAX)])
async def test_put_of_any_buffer(data: bytes | bytearray | memoryview) -> None:
    async with meeting(saying(204)) as (server, transport, url):
        await transport.put(url, data, {"Content-Length": "77", "Host": "elsewhere"})
        assert server.talks[0].bodies == [bytes(data)]
        assert server.asked[0].headers["content-length"] == str(len(data))
        assert server.asked[0].headers["host"] == server.url.removeprefix("http://")


async def test_no_more_connections_than_said() -> None:
    async def answering(talk: Talk) -> None:
        while True:
            await talk.request()
            together.append(talk)
            if len(together) >= 3:
                full.set()
            await full.wait()
            await talk.say(200, BLOB)

    together: list[Talk] = []
    full = trio.Event()
    async with meeting(answering, connections=3) as (server, transport, url):
        async with trio.open_nursery() as nursery:
            for _ in range(12):
                nursery.start_soon(transport.get, url)
        assert len(server.talks) == 3
        assert len(server.asked) == 12


async def test_every_server_has_connections_of_its_own() -> None:
    async with (
        meeting(saying(200, b"one")) as (one, transport, url),
        serving(saying(200, b"two")) as two,
    ):
        for _ in range(2):
            assert await transport.get(url) == b"one"
            assert await transport.get(f"{two.url}/x") == b"two"
        assert (len(one.talks), len(two.talks)) == (1, 1)


async def test_a_part_of_a_blob() -> None:
    async def answering(talk: Talk) -> None:
        while True:
            asked = (await talk.request()).headers["range"].removeprefix("bytes=").split("-")
            first, last = int(asked[0]), int(asked[1] or len(BLOB) - 1)
            part = BLOB[first : last + 1]
            await talk.say(206, part, content_range=f"bytes {first}-{first + len(part) - 1}/{len(BLOB)}")

    async with meeting(answering) as (_, transport, url):
        assert await transport.get(url, offset=100, size=50) == BLOB[100:150]
        assert await transport.get(url, size=50) == BLOB[:50]
        assert await transport.get(url, offset=len(BLOB) - 5) == BLOB[-5:]
        with pytest.raises(TransferRefusedError, match="has 5 of the 9 bytes"):
            await transport.get(url, offset=len(BLOB) - 5, size=9)


async def test_a_part_from_a_server_that_knows_none() -> None:
    async with meeting(saying(200, BLOB)) as (_, transport, url):
        assert await transport.get(url, offset=100, size=50) == BLOB[100:150]
        assert await transport.get(url, offset=len(BLOB) - 5) == BLOB[-5:]


@pytest.mark.parametrize("headers", [{}, {"content_range": "bytes 7-9/10"}])
async def test_a_part_that_is_another(headers: dict[str, str]) -> None:
    async with meeting(saying(206, b"abc", **headers)) as (_, transport, url):
        with pytest.raises(TransferRefusedError):
            await transport.get(url, offset=1, size=3)
        with pytest.raises(TransferRefusedError):
            await transport.get(url)


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + end


async def test_an_answer_in_chunks() -> None:
    body = chunked(BLOB[:7], BLOB[7:100_000], BLOB[100_000:])
    async with meeting(saying(200, body, transfer_encoding="chunked")) as (server, transport, url):
        assert await transport.get(url) == BLOB
        assert await transport.get(url) == BLOB
        assert len(server.talks) == 1


async def test_an_answer_that_ends_with_the_connection() -> None:
    async def answering(talk: Talk) -> None:
        await talk.request()
        await talk.say(200, BLOB, connection="close")

    async with meeting(answering) as (server, transport, url):
        assert await transport.get(url) == BLOB
        assert await transport.get(url) == BLOB
        assert len(server.talks) == 2


# --- what must not be read


async def test_an_answer_that_says_it_is_too_large() -> None:
    async with meeting(saying(200, b"", content_length=str(BLOB_MAX + 1))) as (server, transport, url):
        with pytest.raises(TransferRefusedError, match=rf"{BLOB_MAX + 1} bytes; no blob"):
            await transport.get(url)
        await server.talks[0].ended.wait()


@pytest.mark.parametrize("headers", [{"transfer_encoding": "chunked"}, {"connection": "close"}])
async def test_an_answer_without_end(headers: dict[str, str]) -> None:
    async def answering(talk: Talk) -> None:
        await talk.request()
        await talk.say(200, b"", **headers)
        piece = bytes(1 << 20)
        while True:
            await talk.stream.send_all(chunked(piece, end=b"") if "transfer_encoding" in headers else piece)

    async with meeting(answering) as (server, transport, url):
        with pytest.raises(TransferRefusedError, match="more bytes; no blob"):
            await transport.get(url)
        await server.talks[0].ended.wait()


async def test_an_error_without_end() -> None:
    async def answering(talk: Talk) -> None:
        await talk.request()
        await talk.say(500, b"", transfer_encoding="chunked")
        while True:
            await talk.stream.send_all(chunked(bytes(1 << 20), end=b""))

    async with meeting(answering) as (server, transport, url):
        with pytest.raises(TransferUnavailableError, match="answered 500"):
            await transport.get(url)
        await server.talks[0].ended.wait()


# --- what breaks


async def test_an_answer_that_breaks_off() -> None:
    async def answering(talk: Talk) -> None:
        await talk.request()
        await talk.say(200, BLOB[:-1], content_length=str(len(BLOB)))

    async with meeting(answering) as (server, transport, url):
        with pytest.raises(TransferUnavailableError, match="broke off in the middle"):
            await transport.get(url)
        assert len(server.asked) == 1


async def test_chunks_that_break_off() -> None:
    async def answering(talk: Talk) -> None:
        await talk.request()
        await talk.say(200, chunked(BLOB, end=b""), transfer_encoding="chunked")

    async with meeting(answering) as (_, transport, url):
        with pytest.raises(TransferUnavailableError, match="broke off in the middle"):
            await transport.get(url)


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"]
)
async def test_a_connection_that_is_reset(sent: bytes) -> None:
    async def answering(talk: Talk) -> None:
        await talk.request()
        await talk.stream.send_all(sent)
        assert isinstance(talk.stream, trio.SocketStream)
        talk.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with meeting(answering) as (server, transport, url):
        with pytest.raises(TransferUnavailableError, match="broke off") as caught:
            await transport.get(url)
        checked(caught.value)
        assert caught.value.status is None
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "sent", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 wrong\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200]
)
async def test_what_is_not_http(sent: bytes) -> None:
    async def answering(talk: Talk) -> None:
        await talk.request()
        await talk.stream.send_all(sent)

    async with meeting(answering) as (_, transport, url):
        with pytest.raises(TransferUnavailableError, match="does not speak HTTP as it should") as caught:
            await transport.get(url)
        checked(caught.value)


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(TransferUnavailableError, match=rf"127.0.0.1:{port}: broke off: Connection refused"):
        await UrlTransport().get(f"http://127.0.0.1:{port}/x")


@pytest.mark.parametrize("body", [b"", BLOB[:1000]])
async def test_an_answer_that_does_not_go_on(body: bytes) -> None:
    async def answering(talk: Talk) -> None:
        await talk.request()
        if body:
            await talk.say(200, body, content_length=str(len(BLOB)))
        await talk.left()

    async with meeting(answering, stall=0.2) as (server, transport, url):
        with pytest.raises(TransferUnavailableError, match="nothing moved in time"):
            await transport.get(url)
        await server.talks[0].ended.wait()


async def test_an_answer_that_goes_on_for_too_long() -> None:
    async def answering(talk: Talk) -> None:
        await talk.request()
        await talk.say(200, b"", content_length=str(len(BLOB)))
        with pytest.raises(trio.BrokenResourceError):
            while True:
                await talk.stream.send_all(b"x")
                await trio.sleep(0.01)

    async with meeting(answering, within=0.3) as (server, transport, url):
        with pytest.raises(DeadlineError, match=r"did not finish in 0.3 s") as caught:
            await transport.get(url)
        checked(caught.value)
        await server.talks[0].ended.wait()


async def test_a_server_that_does_not_read() -> None:
    async def answering(talk: Talk) -> None:
        await talk.head()
        await silent.wait()
        await talk.left()

    silent = trio.Event()
    async with meeting(answering, stall=0.2) as (server, transport, url):
        with pytest.raises(TransferUnavailableError, match="nothing moved in time"):
            await transport.put(url, bytes(64 << 20), {})
        silent.set()
        await server.talks[0].ended.wait()


# --- connections that the server closes


async def closing(talk: Talk) -> None:
    """Says nothing of it."""
    await talk.request()
    await talk.say(200, BLOB)


async def test_a_kept_connection_that_was_closed_is_not_used() -> None:
    async with meeting(closing) as (server, transport, url):
        for _ in range(3):
            assert await transport.get(url) == BLOB
            await server.talks[-1].ended.wait()
        assert len(server.talks) == 3
        assert len(server.asked) == 3


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_a_kept_connection_that_closes_under_a_request(method: str) -> None:
    """The server has the request when it closes: nobody can know whether it read it."""

    async def answering(talk: Talk) -> None:
        method = (await talk.request()).method
        await talk.say(200, BLOB if method == "GET" else b"")
        await talk.head()

    async with meeting(answering) as (server, transport, url):

        async def move() -> None:
            if method == "GET":
                assert await transport.get(url) == BLOB
            else:
                await transport.put(url, BLOB, {})

        await move()
        await move()
        assert len(server.talks) == 2
        assert [len(talk.heard) for talk in server.talks] == [2, 1]


async def test_a_new_connection_that_closes_under_a_request_is_a_fault() -> None:
    async def answering(talk: Talk) -> None:
        await talk.head()

    async with meeting(answering) as (server, transport, url):
        with pytest.raises(TransferUnavailableError, match="broke off"):
            await transport.put(url, BLOB, {})
        assert len(server.talks) == 1


async def test_a_kept_connection_grows_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "IDLE_MAX", -1.0)
    async with meeting(saying(200, BLOB)) as (server, transport, url):
        assert await transport.get(url) == BLOB
        assert await transport.get(url) == BLOB
        assert len(server.talks) == 2


async def test_what_comes_unasked_is_nobody_s_answer() -> None:
    async def answering(talk: Talk) -> None:
        await talk.request()
        await talk.say(200, BLOB)
        await talk.say(200, b"of another")
        said.set()
        await talk.request()
        await talk.say(200, BLOB)

    said = trio.Event()
    async with meeting(answering) as (_, transport, url):
        assert await transport.get(url) == BLOB
        await said.wait()
        assert await transport.get(url) == BLOB


# --- answers that say no


def document(code: str, message: str | None = "no") -> bytes:
    told = "" if message is None else f"<Message>{message}</Message>"
    return f'<?xml version="1.0"?><Error><Code>{code}</Code>{told}<Signature>5ec4e7</Signature></Error>'.encode()


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (301, b"", TransferRefusedError, None),
        (307, document("TemporaryRedirect"), TransferRefusedError, "TemporaryRedirect"),
        (400, document("InvalidRequest"), TransferRefusedError, "InvalidRequest"),
        (400, document("BadDigest"), TransferUnavailableError, "BadDigest"),
        (400, document("XAmzContentChecksumMismatch"), TransferUnavailableError, "XAmzContentChecksumMismatch"),
        (403, document("SignatureDoesNotMatch"), TransferRefusedError, "SignatureDoesNotMatch"),
        (403, document("AccessDenied", "Access Denied"), TransferRefusedError, "AccessDenied"),
        (403, document("AccessDenied", "Request has expired"), UrlExpiredError, "AccessDenied"),
        (403, document("AccessDenied", "Request is not valid yet"), UrlExpiredError, "AccessDenied"),
        (403, document("AccessDenied", None), UrlExpiredError, "AccessDenied"),
        (403, document("ExpiredToken"), UrlExpiredError, "ExpiredToken"),
        (400, document("ExpiredToken"), UrlExpiredError, "ExpiredToken"),
        (403, document("RequestTimeTooSkewed"), UrlExpiredError, "RequestTimeTooSkewed"),
        (403, b"\xff\x00<Code>", TransferRefusedError, None),
        (404, document("NoSuchKey"), TransferRefusedError, "NoSuchKey"),
        (405, b"", TransferRefusedError, None),
        (408, b"", TransferUnavailableError, None),
        (409, document("OperationAborted"), TransferConflictError, "OperationAborted"),
        (412, document("PreconditionFailed"), TransferConflictError, "PreconditionFailed"),
        (416, b"", TransferRefusedError, None),
        (500, document("InternalError"), TransferUnavailableError, "InternalError"),
        (503, document("SlowDown"), TransferUnavailableError, "SlowDown"),
    ],
)
async def test_what_a_refusal_is(status: int, body: bytes, kind: type[TransferError], code: str | None) -> None:
    async with meeting(saying(status, body, location="http://elsewhere/5ec4e7")) as (server, transport, url):
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: transport.get(url),
            lambda: transport.put(url, BLOB, {}),
        ]
        for call in calls:
            with pytest.raises(TransferError) as caught:
                await call()
            assert type(caught.value) is kind
            assert (caught.value.status, caught.value.code) == (status, code)
            assert isinstance(caught.value, StoreUnavailableError if kind.retryable else StoreRefusedError)
            checked(caught.value)
        assert len(server.talks) == 1
        assert len(server.asked) == 2


def test_who_puts_the_same_is_in_conflict() -> None:
    assert issubclass(TransferConflictError, ConflictError)
    assert TransferConflictError.retryable


@pytest.mark.parametrize(("said", "seconds"), [("7", 7.0), ("99999", 60.0), ("soon", 1.0), ("-1", 1.0), ("1e3", 1.0)])
async def test_too_many_requests(said: str, seconds: float) -> None:
    async with meeting(saying(429, b"", retry_after=said)) as (_, transport, url):
        with pytest.raises(RateLimitedError) as caught:
            await transport.get(url)
        assert caught.value.seconds == seconds


async def test_slow_down_may_say_how_long() -> None:
    async with meeting(saying(503, b"", retry_after="3")) as (_, transport, url):
        with pytest.raises(TransferUnavailableError) as caught:
            await transport.get(url)
        assert caught.value.seconds == 3.0


async def test_a_put_that_is_refused_by_its_head() -> None:
    """The server answers, reads no more and closes: the answer counts, and not that sending came to an end."""

    async def answering(talk: Talk) -> None:
        await talk.head()
        await talk.say(403, document("AccessDenied", "Request has expired"))

    async with meeting(answering) as (_, transport, url):
        with pytest.raises(UrlExpiredError):
            await transport.put(url, bytes(64 << 20), {})


# --- leaving


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_cancelling_closes_the_connection(method: str) -> None:
    async def answering(talk: Talk) -> None:
        await talk.head()
        begun.set()
        if method == "GET":
            await talk.say(200, b"x", content_length=str(len(BLOB)))
            await talk.left()
        else:
            await gone.wait()
            await talk.left()

    begun, gone = trio.Event(), trio.Event()
    async with meeting(answering, connections=1) as (server, transport, url):
        async with trio.open_nursery() as nursery:
            if method == "GET":
                nursery.start_soon(transport.get, url)
            else:
                nursery.start_soon(transport.put, url, bytes(64 << 20), dict[str, str]())
            await begun.wait()
            nursery.cancel_scope.cancel()
        gone.set()
        await server.talks[0].ended.wait()
        assert repr(transport) == "<UrlTransport 0 busy, 0 kept>"


async def test_cancelling_at_any_moment_leaves_nothing_open() -> None:
    async with meeting(saying(200, BLOB), connections=2) as (_, transport, url):
        for step in range(60):
            with trio.move_on_after(step * 0.0002):
                await transport.get(url)
        assert await transport.get(url) == BLOB
        await transport.aclose()
        gc.collect()  # a socket that was forgotten would warn, and warnings are errors


async def test_closing_ends_what_is_under_way() -> None:
    async def answering(talk: Talk) -> None:
        await talk.request()
        begun.set()
        await talk.left()

    async def get() -> None:
        with pytest.raises(TransferUnavailableError):
            await transport.get(url)

    begun = trio.Event()
    async with meeting(answering) as (server, transport, url):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(get)
            await begun.wait()
            await transport.aclose()
        await server.talks[0].ended.wait()
        with pytest.raises(TransferUnavailableError, match="closed"):
            await transport.get(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/v1/blobs/x",
        "ftp://host/x",
        "http:///x",
        "http://host:0/x",
        "http://host:99999/x",
        "http://[::1/x",
        "http://key:5ec4e7@host/x",
        "http://host/x y?5ec4e7",
        "http://host/x\r\nX: 5ec4e7",
        "http://host/\x7f?5ec4e7",
        "http://host/ä?5ec4e7",
        "http://ho\nst/x",
    ],
)
async def test_what_is_no_url_of_a_blob(url: str) -> None:
    transport = UrlTransport()
    with pytest.raises(TransferRefusedError) as caught:
        await transport.get(url)
    checked(caught.value)


# --- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 in one file."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", "-"]
    made = subprocess.run(command, check=True, capture_output=True, timeout=BOUND).stdout
    with path.open("ab") as file:
        file.write(made)
    return path


def served(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_a_certificate_that_nobody_vouches_for(certificate: Path) -> None:
    transport = UrlTransport()
    with trio.fail_after(BOUND):
        async with serving(saying(200, BLOB), served(certificate)) as server:
            with pytest.raises(TransferRefusedError, match=r"its certificate is not trusted: self.signed") as caught:
                await transport.get(f"{server.url}/x?{SECRET}")
            checked(caught.value)
            assert server.asked == []


async def test_a_certificate_that_is_trusted(certificate: Path) -> None:
    transport = UrlTransport(tls=ssl.create_default_context(cafile=str(certificate)))
    with trio.fail_after(BOUND):
        async with serving(saying(200, BLOB), served(certificate)) as server:
            for _ in range(2):
                assert await transport.get(f"{server.url}/x?{SECRET}") == BLOB
                await transport.put(f"{server.url}/x?{SECRET}", BLOB, {})
            assert len(server.talks) == 1
            await transport.aclose()


async def test_cancelling_under_tls(certificate: Path) -> None:
    async def answering(talk: Talk) -> None:
        await talk.request()
        await talk.say(200, b"x", content_length=str(len(BLOB)))
        begun.set()
        await talk.left()

    begun = trio.Event()
    transport = UrlTransport(tls=ssl.create_default_context(cafile=str(certificate)))
    with trio.fail_after(BOUND):
        async with serving(answering, served(certificate)) as server:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(transport.get, f"{server.url}/x")
                await begun.wait()
                nursery.cancel_scope.cancel()
            await server.talks[0].ended.wait()


async def test_tls_where_there_is_none() -> None:
    async def answering(talk: Talk) -> None:
        await talk.stream.receive_some()
        await talk.say(400)

    async with meeting(answering) as (_, transport, url):
        with pytest.raises(TransferUnavailableError, match="does not speak TLS as it should") as caught:
            await transport.get(url.replace("http://", "https://"))
        checked(caught.value)
