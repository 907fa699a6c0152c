"""Processes that call one registry at the same moment.

race(address, ["move", …], ["register", …]) -> what each of them answered, in order
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack

import msgspec
import trio

from c3fs.core.job import JobState
from c3fs.errors import C3Error
from c3fs.registry.base import Registry
from tests.support.records import job_id, make_blobs, make_job, make_manifest, open_registry

WITHIN = 60.0


class Answer(msgspec.Struct):
    """Of one call: the name of the error it raised, or "" and what it charged."""

    error: str = ""
    charged: int = 0
    created: bool = False


def race(address: str, *commands: list[str]) -> list[list[Answer]]:
    """Start a process for each command, let them go together, and return what each call of each answered.

    move STATE FIRST LAST        move the jobs of these numbers to STATE
    add FIRST LAST               add these jobs
    register REF CONTENT FIRST LAST [REF CONTENT FIRST LAST …]   with the blobs of these numbers, FIRST to LAST-1
    open                         only open the registry, which the others do before they are let go
    """
    with ExitStack() as stack:
        racers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", __name__, address, *command],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            for command in commands
        ]
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == b"ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write(b"go\n")
            racer.stdin.flush()
        outputs = [racer.communicate(timeout=WITHIN)[0] for racer in racers]
        assert [racer.returncode for racer in racers] == [0] * len(racers)
    return [msgspec.json.decode(output, type=list[Answer]) for output in outputs]


async def call(registry: Registry, command: list[str]) -> list[Answer]:
    match command:
        case ["move", state, first, last]:
            return [await move(registry, number, JobState(state)) for number in range(int(first), int(last))]
        case ["add", first, last]:
            return [await add(registry, number) for number in range(int(first), int(last))]
        case ["register", *rest]:
            four = (rest[at : at + 4] for at in range(0, len(rest), 4))
            return [await register(registry, *arguments) for arguments in four]
        case _:
            return []


async def move(registry: Registry, number: int, state: JobState) -> Answer:
    try:
        await registry.move_job(job_id(number), state)
    except C3Error as error:
        return Answer(type(error).__name__)
    return Answer()


async def add(registry: Registry, number: int) -> Answer:
    try:
        await registry.add_job(make_job(number))
    except C3Error as error:
        return Answer(type(error).__name__)
    return Answer()


async def register(registry: Registry, ref: str, content: str, first: str, last: str) -> Answer:
    try:
        done = await registry.register(make_manifest(ref, content), make_blobs(range(int(first), int(last))), mark=0)
    except C3Error as error:
        return Answer(type(error).__name__)
    return Answer("", done.charged, done.created)


def main() -> None:
    address, *command = sys.argv[1:]
    if command == ["open"]:
        say("ready")
        sys.stdin.readline()
        with open_registry(address):
            print("[]")
        return
    with open_registry(address) as registry:
        say("ready")
        sys.stdin.readline()
        print(msgspec.json.encode(trio.run(call, registry, command)).decode())


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
