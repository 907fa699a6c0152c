"""The time as a server has it, for who signs requests to it: S3 refuses what was signed with a clock that is 15 minutes
off, and this machine's may be.

Every HTTP answer says when it was made, to the second. From one, and the monotonic clock, `ServerClock` has the time
from then on: setting this machine's clock, forwards or back, changes nothing. It is asked again every EVERY seconds,
for two quartzes part, and when somebody who was refused `doubt`s it. An answer that took long says little and is not
believed. Until there is one, and when none can be had, this machine's own time is as good as any.

What is asked is a HEAD of the server's root without a signature, so that no clock matters; it is refused, with a date.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from c3fs.errors import C3Error, TransferUnavailableError
from c3fs.store.urlerrors import from_exception

log = logging.getLogger(__name__)

EVERY: Final = 600.0
"""Seconds: a quartz that is wrong by 100 ppm is 60 ms off by then, and a machine that slept is found out."""
DOUBTED_EVERY: Final = 5.0
"""Seconds between two questions at the least."""
WITHIN: Final = 5.0
"""Seconds an answer may take."""
REMARKABLE: Final = 60.0
"""Seconds that this machine's clock may be off before it is worth a line in the log."""


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Reading:
    """The server's time at a moment of the monotonic clock; `error` is how far it may be off, in seconds."""

    time: datetime
    tick: float
    error: float

    @classmethod
    def of(cls, date: str | None, sent: float, came: float) -> Reading | None:
        """What an answer's Date says that was asked for and came at these moments; None if it says nothing.

        The second that it names had begun, and the answer was made somewhere between.
        """
        try:
            said = parsedate_to_datetime(date or "")
        except ValueError:
            return None
        if said.tzinfo is None:
            return None
        return cls(said.astimezone(UTC) + timedelta(seconds=0.5), (sent + came) / 2, 0.5 + (came - sent) / 2)

    def at(self, tick: float) -> datetime:
        return self.time + timedelta(seconds=tick - self.tick)


class ServerClock:
    """`local` and `tick` are this machine's clocks. Any thread may ask it for `now`."""

    def __init__(
        self,
        endpoint: str,
        *,
        local: Callable[[], datetime] = utc_now,
        tick: Callable[[], float] = time.monotonic,
        every: float = EVERY,
    ) -> None:
        self._endpoint = endpoint
        self._local = local
        self._tick = tick
        self._every = every
        self._reading: Reading | None = None
        self._doubted = anyio.Event()
        self._tls: ssl.SSLContext | None = None

    def __repr__(self) -> str:
        return f"<ServerClock of {self._endpoint}: {self.offset:+.1f} s>"

    @property
    def offset(self) -> float:
        """Seconds by which the server is ahead of this machine."""
        return (self.now() - self._local()).total_seconds()

    def now(self) -> datetime:
        return self._local() if self._reading is None else self._reading.at(self._tick())

    def doubt(self) -> None:
        """Ask again soon. From the event loop's thread."""
        self._doubted.set()

    async def learn(self) -> None:
        """Ask the server. Raises TransferUnavailableError or TransferRefusedError, and believes what it believed."""
        before = self.offset
        with anyio.move_on_after(2 * WITHIN):
            self._believe(await anyio.to_thread.run_sync(self._ask, abandon_on_cancel=True))
            if abs(self.offset - before) > REMARKABLE:
                log.warning("%s has a time that differs by %+.0f s from ours; using that", self._place, self.offset)
            return
        raise TransferUnavailableError(self._place, "does not tell its time")

    async def refresh(self) -> None:
        """Ask the server; go on with the time known when it does not tell."""
        try:
            await self.learn()
        except C3Error as error:
            log.warning("%s; going on with the time known", error)

    async def keep(self) -> None:
        """Ask again and again, and when there is doubt; ends when it is cancelled."""
        while True:
            await anyio.sleep(min(DOUBTED_EVERY, self._every))
            with anyio.move_on_after(self._every - DOUBTED_EVERY):
                await self._doubted.wait()
            self._doubted = anyio.Event()
            await self.refresh()

    @property
    def _place(self) -> str:
        return urlsplit(self._endpoint).netloc

    def _believe(self, reading: Reading | C3Error) -> None:
        if isinstance(reading, C3Error):
            raise reading
        self._reading = reading

    def _ask(self) -> Reading | C3Error:
        """In a thread. An error is told and not raised: what it was made of is nobody's business."""
        if self._endpoint.startswith("https:"):
            self._tls = self._tls or ssl.create_default_context()
            http = HTTPSConnection(self._place, timeout=WITHIN, context=self._tls)
        else:
            http = HTTPConnection(self._place, timeout=WITHIN)
        try:
            http.connect()
            sent = self._tick()
            http.request("HEAD", "/")
            date = http.getresponse().headers["Date"]
            reading = Reading.of(date, sent, self._tick())
        except (OSError, HTTPException) as error:
            return from_exception(self._place, error)
        finally:
            http.close()
        if reading is None or reading.error > WITHIN:
            return TransferUnavailableError(self._place, "does not tell its time")
        return reading
