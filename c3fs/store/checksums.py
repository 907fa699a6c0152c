"""Asks an S3 server what its presigned URLs to put are worth: whether it takes the signed bytes only.

On that rests that blobs may go past the control plane: an object that was put with a signed SHA-256 has the bytes of
whoever claimed it, and no late put changes them. A server that lets one of ATTEMPTS pass gets its blobs from the
control plane, which has verified them.

SeaweedFS 4.48 refuses all of them: bytes with another SHA-256 (400 BadDigest), and any request whose signed headers are
missing, others or of another size, or that has an x-amz- header which was not signed (403 SignatureDoesNotMatch). What
is there already stays as it is when a put is refused. Ceph RGW 16.2 takes other bytes, for it looks at the signature
and at no checksum.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import anyio

from c3fs.core.digest import Buffer
from c3fs.errors import C3Error, DeadlineError, TransferError, TransferUnavailableError
from c3fs.store.presign import CHECKSUM, Presigner
from c3fs.store.transport import UrlTransport

PROBE_WITHIN: Final = 60.0
"""Seconds for all of it."""
URL_SECONDS: Final = 300
_SIZE: Final = 200
_CLEARING_UP: Final = 10.0
_FRAMED: Final = b"64\r\n" + bytes(100) + b"\r\n0\r\n\r\n"
"""100 bytes as streaming uploads send them, followed by nothing that anybody reads."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """To put something else than what was signed: `left_out` is a signed header that is not sent, `sent` are some that
    were not signed, or not so. `what` is for people."""

    what: str
    body: bytes
    left_out: str | None = None
    sent: tuple[tuple[str, str], ...] = ()

    def headers(self, signed: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in signed.items() if name != self.left_out} | dict(self.sent)


def attempts(honest: bytes, other: bytes, source: str) -> list[Attempt]:
    """`honest` are the bytes that were signed, `other` as many others, `source` is where those are in the bucket."""
    theirs = base64.b64encode(sha256(other).digest()).decode()
    framed = _FRAMED.ljust(len(honest), b"\n")
    streaming = (("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", "100"))
    return [
        Attempt("other bytes", other),
        Attempt("no checksum", honest, CHECKSUM),
        Attempt("other bytes and no checksum", other, CHECKSUM),
        Attempt("other bytes and their checksum", other, sent=((CHECKSUM, theirs),)),
        Attempt("fewer bytes", honest[:-1]),
        Attempt("more bytes", honest + other),
        Attempt("other bytes under another encoding", other, sent=(("content-encoding", "gzip"),)),
        Attempt("a copy of another object", b"", sent=(("x-amz-copy-source", source),)),
        Attempt("a copy in place of the bytes", honest, sent=(("x-amz-copy-source", source),)),
        *(
            Attempt(f"a body that is {kind}", framed, sent=(("x-amz-content-sha256", kind), *streaming))
            for kind in ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
        ),
    ]


async def probe_checksums(signer: Presigner, transport: UrlTransport) -> tuple[str, ...]:
    """What the server lets pass, in words; nothing if it enforces what is signed. Leaves no object behind unless it is
    killed, and then some of 200 bytes below `probe/`.

    Raises what the transport raises when an honest put fails, or when it cannot be told what became of another.
    """
    probe = _Probe(signer, transport)
    try:
        with anyio.move_on_after(PROBE_WITHIN):
            return await probe.run()
    finally:
        with anyio.move_on_after(_CLEARING_UP, shield=True):
            await probe.clear_up()
    raise DeadlineError(f"asking {signer.settings.place} what it enforces", PROBE_WITHIN)


class _Probe:
    def __init__(self, signer: Presigner, transport: UrlTransport) -> None:
        self._signer = signer
        self._transport = transport
        self._keys: list[str] = []

    async def run(self) -> tuple[str, ...]:
        honest, other = secrets.token_bytes(_SIZE), secrets.token_bytes(_SIZE)
        source = self._key()
        await self._put(source, other)
        settings = self._signer.settings
        tried = attempts(honest, other, f"/{settings.bucket}/{settings.full(source)}")
        passed = [attempt.what for attempt in tried if await self._passes(self._key(), honest, attempt)]
        taken = self._key()
        await self._put(taken, honest)
        over = [attempt.what for attempt in tried if await self._passes(taken, honest, attempt)]
        return (*passed, *(f"{what}, over what is there" for what in over))

    def _key(self) -> str:
        self._keys.append(f"probe/{secrets.token_hex(16)}")
        return self._keys[-1]

    async def _put(self, key: str, data: bytes) -> None:
        url, headers = self._signed(key, data)
        await self._transport.put(url, data, headers)
        if await self._kept(key) != data:
            raise TransferUnavailableError(self._signer.settings.place, "takes a blob, and does not give it back")

    def _signed(self, key: str, data: bytes) -> tuple[str, dict[str, str]]:
        return self._signer.put_request(key, len(data), sha256(data).digest(), URL_SECONDS)

    async def _passes(self, key: str, honest: bytes, attempt: Attempt) -> bool:
        """Whether the server takes it, or keeps something of it although it says no. Bytes that are the signed ones do
        no harm, but what says yes to a request without its signed headers checks nothing."""
        before = await self._kept(key)
        url, headers = self._signed(key, honest)
        try:
            await self._transport.put(url, attempt.body, attempt.headers(headers))
        except TransferError as error:
            if error.status is None or error.status >= 500:
                raise
        else:
            return True
        return await self._kept(key) != before

    async def _kept(self, key: str) -> Buffer | None:
        try:
            return await self._transport.get(self._signer.get_url(key, URL_SECONDS))
        except TransferError as error:
            if error.status != 404:
                raise
            return None

    async def clear_up(self) -> None:
        for key in self._keys:
            try:
                await self._transport.put(self._signer.url("DELETE", key, URL_SECONDS), b"", {}, method="DELETE")
            except C3Error:
                pass  # what cannot be removed is small, and nothing else fails for it
