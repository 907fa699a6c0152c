"""Logs of jobs: appended in pieces, read from anywhere, full at some length."""

from __future__ import annotations

import tracemalloc
from typing import Final

import pytest
import trio
from hypothesis import given, settings, strategies as st

from c3fs.errors import JobNotFoundError, LogOffsetError
from c3fs.registry.control import LOG_MAX, ControlDatabase
from c3fs.registry.joblogs import FULL, PIECE_MAX, JobLogs
from tests.support.control import ACCOUNT, OTHER, add_accounts, enqueue
from tests.support.records import job_id

JOB: Final = job_id(1)
MIB: Final = 1 << 20


async def start(control: ControlDatabase) -> JobLogs:
    await add_accounts(control)
    await enqueue(control, [1, 2])
    return control.logs(ACCOUNT)


async def whole(logs: JobLogs, limit: int = MIB) -> bytes:
    """Everything, read `limit` bytes at a time."""
    found = b""
    while piece := await logs.read(JOB, len(found), limit):
        assert len(piece) <= limit
        found += piece
    return found


async def test_pieces_are_read_as_one_log(control: ControlDatabase) -> None:
    logs = await start(control)
    assert await logs.end(JOB) == 0
    assert await logs.read(JOB, 0, 10) == b""
    pieces = [b"hello\n", b"w\xc3", b"\xb6rld\0\xff\r", b"\n", b"x" * (3 * PIECE_MAX + 5)]
    end = 0
    for piece in pieces:
        assert await logs.append(JOB, end, piece) == end + len(piece)
        end += len(piece)
    assert await logs.end(JOB) == end
    log = b"".join(pieces)
    for limit in (PIECE_MAX - 1, MIB):
        assert await whole(logs, limit) == log
    for offset, limit in ((0, 8), (5, 4), (7, 1), (10, 2 * PIECE_MAX), (end - 1, 10), (end, 10), (end + 5, 10), (3, 0)):
        assert await logs.read(JOB, offset, limit) == log[offset : offset + limit]
    assert await logs.end(job_id(2)) == 0


async def test_a_piece_may_be_sent_again(control: ControlDatabase) -> None:
    logs = await start(control)
    assert await logs.append(JOB, 0, b"one two") == 7
    assert await logs.append(JOB, 0, b"one two") == 7
    assert await logs.append(JOB, 4, b"two") == 7
    # It has grown meanwhile.
    assert await logs.append(JOB, 4, b"two three") == 13
    assert await logs.append(JOB, 2, b"e") == 13
    assert await logs.append(JOB, 13, b"") == 13
    assert await logs.append(JOB, 3, b"") == 13
    assert await whole(logs) == b"one two three"


async def test_a_piece_that_leaves_a_gap_is_refused(control: ControlDatabase) -> None:
    logs = await start(control)
    await logs.append(JOB, 0, b"one")
    for piece in (b"", b"x"):
        with pytest.raises(LogOffsetError) as caught:
            await logs.append(JOB, 4, piece)
        assert (caught.value.job_id, caught.value.end) == (JOB, 3)
    assert await whole(logs) == b"one"


async def test_a_job_that_is_not_there_has_no_log(control: ControlDatabase) -> None:
    await start(control)
    for logs, job in ((control.logs(ACCOUNT), job_id(3)), (control.logs(OTHER), JOB)):
        for call in (
            lambda logs=logs, job=job: logs.append(job, 0, b"x"),
            lambda logs=logs, job=job: logs.read(job, 0, 1),
            lambda logs=logs, job=job: logs.end(job),
            lambda logs=logs, job=job: logs.tail(job, 1),
        ):
            with pytest.raises(JobNotFoundError, match=job):
                await call()


