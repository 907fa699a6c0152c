"""An agent of a few lines: runs one sandbox and prints its result as JSON. SIGTERM cancels.

python -m tests.support.agent_program <launch as JSON> <log file>
"""

from __future__ import annotations

import signal
import sys

import msgspec
import trio

from c3fs.agent.joblog import open_job_log
from c3fs.agent.launch import Launch, run_sandbox


async def main(launch: Launch, log: bytes) -> None:
    cancel = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_on_sigterm, cancel)
        result = await run_sandbox(launch, open_job_log(log).fileno(), cancel)
        nursery.cancel_scope.cancel()
    sys.stdout.buffer.write(msgspec.json.encode(result))


async def _cancel_on_sigterm(cancel: trio.Event) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as received:
        async for _ in received:
            cancel.set()


if __name__ == "__main__":
    trio.run(main, msgspec.json.decode(sys.argv[1], type=Launch), sys.argv[2].encode())
