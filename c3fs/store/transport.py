"""Moves blobs by URL, as the clients of a control plane do: GET and PUT, and nothing that knows of S3.

Each transfer is one hop to a worker thread, which sends and receives on a connection of its own (c3fs.store.connection)
and keeps it for the next. At most `connections` at once; others wait for a place in the order they came. Redirects are
not followed, for a signature holds for one host, and no proxy is used: HTTP_PROXY and HTTPS_PROXY are not looked at.

The standard library's http.client does the work. Eight connections to SeaweedFS 4.48 on the same two cores, which are
busy with other things, verified with BLAKE3 as Verified does; get of 256 blobs of 4 MiB and 4,000 of 64 KiB, put of 96
and 1,500; medians of 5 runs, interleaved with `curl -Z --parallel-max 8 -K urls`. "late" is the 99th percentile of how
late a trio.sleep(0.001) ends beside it, which is 8-16 ms where all the process does is wait for curl; "CPU" is the
client's, in s/GB. Compare within a row of runs only:

                        get 4 MiB                 get 64 KiB          put 4 MiB    put 64 KiB
                    MB/s  of curl late  CPU     blobs/s  of curl     MB/s of curl  blobs/s of curl
    curl             568    100 %   11  0.30      1168    100 %        83   100 %     463   100 %
    here             487     86 %   20  0.84       924     79 %        91   110 %     420    91 %
    obstore          489     86 %    9  0.99       983     84 %        74    89 %     362    78 %
    curl             333    100 %   17  0.30       631    100 %
    here             300     90 %   38  0.87       714    113 %
    pycurl 7.49      297     89 %   36  1.01       653    104 %        77    94 %     371    80 %
    pyqwest 0.12     196     59 %   31  1.33       683    108 %
    urllib3 2.8      220     66 %   45  1.18       565     90 %
    curl             577    100 %   10  0.30      1219    100 %
    pyreqwest 0.15   432     75 %   17  0.98       959     79 %

obstore, which is here to compare with, cannot do it: a store of its own kind percent-encodes what is behind the "?",
and one made of the whole URL is a client, and a connection, for each blob, that can send no header of ours. pycurl
would be one more package, with a second OpenSSL, for less; pyqwest and pyreqwest are young, and bound what they read
only when they stream, which is slower (pyqwest: 296 MB/s for 412); urllib3 is a layer over http.client. Sockets without
http.client are as fast as with it; reading a blob in one call (MSG_WAITALL) into a mapping of its own was slower. What
limits small blobs is the server: one costs the client 0.27 ms of CPU besides the hop, mostly for headers.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from functools import partial
from http.client import HTTPException
from typing import Final, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from c3fs.core.digest import Buffer
from c3fs.errors import C3Error, DeadlineError, TransferRefusedError, TransferUnavailableError
from c3fs.store.connection import CONNECT_WITHIN, STALL, Connection, LostError, Range, Target
from c3fs.store.urlerrors import from_exception

CONNECTIONS_MAX: Final = 16
TRANSFER_WITHIN: Final = 240.0
"""Seconds one transfer may take: 4 MiB at 18 kB/s, one of several that share a slow line. One that does not move at all
ends after STALL."""

T = TypeVar("T")


class UrlTransport:
    """Any number of tasks may call it; it belongs to one event loop.

    `get` and `put` raise what c3fs.store.urlerrors says, and DeadlineError after `within` seconds, of which waiting for
    a place is no part. A URL is a secret: none is in an error, a repr or a log. Cancelling a call ends its connection
    at once; the thread follows, and reads nothing of `data` that would reach the server.
    """

    def __init__(
        self,
        *,
        connections: int = CONNECTIONS_MAX,
        within: float = TRANSFER_WITHIN,
        connect: float = CONNECT_WITHIN,
        stall: float = STALL,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`connect` is for making a connection, `stall` for the next byte, both in seconds; `tls` says whom to trust,
        the system's authorities if it is None."""
        self._places = anyio.CapacityLimiter(connections)
        self._threads = anyio.CapacityLimiter(2 * connections)
        self._within, self._connect, self._stall = within, connect, stall
        self._tls = tls
        self._kept: list[tuple[tuple[str, str], Connection]] = []
        self._busy: set[Connection] = set()
        self._closed = False

    def __repr__(self) -> str:
        return f"<UrlTransport {len(self._busy)} busy, {len(self._kept)} kept>"

    async def get(self, url: str, *, size: int | None = None, offset: int = 0) -> Buffer:
        """The bytes at `url`, or `size` of them from `offset`, in a buffer that the caller owns; never more than
        BLOB_MAX, whatever the server says. What it has less of than was asked for is a TransferRefusedError."""
        assert size != 0
        target = Target.parse(url)
        part = None if size is None and not offset else Range(offset, size)
        data = await self._move(target, lambda connection: connection.get(target, part))
        if size is not None and len(data) != size:
            raise TransferRefusedError(target.place, f"has {len(data)} of the {size} bytes that were asked for")
        return data

    async def put(self, url: str, data: Buffer, headers: Mapping[str, str], *, method: str = "PUT") -> None:
        """Send `data` with these headers; Host and Content-Length are what they must be, whatever `headers` says.
        It may be sent twice: the server must take the same bytes again."""
        target = Target.parse(url)
        await self._move(target, lambda connection: connection.put(target, headers, data, method))

    async def aclose(self) -> None:
        """End all connections. Transfers under way raise TransferUnavailableError, as do those that begin later."""
        self._closed = True
        for connection in self._busy:
            connection.abort()
        while self._kept:
            self._kept.pop()[1].close()
        await anyio.lowlevel.checkpoint()

    # --- one transfer

    async def _move(self, target: Target, work: Callable[[Connection], T]) -> T:
        async with self._places:
            with anyio.move_on_after(self._within):
                try:
                    return await self._once(target, work, self._taken(target))
                except LostError:
                    return await self._once(target, work, None)
        raise DeadlineError(f"a transfer with {target.place}", self._within)

    async def _once(self, target: Target, work: Callable[[Connection], T], kept: Connection | None) -> T:
        tls = await self._trust() if target.scheme == "https" else None
        if self._closed:
            raise TransferUnavailableError(target.place, "the transport is closed")
        connection = kept or Connection(target, tls, connect=self._connect, stall=self._stall)
        self._busy.add(connection)
        try:
            done = await anyio.to_thread.run_sync(
                partial(_guarded, target.place, connection, work), abandon_on_cancel=True, limiter=self._threads
            )
        except anyio.get_cancelled_exc_class():
            connection.abort()
            raise
        finally:
            self._busy.discard(connection)
        if connection.is_kept:
            self._keep(target, connection)
        if isinstance(done, _Failed):
            raise done.error
        return done

    async def _trust(self) -> ssl.SSLContext:
        """Reading the system's authorities takes some ten milliseconds."""
        if self._tls is None:
            self._tls = await anyio.to_thread.run_sync(ssl.create_default_context, limiter=self._threads)
        return self._tls

    def _taken(self, target: Target) -> Connection | None:
        """The connection that was used last, so that those nobody needs grow old."""
        for at in range(len(self._kept) - 1, -1, -1):
            if self._kept[at][0] == target.origin:
                connection = self._kept.pop(at)[1]
                if not connection.is_stale():
                    return connection
                connection.close()
        return None

    def _keep(self, target: Target, connection: Connection) -> None:
        if self._closed:
            connection.close()
            return
        self._kept.append((target.origin, connection))
        if len(self._kept) > self._places.total_tokens:
            self._kept.pop(0)[1].close()


class _Failed:
    def __init__(self, error: Exception) -> None:
        self.error = error


def _guarded(place: str, connection: Connection, work: Callable[[Connection], T]) -> T | _Failed:
    """In the thread: a connection on which something went wrong does not outlive it. Errors are told and not raised,
    for those of the library hold what was sent."""
    try:
        connection.begin()
        return work(connection)
    except C3Error as error:
        return _Failed(error)
    except LostError as error:
        failed = _Failed(error)
    except (OSError, HTTPException) as error:
        failed = _Failed(from_exception(place, error))
    finally:
        connection.end()
    connection.close()
    return failed
