"""A control plane's blobs as one client sees them, with everything countable: where blobs are said to be, and what is
there. Behind tests.support.answers; the real one is tested by the contract suite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from hashlib import sha256

import msgspec
import trio

from c3fs.api.messages import (
    BlobUrl,
    BlobUrls,
    ClaimedBlobs,
    Complaint,
    Confirmed,
    Digests,
    Missing,
    Slot,
)
from c3fs.core.digest import Buffer, Digest
from c3fs.errors import C3Error, TransferRefusedError
from tests.support.answers import Asked, Say, fine


class UrlPlane:
    """`stored` is what is in its bucket, `confirmed` whose SHA-256 it knows. `seconds` is how long its URLs are good.
    `asked` counts requests, and `sizes` says of how many blobs each was."""

    def __init__(self, *, seconds: float = 600.0) -> None:
        self.stored: dict[str, bytes] = {}
        self.confirmed: dict[str, str] = {}
        self.seconds = seconds
        self.asked: Counter[str] = Counter()
        self.sizes: list[int] = []
        self.urls = 0

    def __call__(self, asked: Asked) -> Say:
        what = asked.target.removeprefix("/v1/blobs/").rpartition("/")[2]
        self.asked[what] += 1
        match what:
            case "urls":
                return fine(msgspec.to_builtins(self._urls(msgspec.json.decode(asked.body, type=Digests))))
            case "missing":
                return fine(msgspec.to_builtins(self._missing(msgspec.json.decode(asked.body, type=ClaimedBlobs))))
            case "confirm":
                return fine(msgspec.to_builtins(self._confirm(msgspec.json.decode(asked.body, type=ClaimedBlobs))))
            case "complaint":
                return fine(msgspec.to_builtins(Complaint(removed=False)))
            case _:
                return self._relay(asked, what)

    def put(self, data: bytes) -> Digest:
        """As if somebody else had put it."""
        digest = Digest.of(data)
        self.stored[str(digest)] = data
        self.confirmed[str(digest)] = sha256(data).hexdigest()
        return digest

    def url(self, digest: str) -> str:
        self.urls += 1
        return f"https://bucket.invalid/{digest}?signature={self.urls}"

    def _urls(self, body: Digests) -> BlobUrls:
        self.sizes.append(len(body.digests))
        return BlobUrls([BlobUrl(one, self.url(one), self.seconds) for one in body.digests if one in self.confirmed])

    def _missing(self, body: ClaimedBlobs) -> Missing:
        self.sizes.append(len(body.blobs))
        absent = [one for one in body.blobs if self.confirmed.get(one.digest) != one.sha256]
        headers = {"x-amz-checksum-sha256": "…"}
        return Missing([Slot(one.digest, self.url(one.digest), headers, self.seconds) for one in absent])

    def _confirm(self, body: ClaimedBlobs) -> Confirmed:
        self.sizes.append(len(body.blobs))
        left: list[str] = []
        for claim in body.blobs:
            data = self.stored.get(claim.digest)
            if data is None or sha256(data).hexdigest() != claim.sha256:
                left.append(claim.digest)
            else:
                self.confirmed[claim.digest] = claim.sha256
        return Confirmed(left)

    def _relay(self, asked: Asked, digest: str) -> Say:
        if asked.method == "PUT":
            self.stored[digest] = asked.body
            return Say(204)
        return Say(200, self.stored[digest], {"content-type": "application/octet-stream"})


class Relay(UrlPlane):
    """One whose blobs go through itself."""

    def url(self, digest: str) -> str:
        return f"/v1/blobs/{digest}"


class Bucket:
    """Moves blobs to and from what a `UrlPlane` has stored; the next in `faults` are raised instead. `headers` are
    those of all puts, and `most` is how many transfers there were at once."""

    def __init__(self, plane: UrlPlane, *faults: C3Error) -> None:
        self.plane = plane
        self.faults = list(faults)
        self.gets = self.puts = self.now = self.most = 0
        self.urls: list[str] = []
        self.headers: list[Mapping[str, str]] = []

    async def get(self, url: str) -> Buffer:
        self.gets += 1
        await self._moved(url)
        try:
            return self.plane.stored[digest_in(url)]
        except KeyError:
            raise TransferRefusedError("bucket.invalid", "no such key", status=404) from None

    async def put(self, url: str, data: Buffer, headers: Mapping[str, str]) -> None:
        self.puts += 1
        self.headers.append(headers)
        await self._moved(url)
        self.plane.stored[digest_in(url)] = bytes(data)

    async def _moved(self, url: str) -> None:
        self.urls.append(url)
        self.now += 1
        self.most = max(self.most, self.now)
        await trio.lowlevel.checkpoint()
        self.now -= 1
        if self.faults:
            raise self.faults.pop(0)


def digest_in(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]
