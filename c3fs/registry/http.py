"""The registry of a control plane, over HTTP.

Refs travel without their sub-path, which is put back after. What a job consumes has one all the same: there bytes that
are no UTF-8 are percent-encoded, and so is the percent sign.

A call whose answer was lost is made again, and its caller does not notice, but for
- `remove`, which is not: OutcomeUnknownError, for a second one finds nothing to remove;
- `register`, whose second answer is that the tree was there already: charged once, told as 0.
`add_job`, `move_job` and `request_cancel` are refused the second time; then the job's record tells whether the first
time has done what was asked, which it cannot tell from somebody else having done just that at this moment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from random import random
from typing import Final
from urllib.parse import unquote

import msgspec
import trio

from c3fs.api import messages
from c3fs.api.client import ApiClient, Query, Request
from c3fs.core.digest import Digest
from c3fs.core.job import JobState, Reason
from c3fs.core.manifest import Manifest, decode_manifest
from c3fs.core.ref import Ref, parse_ref
from c3fs.core.retry import Retry
from c3fs.errors import ConflictError, IllegalTransitionError, InvalidRefError, OutcomeUnknownError
from c3fs.registry.base import Balance, Job, LedgerLine, Registration, Usage

REGISTER_WITHIN: Final = 120.0
"""Seconds: a manifest of a million blobs is 80 MB on its way."""
AGAIN: Final = Retry(tries=4, first=0.2, longest=3.0)
"""For what must look, between two tries, whether the first was done."""
_ESCAPED: Final = re.compile("[%\udc80-\udcff]")


def job_of(record: messages.JobRecord) -> Job:
    """The record of a job whose directory is not on this machine."""
    values = {name: getattr(record, name) for name in messages.JobRecord.__struct_fields__}
    values["inputs"] = tuple(_from_wire(text) for text in record.inputs)
    return Job(directory="", **values)


class HttpRegistry:
    """Behind c3fs.registry.base.Registry. All of `client`'s errors may come from every call."""

    def __init__(self, client: ApiClient, again: Retry = AGAIN) -> None:
        self._client = client
        self._again = again

    def __repr__(self) -> str:
        return f"<HttpRegistry of {self._client!r}>"

    # --- jobs

    async def add_job(self, job: Job) -> None:
        """See c3fs.registry.base, as for all below. The job is queued: it is PENDING, and made now."""
        inputs = tuple(_to_wire(text) for text in job.inputs)
        body = messages.NewJob(job.id, job.project, job.name, job.spec, inputs, job.source)

        async def is_there(_error: ConflictError) -> Job | None:
            there = await self.job(job.id)
            same = (there.project, there.name, there.spec, there.inputs, there.source)
            return there if same == (job.project, job.name, job.spec, job.inputs, job.source) else None

        await self._once(Request("POST", "/jobs", body=body), is_there)

    async def job(self, job_id: str) -> Job:
        return job_of(await self._client.get(f"/jobs/{job_id}", messages.JobRecord))

    async def jobs(
        self, *, project: str | None = None, state: JobState | None = None, limit: int | None = None
    ) -> list[Job]:
        if limit == 0:
            return []
        query = _query(project=project, state=None if state is None else state.value, limit=limit)
        return [job_of(record) for record in await self._client.get("/jobs", list[messages.JobRecord], query)]

    async def move_job(
        self, job_id: str, state: JobState, *, reason: Reason | None = None, exit_code: int | None = None
    ) -> Job:
        async def is_moved(error: ConflictError) -> Job | None:
            if not isinstance(error, IllegalTransitionError) or error.state != state.value:
                return None
            job = await self.job(job_id)
            return job if (job.state, job.reason, job.exit_code) == (state, reason, exit_code) else None

        body = messages.Move(state, reason, exit_code)
        return await self._once(Request("POST", f"/jobs/{job_id}/state", body=body), is_moved)

    async def request_cancel(self, job_id: str) -> Job:
        async def is_canceled(error: ConflictError) -> Job | None:
            job = await self.job(job_id)
            asked = isinstance(error, IllegalTransitionError) and job.cancel_requested is not None
            return job if asked and job.state is JobState.CANCELED else None

        return await self._once(Request("POST", f"/jobs/{job_id}/cancel"), is_canceled)

    async def consumers(self, ref: Ref) -> list[Job]:
        found = await self._client.get("/consumers", list[messages.JobRecord], {"ref": ref.head})
        return [job_of(record) for record in found]

    # --- published trees

    async def mark(self) -> int:
        return (await self._client.get("/mark", messages.MarkAnswer)).mark

    async def register(
        self, manifest: Manifest, blobs: Sequence[tuple[Digest, int]], *, mark: int, onto: int | None = None
    ) -> Registration:
        _checked(manifest.encode())
        rows = [messages.BlobRow(str(digest), size) for digest, size in blobs]
        body = messages.Register(manifest, rows, mark, onto)
        request = Request("POST", "/manifests", body=body, repeatable=True, within=REGISTER_WITHIN)
        done = await self._client.call(request, messages.Registered)
        return Registration(done.charged, done.created, _checked(msgspec.json.encode(done.manifest)))

    async def resolve(self, ref: Ref) -> Ref:
        found = await self._client.get("/refs", messages.Resolved, {"ref": ref.head})
        return replace(parse_ref(found.ref), sub=ref.sub)

    async def manifest(self, ref: Ref) -> Manifest:
        return _checked(await self._client.get("/manifests", msgspec.Raw, {"ref": ref.head}))

    async def artifacts(self, *, project: str | None = None) -> dict[str, Manifest]:
        found = await self._client.get("/artifacts", dict[str, msgspec.Raw], _query(project=project))
        return {job_id: _checked(raw) for job_id, raw in found.items()}

    async def versions(self, ref: Ref) -> list[Manifest]:
        found = await self._client.get("/versions", list[msgspec.Raw], {"ref": ref.head})
        return [_checked(raw) for raw in found]

    async def datasets(self, project: str | None = None) -> list[str]:
        return await self._client.get("/datasets", list[str], _query(project=project))

    async def projects(self) -> list[str]:
        return await self._client.get("/projects", list[str])

    async def remove(self, refs: Sequence[Ref]) -> int:
        for ref in refs:
            if not ref.frozen or ref.sub:
                raise InvalidRefError(str(ref), "what is removed is one whole tree, by its id or version")
        if not refs:
            return 0
        request = Request("POST", "/removals", body=messages.Refs([ref.head for ref in refs]))
        return (await self._client.call(request, messages.Removed)).bytes

    # --- storage

    async def usage(self, refs: Sequence[Ref]) -> Usage:
        if not refs:
            return Usage(0, 0)
        body = messages.Refs([ref.head for ref in refs])
        used = await self._client.call(Request("POST", "/usage", body=body, repeatable=True), messages.UsageAnswer)
        return Usage(used.stored, used.unique)

    async def balance(self, lines: int = 10) -> Balance:
        found = await self._client.get("/balance", messages.BalanceAnswer, {"lines": lines})
        told = tuple(LedgerLine(line.at, line.ref, line.delta, line.balance) for line in found.lines)
        return Balance(found.stored, found.quota, told)

    async def set_quota(self, quota: int) -> None:
        await self._client.tell(Request("PUT", "/quota", body=messages.Quota(quota), repeatable=True))

    async def _once(self, request: Request, was_done: Callable[[ConflictError], Awaitable[Job | None]]) -> Job:
        """The job as it is once the request was done, however many times it is made. One that is refused after another
        whose answer was lost has been done if `was_done` finds the job so."""
        lost = 0
        begun = trio.current_time()
        while True:
            try:
                return job_of(await self._client.call(request, messages.JobRecord))
            except OutcomeUnknownError:
                lost += 1
                if self._again.is_over(lost, trio.current_time() - begun):
                    raise
            except ConflictError as error:
                job = await was_done(error) if lost else None
                if job is None:
                    raise
                return job
            await trio.sleep(self._again.pause(lost, random))


def _query(**values: str | int | None) -> Query:
    return {name: value for name, value in values.items() if value is not None}


def _checked(raw: bytes | msgspec.Raw) -> Manifest:
    return decode_manifest(bytes(raw))


def _to_wire(text: str) -> str:
    return _ESCAPED.sub(lambda found: f"%{os.fsencode(found[0])[0]:02X}", text)


def _from_wire(text: str) -> str:
    return unquote(text, errors="surrogateescape")