@pytest.mark.parametrize(
    ("log", "begins"),
    [
        (b"", {0: 0, 1: 0, 5: 0}),
        (b"a", {0: 1, 1: 0, 2: 0}),
        (b"a\n", {0: 2, 1: 0, 2: 0}),
        (b"\n", {1: 0, 2: 0}),
        (b"a\nbc\nd", {1: 5, 2: 2, 3: 0, 4: 0}),
        (b"a\nbc\nd\n", {1: 5, 2: 2, 3: 0, 4: 0}),
        (b"a\n\n\n", {1: 3, 2: 2, 3: 0}),
    ],
)
@pytest.mark.parametrize("step", [1, 2, 100])
async def test_the_last_lines(control: ControlDatabase, log: bytes, begins: dict[int, int], step: int) -> None:
    logs = await start(control)
    for at in range(0, len(log), step):
        await logs.append(JOB, at, log[at : at + step])
    assert {lines: await logs.tail(JOB, lines) for lines in begins} == begins


PIECES = st.lists(st.binary(max_size=12).map(lambda piece: piece.replace(b"\x01", b"\n")), max_size=12)


def last_lines(log: bytes, lines: int) -> bytes:
    kept = [line + b"\n" for line in log.split(b"\n")]
    # What follows the last end of a line is a line if there is something; it has no end.
    last = kept.pop()[:-1]
    if last:
        kept.append(last)
    return b"".join(kept[max(0, len(kept) - lines) :])


def test_any_pieces(control: ControlDatabase) -> None:
    trio.run(start, control)
    logs = control.logs(ACCOUNT)
    model = bytearray()

    @settings(max_examples=40, deadline=None, database=None)
    @given(PIECES, st.integers(0, 30), st.integers(0, 10))
    def check(pieces: list[bytes], back: int, lines: int) -> None:
        trio.run(append_all, pieces, back, lines)

    async def append_all(pieces: list[bytes], back: int, lines: int) -> None:
        for piece in pieces:
            at = max(0, len(model) - back)
            sent = bytes(model[at:]) + piece
            model.extend(piece)
            assert await logs.append(JOB, at, sent) == len(model)
        assert await logs.read(JOB, max(0, len(model) - 50), 40) == model[max(0, len(model) - 50) :][:40]
        tail = last_lines(bytes(model), lines)
        assert await logs.tail(JOB, lines) == len(model) - len(tail)

    check()


async def test_who_appends_at_once_appends_once(control: ControlDatabase) -> None:
    logs = await start(control)

    async def send() -> None:
        for at in range(20):
            await logs.append(JOB, at * 10, b"%09d\n" % at)

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(send)
    assert await whole(logs) == b"".join(b"%09d\n" % at for at in range(20))


async def test_a_full_log(control: ControlDatabase) -> None:
    logs = await start(control)
    line = b"%07d\n"
    end = 0
    while end < LOG_MAX - MIB:
        end = await logs.append(JOB, end, b"".join(line % number for number in range(end // 8, (end + MIB) // 8)))
    last = LOG_MAX - len(FULL) - end
    assert await logs.append(JOB, end, b"y" * last) == LOG_MAX - len(FULL)
    assert await logs.append(JOB, end, b"y" * last) == LOG_MAX - len(FULL)
    assert await logs.append(JOB, end, b"y" * (last + 1)) == LOG_MAX == await logs.end(JOB)
    for offset in (0, LOG_MAX, 2 * LOG_MAX):
        assert await logs.append(JOB, offset, b"z" * 100) == LOG_MAX
    assert (await logs.read(JOB, LOG_MAX - 100, 1000)).endswith(b"yyy" + FULL)
    begin = await logs.tail(JOB, 1)
    assert b"the log is full" in await logs.read(JOB, begin, 1000)
    assert await logs.read(JOB, 8 * 1000, 8) == line % 1000
    # Neither the end nor a piece takes the whole log.
    tracemalloc.start()
    try:
        for call in (logs.tail(JOB, 1000), logs.read(JOB, 32 * MIB, 64 << 10), logs.end(JOB)):
            await call
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    finally:
        tracemalloc.stop()


async def test_a_piece_that_is_larger_than_what_is_left(control: ControlDatabase) -> None:
    logs = await start(control)
    assert await logs.append(JOB, 0, b"x" * (LOG_MAX + 10)) == LOG_MAX
    assert (await logs.read(JOB, LOG_MAX - len(FULL) - 3, 1000)) == b"xxx" + FULL
