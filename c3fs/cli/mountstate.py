"""Whether a mount answers, asked without waiting for one that never will."""

from __future__ import annotations

from typing import Final

import trio

from c3fs.fuse.mounts import MountRecord, is_dead

ANSWERS_WITHIN: Final = 2.0
"""Seconds a live mount may take to be looked at; a stopped server never answers."""


async def state_of(record: MountRecord) -> str:
    """live, dead (its process is gone) or silent (its process does not answer)."""
    with trio.move_on_after(ANSWERS_WITHIN):
        dead = await trio.to_thread.run_sync(is_dead, record.mountpoint, abandon_on_cancel=True)
        return "dead" if dead else "live"
    return "silent"


async def states_of(records: list[MountRecord]) -> list[str]:
    """In the same order."""
    states = ["silent"] * len(records)

    async def ask(at: int) -> None:
        states[at] = await state_of(records[at])

    async with trio.open_nursery() as nursery:
        for at in range(len(records)):
            nursery.start_soon(ask, at)
    return states
