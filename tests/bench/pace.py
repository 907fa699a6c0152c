"""Requests at an even rate: each is due at its own moment, and its time counts from there (no coordinated omission)."""

from __future__ import annotations

from typing import Final

import h11
import trio

CONNECTIONS: Final = 32


async def paced(host: str, port: int, request: bytes, rate: float, seconds: float) -> list[float]:
    """The seconds each answer took since its request was due. Anything but 200 is an error."""
    count = int(rate * seconds)
    took: list[float] = []
    sending, receiving = trio.open_memory_channel[float](count)
    begin = trio.current_time() + 0.1
    for number in range(count):
        sending.send_nowait(begin + number / rate)
    sending.close()

    async def work() -> None:
        stream = await trio.open_tcp_stream(host, port)
        async with stream:
            async for due in receiving:
                await trio.sleep_until(due)
                await stream.send_all(request)
                await _answer(stream)
                took.append(trio.current_time() - due)

    async with trio.open_nursery() as nursery:
        for _ in range(CONNECTIONS):
            nursery.start_soon(work)
    return took


async def _answer(stream: trio.SocketStream) -> None:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "bench")]))
    connection.send(h11.EndOfMessage())
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive_some())
        elif isinstance(event, h11.Response):
            assert event.status_code == 200, event
        elif isinstance(event, h11.EndOfMessage):
            return
