"""A job's lease, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import trio

from c3fs.agent import plane
from c3fs.agent.lease import RENEW_EVERY
from c3fs.agent.plane import RENEW_WITHIN, HttpJob
from c3fs.api.client import open_client
from c3fs.core.job import JobState
from c3fs.errors import DeadlineError
from c3fs.registry.queue import LEASE_SECONDS
from tests.support.answers import HANG, answering, fine
from tests.support.records import make_job


async def test_a_renewal_that_is_not_answered_leaves_time_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection may lead nowhere, and the next one to a control plane."""
    assert 3 * (RENEW_WITHIN + RENEW_EVERY) <= LEASE_SECONDS
    monkeypatch.setattr(plane, "RENEW_WITHIN", 0.2)
    job = make_job(1)
    facts = {"id": job.id, "project": job.project, "name": job.name, "spec": job.spec, "source": None, "agent": "a"}
    never = {"reason": None, "exit_code": None, "started": None, "finished": None, "cancel_requested": None}
    record = {**facts, **never, "state": "RUNNING", "created": datetime(2026, 1, 2, tzinfo=UTC), "inputs": ()}
    async with (
        answering(HANG, fine({"job": record, "seconds": 30.0})) as answers,
        open_client(answers.remote) as client,
    ):
        ours = HttpJob(client, job.id, "0123456789abcdef")
        with trio.fail_after(5):
            with pytest.raises(DeadlineError):
                await ours.renew()
            assert (await ours.renew()).state is JobState.RUNNING
