"""The application in other servers than Hypercorn's trio worker: it is written for anyio."""

from __future__ import annotations

from pathlib import Path

import anyio

from c3fs.api.messages import LOG_PIECE_MAX, Take
from c3fs.core.digest import Digest
from c3fs.registry.control import ControlDatabase
from c3fs.server.app import make_app
from c3fs.server.plane import ControlPlane
from c3fs.server.stores import DirectoryGateways
from tests.support.plane import PROJECT, job_id, piece, world

ATTEMPT = "0123456789abcdef"


def test_a_job_and_its_artifacts_under_asyncio(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as made:
            await made.publish(f"/projects/{PROJECT}/data/set", piece(1))
            await made.queue(1, inputs=(f"/projects/{PROJECT}/data/set/@v1",))
            agent = await made.agent()
            _, job = await made.take(agent, ATTEMPT)
            got: list[bytes] = []

            async def follow() -> None:
                got.append((await made.admin.get(f"jobs/{job_id(1)}/log", wait=10)).body)

            async with anyio.create_task_group() as group:
                group.start_soon(follow)
                await job.post(f"jobs/{job_id(1)}/log", b"hello\n", offset=0)
            assert got == [b"hello\n"]
            assert (await job.get(f"blobs/{Digest.of(piece(1))}")).body == piece(1)
            assert (await agent.post("queue/take", Take("here", "f" * 16, 0.1))).status == 204
            too_large = await job.post(f"jobs/{job_id(1)}/log", bytes(LOG_PIECE_MAX + 1), offset=6)
            assert too_large.status == 413

    anyio.run(main, backend="asyncio")


async def test_the_lifespan_runs_the_control_plane(tmp_path: Path) -> None:
    """And ends it: nobody waits any more."""
    database = ControlDatabase.open(f"sqlite:///{tmp_path}/registry.db")
    try:
        plane = ControlPlane(database, DirectoryGateways(f"{tmp_path}/store"))
        app = make_app(plane)
        async with app.router.lifespan_context(app):
            assert not plane.news.ended
        assert plane.news.ended
    finally:
        database.close()
