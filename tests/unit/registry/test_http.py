"""Calls whose answers are lost, and how they come out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from c3fs.api.client import open_client
from c3fs.api.messages import NewJob
from c3fs.core.job import JobState, Reason
from c3fs.core.ref import Ref, parse_ref
from c3fs.core.retry import Retry
from c3fs.errors import (
    C3Error,
    ConflictError,
    IllegalTransitionError,
    InvalidFormatError,
    InvalidRefError,
    OutcomeUnknownError,
    StoreUnavailableError,
)
from c3fs.registry.base import Balance, Job, LedgerLine, Registration, Usage
from c3fs.registry.http import HttpRegistry
from tests.support.answers import DROP, Answers, Asked, Say, Step, answering, fine, refused
from tests.support.records import job_id, make_blobs, make_job, make_manifest

QUICK = Retry(tries=4, first=0.0, longest=0.0)
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
JOB = replace(make_job(1), inputs=("/datasets/a/@v1/50% \udcff ä",), source="/projects/demo/source/@v1")
BUSY = refused(StoreUnavailableError("busy"))


def record(job: Job = JOB, **facts: object) -> Say:
    """What a control plane says of the job: it has what it was sent."""
    row = {
        "id": job.id,
        "project": job.project,
        "name": job.name,
        "state": job.state.value,
        "reason": None,
        "exit_code": None,
        "spec": job.spec,
        "created": AT,
        "started": None,
        "finished": None,
        "inputs": ["/datasets/a/@v1/50%25 %FF ä"] if job.inputs else [],
        "source": job.source,
        "cancel_requested": None,
        "agent": None,
    }
    return fine({**row, **facts})


@asynccontextmanager
async def registry(*script: Step) -> AsyncGenerator[tuple[HttpRegistry, Answers]]:
    async with answering(*script) as answers, open_client(answers.remote, QUICK) as client:
        yield HttpRegistry(client, QUICK), answers


async def test_a_move_is_made_until_patience_is_over() -> None:
    policy = Retry(tries=2, first=0.0, longest=0.0, patience=60.0)
    done = record(state="SCHEDULING")
    async with answering(*[BUSY] * 9, done) as answers, open_client(answers.remote, policy) as client:
        assert (await HttpRegistry(client, policy).move_job(JOB.id, JobState.SCHEDULING)).state is JobState.SCHEDULING
    assert len(answers.asked) == 10


def paths(answers: Answers) -> list[str]:
    return [f"{asked.method} {asked.target.removeprefix('/v1')}" for asked in answers.asked]


# --- jobs ----------------------------------------------------------------------------------------------


async def test_a_job_goes_and_comes_as_it_is() -> None:
    async with registry(record()) as (http, answers):
        await http.add_job(JOB)
        assert await http.job(JOB.id) == replace(JOB, directory="", created=AT)
    sent = msgspec.json.decode(answers.asked[0].body, type=NewJob)
    assert (sent.id, sent.spec, sent.source) == (JOB.id, JOB.spec, JOB.source)
    assert sent.inputs == ("/datasets/a/@v1/50%25 %FF ä",)


@pytest.mark.parametrize("lost", [DROP, BUSY, Say(502, b"<html>")])
async def test_a_job_is_added_once_whatever_is_lost(lost: Say) -> None:
    taken = refused(ConflictError(f"{JOB.id} is taken"))
    async with registry(lost, record()) as (http, answers):
        await http.add_job(JOB)
        assert paths(answers) == ["POST /jobs"] * 2
    async with registry(lost, taken, record()) as (http, answers):
        await http.add_job(JOB)
        assert paths(answers) == ["POST /jobs", "POST /jobs", f"GET /jobs/{JOB.id}"]
    async with registry(lost, taken, record(name="another")) as (http, _):
        with pytest.raises(ConflictError, match="is taken"):
            await http.add_job(JOB)


async def test_an_id_that_was_taken_before_is_taken() -> None:
    async with registry(refused(ConflictError("is taken")), record()) as (http, answers):
        with pytest.raises(ConflictError):
            await http.add_job(JOB)
        assert len(answers.asked) == 1


async def test_a_control_plane_that_never_answers() -> None:
    async with registry(DROP) as (http, answers):
        for call in (http.add_job(JOB), http.move_job(JOB.id, JobState.RUNNING), http.request_cancel(JOB.id)):
            answers.asked.clear()
            with pytest.raises(OutcomeUnknownError):
                await call
            assert len(answers.asked) == QUICK.tries


@pytest.mark.parametrize("lost", [DROP, BUSY])
async def test_a_move_whose_answer_is_lost_was_ours_if_the_job_is_so(lost: Say) -> None:
    there = refused(IllegalTransitionError(JOB.id, "FAILED", "FAILED"))
    moved = record(state="FAILED", reason="UPLOAD_ERROR", exit_code=0)
    async with registry(lost, there, moved) as (http, _):
        job = await http.move_job(JOB.id, JobState.FAILED, reason=Reason.UPLOAD_ERROR, exit_code=0)
        assert job.state is JobState.FAILED
    for state, reason in ((JobState.FAILED, Reason.AGENT_LOST), (JobState.SUCCEEDED, None)):
        async with registry(lost, there, moved) as (http, _):
            with pytest.raises(IllegalTransitionError) as caught:
                await http.move_job(JOB.id, state, reason=reason)
            assert caught.value.state == "FAILED"


async def test_a_move_that_was_refused_at_once_was_somebody_elses() -> None:
    there = refused(IllegalTransitionError(JOB.id, "RUNNING", "RUNNING"))
    async with registry(there, record(state="RUNNING")) as (http, answers):
        with pytest.raises(IllegalTransitionError):
            await http.move_job(JOB.id, JobState.RUNNING)
        assert len(answers.asked) == 1


async def test_asking_for_an_end_twice_is_asking_once() -> None:
    ended = refused(IllegalTransitionError(JOB.id, "CANCELED", "CANCELED"))
    canceled = record(state="CANCELED", cancel_requested=AT, finished=AT)
    async with registry(DROP, ended, canceled) as (http, _):
        assert (await http.request_cancel(JOB.id)).state is JobState.CANCELED
    async with registry(DROP, ended, record(state="SUCCEEDED", finished=AT)) as (http, _):
        with pytest.raises(IllegalTransitionError):
            await http.request_cancel(JOB.id)
    async with registry(ended) as (http, answers):
        with pytest.raises(IllegalTransitionError):
            await http.request_cancel(JOB.id)
        assert len(answers.asked) == 1


# --- published trees -----------------------------------------------------------------------------------


async def test_sub_paths_stay_here() -> None:
    async with registry(fine({"ref": "/datasets/a/@v3"})) as (http, answers):
        asked = parse_ref("/datasets/a/@latest/deep/\udcff")
        assert await http.resolve(asked) == replace(asked, version="v3")
        assert paths(answers) == ["GET /refs?ref=%2Fdatasets%2Fa%2F%40latest"]


async def test_names_of_jobs_that_are_no_unicode() -> None:
    ref = Ref("job", "@name:tr\udcffin", "demo")
    async with registry(fine({"ref": f"/jobs/{job_id(1)}"})) as (http, answers):
        assert str(await http.resolve(ref)) == f"/jobs/{job_id(1)}"
        assert "%3Atr%FFin" in answers.asked[0].target


async def test_registering_again_after_a_lost_answer_is_registering_once() -> None:
    manifest = make_manifest("/datasets/a")
    done = {"charged": 0, "created": False, "manifest": make_manifest("/datasets/a/@v1")}
    async with registry(DROP, BUSY, fine(done)) as (http, answers):
        registered = await http.register(manifest, make_blobs([1, 2]), mark=3, onto=0)
        assert registered == Registration(0, created=False, manifest=make_manifest("/datasets/a/@v1"))
        assert len({asked.body for asked in answers.asked}) == 1
        assert len(answers.asked) == 3


async def test_removing_is_not_repeated() -> None:
    async with registry(DROP, fine({"bytes": 7})) as (http, answers):
        with pytest.raises(OutcomeUnknownError):
            await http.remove([parse_ref("/datasets/a/@v1")])
        assert len(answers.asked) == 1
        assert await http.remove([parse_ref("/datasets/a/@v1")]) == 7
        assert answers.asked[1].json == {"refs": ["/datasets/a/@v1"]}
        with pytest.raises(InvalidRefError):
            await http.remove([parse_ref("/datasets/a/@v1/sub")])
        assert await http.remove([]) == 0
        assert len(answers.asked) == 2


async def test_what_is_no_manifest_is_refused() -> None:
    async with registry(Say(200, b'{"format": 2}')) as (http, _):
        for call in (http.manifest(parse_ref("/datasets/a")), http.manifest(parse_ref(f"/jobs/{job_id(1)}"))):
            with pytest.raises(InvalidFormatError):
                await call


# --- all others ----------------------------------------------------------------------------------------


async def test_reading_calls_are_repeated() -> None:
    manifest = make_manifest("/datasets/a/@v1")
    ref = parse_ref("/datasets/a/@v1")

    async def ask(answer: object, call: str, *arguments: object, **options: object) -> tuple[object, str]:
        async with registry(DROP, BUSY, Say(204) if answer is None else fine(answer)) as (http, answers):
            return await getattr(http, call)(*arguments, **options), paths(answers)[-1]

    line = {"at": AT, "ref": "/datasets/a/@v1", "delta": 5, "balance": 7}
    told = LedgerLine(AT, "/datasets/a/@v1", 5, 7)
    assert await ask({"mark": 4}, "mark") == (4, "GET /mark")
    assert await ask(manifest, "manifest", ref) == (manifest, "GET /manifests?ref=%2Fdatasets%2Fa%2F%40v1")
    assert await ask([manifest], "versions", ref) == ([manifest], "GET /versions?ref=%2Fdatasets%2Fa%2F%40v1")
    assert await ask({"j": manifest}, "artifacts", project="p") == ({"j": manifest}, "GET /artifacts?project=p")
    assert await ask(["a"], "datasets") == (["a"], "GET /datasets")
    assert await ask(["a"], "datasets", "p") == (["a"], "GET /datasets?project=p")
    assert await ask(["p"], "projects") == (["p"], "GET /projects")
    assert await ask([], "jobs", state=JobState.RUNNING, limit=3) == ([], "GET /jobs?state=RUNNING&limit=3")
    assert await ask([], "consumers", ref) == ([], "GET /consumers?ref=%2Fdatasets%2Fa%2F%40v1")
    assert await ask({"stored": 1, "unique": 2}, "usage", [ref]) == (Usage(1, 2), "POST /usage")
    balance = {"stored": 7, "quota": 9, "lines": [line]}
    assert await ask(balance, "balance", 3) == (Balance(7, 9, (told,)), "GET /balance?lines=3")
    assert await ask(None, "set_quota", 12) == (None, "PUT /quota")


async def test_what_a_newer_control_plane_adds_is_passed_over() -> None:
    async with registry(record(color="green")) as (http, _):
        assert (await http.job(JOB.id)).id == JOB.id


async def test_an_answer_that_is_none_is_said_to_be_none() -> None:
    def elsewhere(_asked: Asked) -> Say:
        return Say(200, b"<html>", {"content-type": "text/html"})

    async with registry(elsewhere) as (http, _):
        with pytest.raises(C3Error, match="is the endpoint right"):
            await http.job(JOB.id)
