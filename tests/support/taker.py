"""Agents that take jobs from one queue at the same moment, and run them for no time at all.

take_all(address, agents=8) -> the jobs that each of them took, in order
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack

import msgspec
import trio

from c3fs.core.job import JobState
from c3fs.registry.control import ControlDatabase
from tests.support.control import ACCOUNT, open_control

WITHIN = 90.0


def take_all(address: str, agents: int) -> list[list[str]]:
    """Start a process for each agent, and let them go together until the queue is empty."""
    with ExitStack() as stack:
        takers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", __name__, address, str(agent)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            for agent in range(agents)
        ]
        for taker in takers:
            assert taker.stdout is not None
            assert taker.stdout.readline() == b"ready\n"
        for taker in takers:
            assert taker.stdin is not None
            taker.stdin.write(b"go\n")
            taker.stdin.flush()
        outputs = [taker.communicate(timeout=WITHIN)[0] for taker in takers]
        assert [taker.returncode for taker in takers] == [0] * len(takers)
    return [msgspec.json.decode(output, type=list[str]) for output in outputs]


async def drain(control: ControlDatabase, agent: str) -> list[str]:
    """Take jobs until there are none, each asked for twice as after a lost answer, and move each to its end; their
    ids."""
    registry = control.registry(ACCOUNT)
    ids: list[str] = []
    while True:
        attempt = f"{agent}x{len(ids)}".rjust(16, "0")
        first = await control.queue.take(ACCOUNT, agent, attempt)
        if first is None:
            return ids
        again = await control.queue.take(ACCOUNT, agent, attempt)
        assert again is not None
        assert (again.job.id, again.job.agent) == (first.job.id, agent)
        await registry.move_job(first.job.id, JobState.RUNNING)
        await registry.move_job(first.job.id, JobState.SUCCEEDED)
        ids.append(first.job.id)


def main() -> None:
    address, agent = sys.argv[1:]
    with open_control(address) as control:
        print("ready", flush=True)
        sys.stdin.readline()
        print(msgspec.json.encode(trio.run(drain, control, agent)).decode())


if __name__ == "__main__":
    main()
