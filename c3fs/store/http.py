"""The store of a control plane: it says where blobs are, and the bytes go there directly.

get   asks for URLs, many in one request (`gathered`), and keeps each until shortly before its time is over. How long
      that is the control plane says as a duration, which is counted from before it was asked: no clocks are compared.
      A transfer that is told all the same that its URL has expired asks for another, twice at most.
put   goes to the slot that `missing` was given, asks for one if there is none any more, and is done when the control
      plane has confirmed that the blob is there with the right size and SHA-256: many in one request, again. What was
      not sent because it is there already, and what was refused because somebody else put the same (409, 412, 429),
      is settled by the same confirmation.
missing  needs the SHA-256 of the bytes, which S3 vouches for and which takes 2 ms a blob, in a thread.

A URL that begins with / is the control plane's own, and is called with the key; any other gets what the slot says and
never the key. URLs are secrets as long as they are good: they are in no error, repr or line of a log.

Cancelling a put leaves a blob that was sent and is not confirmed: nobody has it, and the control plane's gc takes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Protocol

import trio

from c3fs.api.client import ApiClient, Request
from c3fs.api.messages import (
    BATCH_MAX,
    VERSION,
    BlobUrls,
    Claim,
    ClaimedBlobs,
    Complaint,
    Confirmed,
    Digests,
    Missing,
)
from c3fs.core.digest import Buffer, Digest
from c3fs.errors import (
    BlobMissingError,
    C3Error,
    ConflictError,
    RateLimitedError,
    StoreUnavailableError,
    TransferRefusedError,
    TransferUnavailableError,
    UrlExpiredError,
)
from c3fs.store.gathered import Gathered
from c3fs.store.remembered import Remembered

URLS_MAX: Final = 20_000
"""URLs kept, half a kilobyte each: those of 80 GB."""
SLOTS_MAX: Final = 4_000
"""Slots kept: many times what `publish` asks for before it puts."""
MARGIN: Final = 0.1
MARGIN_MAX: Final = 30.0
"""A URL is not used in the last tenth of its time, or the last half minute: a transfer must have begun by then."""
RENEWALS_MAX: Final = 2
BLOB_WITHIN: Final = 240.0
"""Seconds for a blob that goes through the control plane: 4 MiB at 18 kB/s, one of several that share a slow line."""
STALL: Final = 30.0
"""Seconds in which something of it must move."""


class Transport(Protocol):
    """Moves the bytes of one blob; see c3fs.store.transport."""

    async def get(self, url: str) -> Buffer: ...

    async def put(self, url: str, data: Buffer, headers: Mapping[str, str]) -> None: ...


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a blob is got from, or put; the URL is a secret."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    seconds: float
    sha256: str = ""


class HttpStore:
    """Behind c3fs.store.base.Store. What it gets must be verified, like that of any store."""

    def __init__(self, client: ApiClient, transport: Transport) -> None:
        self._client = client
        self._transport = transport
        self._urls: Remembered[Digest, _Place] = Remembered(URLS_MAX)
        self._slots: Remembered[Digest, _Place] = Remembered(SLOTS_MAX)
        self._asked: Gathered[Digest, _Place] = Gathered(self._ask_urls, BATCH_MAX)
        self._confirmed: Gathered[Claim, bool] = Gathered(self._ask_confirmed, BATCH_MAX)

    def __repr__(self) -> str:
        return f"HttpStore({self._client!r}, {self._transport!r}, {len(self._urls)} URLs)"

    async def get(self, digest: Digest) -> Buffer:
        for left in reversed(range(RENEWALS_MAX + 1)):
            place = self._urls.get(digest) or await self._asked.get(digest)
            if place is None:
                raise BlobMissingError(str(digest))
            try:
                return await self._fetch(digest, place)
            except UrlExpiredError:
                self._urls.forget(digest)
                if not left:
                    raise
        raise AssertionError("every turn returns or raises")

    async def put(self, digest: Digest, data: Buffer) -> None:
        place = self._slots.take(digest)
        told = place.sha256 if place else await _sha256(data)
        claim = Claim(str(digest), len(data), told)
        for left in reversed(range(RENEWALS_MAX + 1)):
            place = place or await self._ask_slot(digest, claim)
            if place is None:
                return
            try:
                await self._send(digest, place, data)
            except UrlExpiredError:
                if not left:
                    raise
                place = None
                continue
            except (ConflictError, RateLimitedError, TransferUnavailableError) as error:
                if not _may_be_there(error) or not await self._confirmed.get(claim):
                    raise
                return
            if not await self._confirmed.get(claim):
                raise StoreUnavailableError(f"blob {digest} was put, and is not there")
            return

    async def missing(self, blobs: Mapping[Digest, Buffer]) -> set[Digest]:
        claims = await trio.to_thread.run_sync(_claims, blobs)
        missing: set[Digest] = set()
        for at in range(0, len(claims), BATCH_MAX):
            missing |= await self._ask_missing(claims[at : at + BATCH_MAX])
        return missing

    async def complain(self, digest: Digest) -> bool:
        """Say that what was got is corrupt: whether it was, and is gone."""
        self._urls.forget(digest)
        request = Request("POST", f"/blobs/{digest}/complaint", repeatable=True)
        return (await self._client.call(request, Complaint)).removed

    # --- bytes

    async def _fetch(self, digest: Digest, place: _Place) -> Buffer:
        if place.url.startswith("/"):
            path = place.url.removeprefix(VERSION)
            return await self._client.read(Request("GET", path, repeatable=True, within=BLOB_WITHIN, stall=STALL))
        try:
            return await self._transport.get(place.url)
        except TransferRefusedError as error:
            if error.status != 404:
                raise
            self._urls.forget(digest)
            raise BlobMissingError(str(digest)) from error

    async def _send(self, digest: Digest, place: _Place, data: Buffer) -> None:
        if place.url.startswith("/"):
            path = place.url.removeprefix(VERSION)
            request = Request("PUT", path, body=data, repeatable=True, within=BLOB_WITHIN, stall=STALL)
            await self._client.tell(request)
            return
        await self._transport.put(place.url, data, place.headers)

    # --- questions

    async def _ask_urls(self, digests: list[Digest]) -> dict[Digest, _Place]:
        now = trio.current_time()
        request = Request("POST", "/blobs/urls", body=Digests([str(digest) for digest in digests]), repeatable=True)
        told = (await self._client.call(request, BlobUrls)).urls
        places = {Digest.parse(one.digest): _Place(one.url, {}, one.seconds) for one in told}
        for digest, place in places.items():
            self._urls.keep(digest, place, until=now + _usable(place.seconds))
        return places

    async def _ask_slot(self, digest: Digest, claim: Claim) -> _Place | None:
        await self._ask_missing([claim])
        return self._slots.take(digest)

    async def _ask_missing(self, claims: list[Claim]) -> set[Digest]:
        if not claims:
            return set()
        now = trio.current_time()
        request = Request("POST", "/blobs/missing", body=ClaimedBlobs(claims), repeatable=True)
        told = (await self._client.call(request, Missing)).missing
        sums = {claim.digest: claim.sha256 for claim in claims}
        for slot in told:
            place = _Place(slot.url, slot.headers, slot.seconds, sums.get(slot.digest, ""))
            self._slots.keep(Digest.parse(slot.digest), place, until=now + _usable(slot.seconds))
        return {Digest.parse(slot.digest) for slot in told}

    async def _ask_confirmed(self, claims: list[Claim]) -> dict[Claim, bool]:
        request = Request("POST", "/blobs/confirm", body=ClaimedBlobs(claims), repeatable=True)
        absent = set((await self._client.call(request, Confirmed)).missing)
        return {claim: claim.digest not in absent for claim in claims}


def _may_be_there(error: C3Error) -> bool:
    """Whether somebody else's identical put may be why it was refused."""
    return not isinstance(error, TransferUnavailableError) or error.status in (409, 412, 429)


def _usable(seconds: float) -> float:
    return seconds - min(MARGIN * seconds, MARGIN_MAX)


def _claims(blobs: Mapping[Digest, Buffer]) -> list[Claim]:
    return [Claim(str(digest), len(data), sha256(data).hexdigest()) for digest, data in blobs.items()]


async def _sha256(data: Buffer) -> str:
    return await trio.to_thread.run_sync(lambda: sha256(data).hexdigest())
