"""Sending a log on while it is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from c3fs.agent.shipping import FINISH_WITHIN, PIECE, LogShipper, Shipped
from c3fs.errors import C3Error, LogOffsetError, StoreUnavailableError, UnauthorizedError
from tests.support.clocks import on_mock_clock


class Receiver:
    """Takes pieces as the control plane does; some calls fail, some after they have been carried out."""

    def __init__(self, limit: int = 1 << 30) -> None:
        self.data = bytearray()
        self.limit = limit
        self.faults: list[C3Error] = []
        self.lost: list[C3Error] = []
        self.calls = 0

    async def append(self, offset: int, piece: bytes) -> Shipped:
        self.calls += 1
        await trio.lowlevel.checkpoint()
        if self.faults:
            raise self.faults.pop(0)
        if offset > len(self.data):
            raise LogOffsetError("job_1_aaaaaa", len(self.data))
        self.data[offset:] = piece
        del self.data[self.limit :]
        if self.lost:
            raise self.lost.pop(0)
        return Shipped(len(self.data), full=len(self.data) == self.limit)


def write(path: Path, data: bytes) -> None:
    with open(path, "ab") as file:
        file.write(data)


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7])
async def test_all_of_it_arrives(tmp_path: Path, size: int) -> None:
    receiver, data = Receiver(), os.urandom(size)
    write(tmp_path / "log", data)
    await LogShipper(str(tmp_path / "log"), receiver.append).finish()
    assert receiver.data == data
    assert receiver.calls == -(-size // PIECE)


async def test_there_may_be_no_log_yet(tmp_path: Path) -> None:
    receiver = Receiver()
    shipper = LogShipper(str(tmp_path / "log"), receiver.append)
    await shipper.finish()
    write(tmp_path / "log", b"late\n")
    await shipper.finish()
    assert receiver.data == b"late\n"


def test_what_is_written_meanwhile_follows_and_faults_only_delay_it(tmp_path: Path) -> None:
    @on_mock_clock
    async def run() -> None:
        receiver = Receiver()
        receiver.faults = [StoreUnavailableError("away")] * 3
        receiver.lost = [StoreUnavailableError("answer lost")] * 3
        shipper = LogShipper(str(tmp_path / "log"), receiver.append)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(shipper.run)
            for number in range(50):
                write(tmp_path / "log", b"line %d\n" % number)
                await trio.sleep(0.1)
            await shipper.finish()
            nursery.cancel_scope.cancel()
        assert receiver.data == (tmp_path / "log").read_bytes()

    run()


def test_a_receiver_that_lost_the_end_is_sent_it_again(tmp_path: Path) -> None:
    @on_mock_clock
    async def run() -> None:
        receiver = Receiver()
        shipper = LogShipper(str(tmp_path / "log"), receiver.append)
        write(tmp_path / "log", b"first\nsecond\n")
        await shipper.finish()
        del receiver.data[6:]
        write(tmp_path / "log", b"third\n")
        await shipper.finish()
        assert receiver.data == b"first\nsecond\nthird\n"

    run()


@pytest.mark.parametrize("error", [StoreUnavailableError("away"), UnauthorizedError()])
def test_the_end_of_a_job_does_not_wait_for_ever(tmp_path: Path, error: C3Error) -> None:
    @on_mock_clock
    async def run() -> None:
        receiver = Receiver()
        receiver.faults = [error] * 10_000
        write(tmp_path / "log", b"lost\n")
        begun = trio.current_time()
        await LogShipper(str(tmp_path / "log"), receiver.append).finish()
        assert trio.current_time() - begun <= FINISH_WITHIN + 1

    run()


async def test_a_full_log_is_left_at_that(tmp_path: Path) -> None:
    receiver = Receiver(limit=10)
    write(tmp_path / "log", bytes(100))
    shipper = LogShipper(str(tmp_path / "log"), receiver.append)
    with trio.fail_after(5):
        await shipper.run()
    assert len(receiver.data) == 10
    assert receiver.calls == 1
