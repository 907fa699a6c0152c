"""Jobs over HTTP: queue, lease, log, cancel, and requests that wait."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from c3fs.api.messages import LOG_PIECE_MAX, JobRecord, Lease, Move, Renew, Renewed, Take
from c3fs.core.job import JobState
from c3fs.server import news as news_module
from tests.support.plane import job_id, new_job, world

ATTEMPT = "0123456789abcdef"
SOON = 10.0
"""Seconds that a waiting request may take to be woken, on a machine that is busy."""


async def test_the_life_of_a_job(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        agent = await made.agent()
        assert (await agent.post("queue/take", Take("here", ATTEMPT))).status == 204
        queued = await made.queue(1)
        assert queued.state is JobState.PENDING
        record, job = await made.take(agent, ATTEMPT)
        assert (record.id, record.state, record.agent) == (job_id(1), JobState.SCHEDULING, "somewhere")
        again, second = await made.take(agent, ATTEMPT)
        assert again.id == record.id
        assert (await agent.post("queue/take", Take("there", "f" * 16))).status == 204
        for client in (job, second):
            assert (await client.get("me")).json["name"] == job_id(1)
        renewed = (await job.post(f"jobs/{job_id(1)}/lease", Renew(ATTEMPT))).as_(Renewed)
        assert renewed.seconds > 0
        assert (await job.post(f"jobs/{job_id(1)}/lease", Renew("f" * 16))).code == "lease_lost"
        assert (await job.post(f"jobs/{job_id(1)}/state", Move(JobState.RUNNING))).as_(JobRecord).started is not None
        assert (await made.admin.post(f"jobs/{job_id(1)}/cancel")).as_(JobRecord).cancel_requested is not None
        renewed = (await job.post(f"jobs/{job_id(1)}/lease", Renew(ATTEMPT))).as_(Renewed)
        assert renewed.job.cancel_requested is not None
        ended = await job.post(f"jobs/{job_id(1)}/state", Move(JobState.CANCELED))
        assert ended.as_(JobRecord).finished is not None
        assert (await made.admin.post(f"jobs/{job_id(1)}/cancel")).code == "illegal_transition"
        assert (await job.get("me")).status == 401


async def test_a_job_consumes_what_its_owner_reads(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        missing = await made.admin.post("jobs", new_job(1, inputs=("/datasets/none/@v1",)))
        assert (missing.status, missing.code) == (404, "ref_not_found")
        loose = await made.admin.post("jobs", new_job(1, inputs=("/datasets/none",)))
        assert loose.status in (404, 422)
        assert (await made.admin.get(f"jobs/{job_id(1)}")).status == 404
        await made.queue(1)
        assert (await made.admin.post("jobs", new_job(1))).status == 409


async def test_a_log_is_appended_where_it_ends(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.queue(1)
        _, job = await made.take(await made.agent(), ATTEMPT)
        path = f"jobs/{job_id(1)}/log"
        assert (await job.post(path, b"one\n", offset=0)).json == {"end": 4, "full": False}
        assert (await job.post(path, b"one\n", offset=0)).json["end"] == 4  # said twice
        gap = await job.post(path, b"three\n", offset=9)
        assert (gap.status, gap.code, gap.json["error"]["facts"]["end"]) == (409, "log_offset", 4)
        assert (await job.post(path, b"two\n", offset=4)).json["end"] == 8
        assert (await made.admin.get(path)).body == b"one\ntwo\n"
        assert (await made.admin.get(path, offset=4)).body == b"two\n"
        assert (await made.admin.get(path, offset=100)).body == b""
        assert (await made.admin.get(f"{path}/tail", lines=1)).json["end"] == 4
        assert (await job.post(path, bytes(LOG_PIECE_MAX + 1), offset=8)).status == 413


@pytest.fixture
def no_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting requests are woken by news, or not at all."""
    monkeypatch.setattr(news_module, "LOOK_EVERY", 1000.0)


@pytest.mark.usefixtures("no_looking")
async def test_waiting_for_a_log_ends_with_what_is_appended(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.queue(1)
        _, job = await made.take(await made.agent(), ATTEMPT)
        path = f"jobs/{job_id(1)}/log"
        got: list[bytes] = []

        async def follow() -> None:
            got.append((await made.admin.get(path, offset=0, wait=SOON)).body)

        begun = anyio.current_time()
        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            await anyio.wait_all_tasks_blocked()
            await job.post(path, b"news\n", offset=0)
        assert got == [b"news\n"]
        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            await anyio.wait_all_tasks_blocked()
            await job.post(f"jobs/{job_id(1)}/state", Move(JobState.CANCELED))
        assert anyio.current_time() - begun < SOON
        # It has ended: nobody waits for more.
        assert (await made.admin.get(path, offset=5, wait=SOON)).body == b""
        assert anyio.current_time() - begun < SOON


@pytest.mark.usefixtures("no_looking")
async def test_waiting_for_a_job_ends_with_one(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        agent = await made.agent()
        got: list[Lease] = []

        async def wait(number: int) -> None:
            reply = await agent.post("queue/take", Take("here", f"{number:016d}", SOON))
            if reply.status == 200:
                got.append(reply.as_(Lease))

        begun = anyio.current_time()
        async with anyio.create_task_group() as group:
            for number in range(2):
                group.start_soon(wait, number)
            await anyio.wait_all_tasks_blocked()
            await made.queue(1)
            await made.queue(2)
        assert {lease.job.id for lease in got} == {job_id(1), job_id(2)}
        assert anyio.current_time() - begun < SOON


async def test_who_waits_when_the_server_stops_is_answered(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        agent = await made.agent()
        statuses: list[int] = []

        async def wait() -> None:
            statuses.append((await agent.post("queue/take", Take("here", ATTEMPT, SOON))).status)

        begun = anyio.current_time()
        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            made.plane.news.end()
        assert statuses == [204]
        assert anyio.current_time() - begun < SOON
