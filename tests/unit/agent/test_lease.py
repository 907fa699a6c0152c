"""Keeping a job: renewals that fail, and what they answer."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

from c3fs.agent.joblog import JobLog, open_job_log
from c3fs.agent.lease import RENEW_EVERY, keep_lease
from c3fs.core.job import JobState
from c3fs.errors import C3Error, LeaseLostError, StoreUnavailableError, UnauthorizedError
from c3fs.registry.base import Job
from tests.support.clocks import on_mock_clock
from tests.support.records import make_job

RUNNING = make_job(1, state=JobState.RUNNING)


class Answers:
    """What the renewals come to, the last one for ever."""

    def __init__(self, *answers: Job | C3Error) -> None:
        self.answers = list(answers)
        self.times: list[float] = []

    async def renew(self) -> Job:
        self.times.append(trio.current_time())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, C3Error):
            raise answer
        return answer


@pytest.fixture
def log(tmp_path: Path) -> JobLog:
    return open_job_log(os.fsencode(tmp_path / "log"))


def lines(log: JobLog) -> list[str]:
    text = os.pread(log.fileno(), 1 << 16, 0).decode()
    os.close(log.fileno())
    return text.splitlines()


async def keep(answers: Answers, cancel: trio.Event, log: JobLog, seconds: float = 60) -> float:
    """How long it kept the lease: `seconds`, unless it ended by itself."""
    begun = trio.current_time()
    with trio.move_on_after(seconds):
        await keep_lease(answers.renew, cancel, log)
    return trio.current_time() - begun


def test_it_is_renewed_at_once_and_again_and_again(log: JobLog) -> None:
    @on_mock_clock
    async def run() -> None:
        answers, cancel = Answers(RUNNING), trio.Event()
        await keep(answers, cancel, log)
        assert answers.times[0] == pytest.approx(answers.times[1] - RENEW_EVERY)
        assert len(answers.times) == 60 / RENEW_EVERY
        assert not cancel.is_set()

    run()
    assert lines(log) == []


def test_a_control_plane_that_is_away_is_said_once_and_ends_nothing(log: JobLog) -> None:
    @on_mock_clock
    async def run() -> None:
        away = StoreUnavailableError("refused")
        answers, cancel = Answers(RUNNING, away, away, away, RUNNING), trio.Event()
        assert await keep(answers, cancel, log) == pytest.approx(60)
        assert not cancel.is_set()

    run()
    assert lines(log) == [
        "c3: warning: the control plane does not answer, and the job goes on: refused",
        "c3: the control plane answers again",
    ]


def test_a_cancel_is_passed_on_and_the_lease_kept_for_the_upload(log: JobLog) -> None:
    @on_mock_clock
    async def run() -> None:
        asked = replace(RUNNING, cancel_requested=datetime.now(UTC))
        answers, cancel = Answers(RUNNING, asked), trio.Event()
        assert await keep(answers, cancel, log) == pytest.approx(60)
        assert cancel.is_set()

    run()
    assert lines(log) == ["c3: somebody asked for the job's end"]


@pytest.mark.parametrize(
    "answer", [LeaseLostError(RUNNING.id), UnauthorizedError(), replace(RUNNING, state=JobState.FAILED)]
)
def test_a_job_that_is_not_ours_any_more_is_ended_here_too(log: JobLog, answer: Job | C3Error) -> None:
    @on_mock_clock
    async def run() -> None:
        answers, cancel = Answers(RUNNING, answer), trio.Event()
        assert await keep(answers, cancel, log) == pytest.approx(RENEW_EVERY)
        assert cancel.is_set()

    run()
    assert len(lines(log)) == 1
