"""The connection is lost at COMMIT: before it arrives, or when it has been done and nobody says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from c3fs.core.job import JobState, Reason
from c3fs.core.ref import parse_ref
from c3fs.errors import ConflictError, IllegalTransitionError, StoreUnavailableError
from c3fs.registry.sql import SqlRegistry
from tests.support.cutting import PORT, Cut, Cutter, cutter
from tests.support.postgres import Cluster
from tests.support.records import EPOCH, job_id, make_blob, make_blobs, make_job, make_manifest

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("moment", list(Cut))]


class Ticking:
    """A clock that never shows the same time twice."""

    def __init__(self) -> None:
        self._now = EPOCH

    def __call__(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now


@pytest.fixture
def cut(cluster: Cluster) -> Iterator[Cutter]:
    with cutter(cluster.root, cluster.port) as made:
        yield made


@pytest.fixture
def registry(cluster: Cluster, cut: Cutter) -> Iterator[SqlRegistry]:
    url = cluster.url(cluster.make_registry()).replace(f"port={cluster.port}", f"port={PORT}")
    with SqlRegistry.open(url, now=Ticking()) as opened:
        yield opened
    assert cut.cuts


async def test_a_job_is_added_once(registry: SqlRegistry, cut: Cutter, moment: Cut) -> None:
    await registry.register(make_manifest("/datasets/a"), make_blobs([1]), mark=0)
    job = replace(make_job(1), inputs=("/datasets/a/@v1",))
    cut.arm(moment)
    await registry.add_job(job)
    assert await registry.jobs() == [job]
    cut.arm(moment)
    with pytest.raises(ConflictError):
        await registry.add_job(replace(job, name="another"))


async def test_a_move_is_made_once(registry: SqlRegistry, cut: Cutter, moment: Cut) -> None:
    await registry.add_job(make_job(1))
    await registry.move_job(job_id(1), JobState.SCHEDULING)
    cut.arm(moment)
    job = await registry.move_job(job_id(1), JobState.RUNNING)
    assert (job.state, await registry.job(job_id(1))) == (JobState.RUNNING, job)
    cut.arm(moment)
    job = await registry.move_job(job_id(1), JobState.FAILED, reason=Reason.SCRIPT_ERROR, exit_code=3)
    assert (job.reason, job.exit_code, await registry.job(job_id(1))) == (Reason.SCRIPT_ERROR, 3, job)
    # Somebody else's move is not taken for one's own.
    with pytest.raises(IllegalTransitionError):
        await registry.move_job(job_id(1), JobState.FAILED, reason=Reason.SCRIPT_ERROR, exit_code=3)


async def test_whose_move_it_was_is_not_made_up(registry: SqlRegistry, cut: Cutter, moment: Cut) -> None:
    await registry.add_job(make_job(1))
    cut.arm(moment)
    if moment is Cut.AFTER:
        with pytest.raises(StoreUnavailableError, match="whether by this call is not known"):
            await registry.move_job(job_id(1), JobState.SCHEDULING)
    else:
        await registry.move_job(job_id(1), JobState.SCHEDULING)
    assert (await registry.job(job_id(1))).state is JobState.SCHEDULING


async def test_a_job_is_canceled_once(registry: SqlRegistry, cut: Cutter, moment: Cut) -> None:
    await registry.add_job(make_job(1))
    cut.arm(moment)
    job = await registry.request_cancel(job_id(1))
    assert (job.state, await registry.job(job_id(1))) == (JobState.CANCELED, job)
    with pytest.raises(IllegalTransitionError):
        await registry.request_cancel(job_id(1))


async def test_what_is_registered_is_charged_once(registry: SqlRegistry, cut: Cutter, moment: Cut) -> None:
    cut.arm(moment)
    done = await registry.register(make_manifest("/datasets/a"), make_blobs([1, 2]), mark=0)
    assert done.manifest == make_manifest("/datasets/a/@v1")
    # The second time finds the first: it answers that there was nothing to do.
    assert done.created is (moment is Cut.BEFORE)
    balance = await registry.balance()
    assert balance.stored == sum(size for _, size in make_blobs([1, 2]))
    assert len(balance.lines) == 1


async def test_what_is_removed_is_given_back_once(registry: SqlRegistry, cut: Cutter, moment: Cut) -> None:
    for name, numbers in (("a", [1, 2]), ("b", [2, 3]), ("c", [4])):
        await registry.register(make_manifest(f"/datasets/{name}"), make_blobs(numbers), mark=0)
    cut.arm(moment)
    freed = await registry.remove([parse_ref("/datasets/a/@v1"), parse_ref("/datasets/b/@v1")])
    assert freed == sum(size for _, size in make_blobs([1, 2, 3]))
    balance = await registry.balance()
    assert (balance.stored, len(balance.lines)) == (make_blob(4)[1], 5)


async def test_a_sweep_is_settled_and_the_quota_set(registry: SqlRegistry, cut: Cutter, moment: Cut) -> None:
    cut.arm(moment)
    sweep = await registry.condemn([make_blob(1)[0]], 60)
    assert sweep.condemned == {make_blob(1)[0]}
    cut.arm(moment)
    await registry.settle(sweep)
    cut.arm(moment)
    await registry.set_quota(7)
    assert (await registry.balance()).quota == 7


async def test_a_connection_that_is_lost_every_time(registry: SqlRegistry, cut: Cutter, moment: Cut) -> None:
    cut.arm(moment, times=1000)
    with pytest.raises(StoreUnavailableError, match="; whether this was done is not known"):
        await registry.register(make_manifest("/datasets/a"), make_blobs([1, 2]), mark=0)
    cut.arm(moment, times=0)
    done = await registry.register(make_manifest("/datasets/a"), make_blobs([1, 2]), mark=0)
    assert done.manifest.ref == "/datasets/a/@v1"
    assert len((await registry.balance()).lines) == 1


async def test_what_is_read_is_read_again(registry: SqlRegistry, cut: Cutter, moment: Cut) -> None:
    cut.arm(moment, times=3)
    assert await registry.jobs() == []
