"""Single-flight: one fetch per digest, however many ask at once."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.errors import BlobError, C3Error

log = logging.getLogger(__name__)

Fetch = Callable[[Digest], Awaitable[Buffer]]


class _Flight:
    __slots__ = ("data", "error", "landed")

    def __init__(self) -> None:
        self.landed = trio.Event()
        self.data: Buffer | None = None
        self.error: C3Error | None = None


class Flights:
    """Runs `fetch` in `nursery`, at most once at a time for each digest.

    What `fetch` raises goes to everybody who waits: a C3Error as it is, anything else logged and as a BlobError.
    """

    def __init__(self, nursery: trio.Nursery, fetch: Fetch) -> None:
        self._nursery = nursery
        self._fetch = fetch
        self._flights: dict[Digest, _Flight] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def start(self, digest: Digest) -> _Flight:
        """The flight of `digest`, begun if there is none; does not wait."""
        flight = self._flights.get(digest)
        if flight is None:
            flight = self._flights[digest] = _Flight()
            self._nursery.start_soon(self._fly, digest, flight, name=f"fetch {digest!r}")
        return flight

    async def join(self, digest: Digest) -> Buffer:
        """The blob, when its flight has landed. Cancelling the caller leaves the flight alone."""
        flight = self.start(digest)
        await flight.landed.wait()
        if flight.error is not None:
            raise flight.error.with_traceback(None)
        assert flight.data is not None
        return flight.data

    async def _fly(self, digest: Digest, flight: _Flight) -> None:
        try:
            flight.data = await self._fetch(digest)
        except C3Error as error:
            flight.error = error
        except Exception as error:  # a defect must not end the mount: it is an error of this blob
            log.exception("fetching %s: a defect of c3fs", digest)
            flight.error = BlobError(str(digest), f"blob {digest} could not be fetched: {error!r}")
        except trio.Cancelled:
            flight.error = C3Error("the fetcher was stopped")
            raise
        finally:
            del self._flights[digest]
            flight.landed.set()
