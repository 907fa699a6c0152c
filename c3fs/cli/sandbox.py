"""The process that a job's processes descend from: `python -m c3fs.cli.sandbox PLANS`, the spec on stdin.

It is c3fs.agent.sandbox, wired: the file PLANS (made by the runner) tells how to serve each ref that is mounted.
What serving needs is imported here, once, before the servers are forked: they share its memory.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import asdict
from functools import partial

import msgspec

from c3fs.agent.protocol import SandboxMount, decode_spec
from c3fs.agent.sandbox import main as run_sandbox
from c3fs.cli.exits import Invocation, guard, message_of, run_async
from c3fs.cli.plan import Plans, decode_plans
from c3fs.cli.serving import serve_mount
from c3fs.errors import C3Error


def serve(plans: Plans, mount: SandboxMount, status: int) -> int:
    """Serve one data set in this process, until SIGTERM (c3fs.agent.servers.Serve)."""
    plan = msgspec.structs.replace(plans[mount.ref], mountpoint=mount.target)
    logging.basicConfig(format=f"c3: {mount.ref}: %(message)s", level=logging.WARNING, stream=sys.stderr)
    try:
        statistics = run_async(partial(serve_mount, plan, lambda: _tell(status, "ready")))
    except (C3Error, OSError) as error:
        _tell(status, f"error: {message_of(error)}")
        return 1
    _tell(status, json.dumps(asdict(statistics)))
    return 0


def _tell(status: int, line: str) -> None:
    os.write(status, os.fsencode(line) + b"\n")


def _run(path: str) -> int:
    with open(path, "rb") as file:
        plans = decode_plans(file.read())
    return run_sandbox(decode_spec(sys.stdin.buffer.read()), partial(serve, plans))


def main() -> None:
    sys.exit(guard(Invocation("c3", verbose=True), partial(_run, sys.argv[1])))


if __name__ == "__main__":
    main()
