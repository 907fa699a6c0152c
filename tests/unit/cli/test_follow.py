"""Following a log from afar."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from c3fs.api.client import open_client
from c3fs.cli.follow import follow
from c3fs.cli.joblogs import RemoteLog
from c3fs.core.job import JobState
from c3fs.core.retry import Retry
from c3fs.errors import StoreUnavailableError
from c3fs.registry.http import HttpRegistry
from tests.support.answers import Say, answering, fine, refused
from tests.support.records import make_job

ONCE = Retry(tries=1, first=0.0, longest=0.0)
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AWAY = refused(StoreUnavailableError("busy"))


def record(state: JobState) -> Say:
    job = make_job(1)
    facts = {"id": job.id, "project": job.project, "name": job.name, "spec": job.spec, "source": None}
    never = {"reason": None, "exit_code": None, "started": None, "finished": None, "cancel_requested": None}
    return fine({**facts, **never, "inputs": (), "state": state.value, "created": AT, "agent": None})


async def test_a_control_plane_that_is_away_loses_and_doubles_nothing(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("c3fs.cli.follow.ASK_EVERY", 0.0)
    first = [record(JobState.RUNNING), Say(200, b"one\n"), AWAY, AWAY]
    second = [record(JobState.RUNNING), AWAY, record(JobState.SUCCEEDED), Say(200, b"two\n"), Say(200, b"")]
    async with answering(*first, *second) as answers, open_client(answers.remote, ONCE) as client:
        job = make_job(1)
        written = os.memfd_create("log")
        ended = await follow(HttpRegistry(client), job, RemoteLog(client, job.id), written)
    assert os.pread(written, 100, 0) == b"one\ntwo\n"
    os.close(written)
    assert ended.state is JobState.SUCCEEDED
    said = capfd.readouterr().err
    assert said == "c3: busy; still trying\nc3: it answers again\n"
