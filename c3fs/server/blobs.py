"""Blobs: what is missing, where to put it, where to get it; and the bytes themselves where they are relayed.

A blob exists for whoever may read a manifest that names it. Who may write asks what is missing: the answer tells of
the account's own blobs only, and only to somebody who knows their digests.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from c3fs.api.messages import BlobUrls, ClaimedBlobs, Complaint, Confirmed, Digests, Missing
from c3fs.core.access import JobToken, Role
from c3fs.core.digest import Buffer, Digest
from c3fs.core.manifest import Hex
from c3fs.core.span import BLOB_MAX
from c3fs.errors import BlobMissingError, ForbiddenError
from c3fs.server.faults import plain
from c3fs.server.gateway import Claimed
from c3fs.server.ranges import RangeError, parse_range
from c3fs.server.routes import READERS, Call, NoBody, Parameters, Route


class OneBlob(Parameters, frozen=True, kw_only=True):
    digest: Hex


def _demand_writer(call: Call[Any, Any]) -> None:
    """Whoever may publish somewhere."""
    if isinstance(call.principal, JobToken):
        return
    if max(call.user.roles.values(), default=0) < Role.WRITE:
        raise ForbiddenError("publish anything")


async def _readable(call: Call[OneBlob, Any]) -> Digest:
    """The digest, if the principal reads a manifest that names it; raises BlobMissingError as if it were not there."""
    digest = Digest.parse(call.parameters.digest)
    if digest not in await call.plane.database.access.readable(call.principal, [digest]):
        raise BlobMissingError(str(digest))
    return digest


def _claims(body: ClaimedBlobs) -> list[Claimed]:
    return [Claimed.of(claim) for claim in body.blobs]


async def missing(call: Call[Parameters, ClaimedBlobs]) -> Missing:
    """Which blobs are to be put, and where."""
    _demand_writer(call)
    return Missing(await call.blobs.missing(_claims(call.body)))


async def confirm(call: Call[Parameters, ClaimedBlobs]) -> Confirmed:
    """Say that blobs have been put; the answer are those that are not there."""
    _demand_writer(call)
    left = await call.blobs.confirm(_claims(call.body))
    return Confirmed([str(digest) for digest in left])


async def urls(call: Call[Parameters, Digests]) -> BlobUrls:
    """Where blobs are got from: those that the key may read."""
    asked = {Digest.parse(text) for text in call.body.digests}
    readable = await call.plane.database.access.readable(call.principal, sorted(asked))
    return BlobUrls(await call.blobs.urls(readable))


async def complain(call: Call[OneBlob, NoBody]) -> Complaint:
    """Say that a blob is corrupt: it is read, and removed if it is."""
    digest = await _readable(call)
    return Complaint(await call.blobs.complaint(digest))


async def get(call: Call[OneBlob, NoBody]) -> Response:
    """A blob's bytes, or a range of them."""
    digest = await _readable(call)
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": f'"{digest}"',
        # Private: an account's. Immutable: the name says what it is.
        "Cache-Control": "private, max-age=31536000, immutable",
    }
    if call.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    data = await call.blobs.get(digest)
    return _sliced(data, call.headers.get("range"), headers)


def _sliced(data: Buffer, wanted: str | None, headers: dict[str, str]) -> Response:
    try:
        span = parse_range(wanted, len(data))
    except RangeError as error:
        return plain(416, str(error), {**headers, "Content-Range": f"bytes */{len(data)}"})
    if span is None:
        return Response(data, 200, headers, "application/octet-stream")
    first, end = span
    headers["Content-Range"] = f"bytes {first}-{end - 1}/{len(data)}"
    return Response(memoryview(data)[first:end], 206, headers, "application/octet-stream")


async def put(call: Call[OneBlob, bytearray]) -> None:
    """Put a blob's bytes, which have to be those that the digest names."""
    _demand_writer(call)
    await call.blobs.put(Digest.parse(call.parameters.digest), call.body)


ROUTES = (
    Route("POST", "blobs/missing", missing, Parameters, ClaimedBlobs, Missing, READERS),
    Route("POST", "blobs/confirm", confirm, Parameters, ClaimedBlobs, Confirmed, READERS, may=(409,)),
    Route("POST", "blobs/urls", urls, Parameters, Digests, BlobUrls, READERS),
    Route("POST", "blobs/{digest}/complaint", complain, OneBlob, NoBody, Complaint, READERS, may=(404,)),
    Route("GET", "blobs/{digest}", get, OneBlob, NoBody, bytes, READERS, may=(206, 304, 404, 416)),
    Route("PUT", "blobs/{digest}", put, OneBlob, bytearray, None, READERS, 204, (), BLOB_MAX),
)
