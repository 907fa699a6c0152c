"""Ctrl-C while a job is followed: of a new job, the first detaches, the second cancels it, the third leaves it to that.

Signals are taken by a task of their own, so they count whatever the log does.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from typing import Final

import trio

from c3fs.cli import output
from c3fs.errors import IllegalTransitionError
from c3fs.registry.base import Job, Registry

AGAIN_WITHIN: Final = 3.0
"""Seconds in which a second Ctrl-C cancels the job: long enough to read the line that says so."""


@contextmanager
def interrupts() -> Generator[AsyncIterator[int]]:
    """Each Ctrl-C as an item, instead of a KeyboardInterrupt. Whoever was started with SIGINT ignored, in the
    background of a script, gets none: the Ctrl-C is for the script."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield _never()
        return
    with trio.open_signal_receiver(signal.SIGINT) as received:
        yield received


async def leave_on(received: AsyncIterator[int], registry: Registry, job: Job, scope: trio.CancelScope) -> None:
    """Cancel `scope`, which follows the job, when the user wants to leave. Raises what the registry raises."""
    await anext(received)
    again = f"`c3 logs -f {job.id}`"
    tell(f"detached in {AGAIN_WITHIN:g} s; {job.id} runs on: {again}; Ctrl-C again cancels it")
    with trio.move_on_after(AGAIN_WITHIN) as patience:
        await anext(received)
    if patience.cancelled_caught:
        output.note("detached")
    else:
        try:
            await registry.request_cancel(job.id)
        except IllegalTransitionError:  # whoever follows it sees that, unless nobody reads our output
            became = "has ended"
            tell(f"{job.id} {became}; Ctrl-C again does not wait for the rest of its log")
        else:
            became = "has been asked to end"
            tell(f"asked for the end of {job.id}; Ctrl-C again does not wait for it")
        await anext(received)
        tell(f"detached; {job.id} {became}: {again}")
    scope.cancel()


def tell(text: str) -> None:
    """On a line of its own: a terminal has shown `^C`."""
    if sys.stderr.isatty():
        print(file=sys.stderr)
    output.note(text)


async def _never() -> AsyncIterator[int]:
    await trio.sleep_forever()
    yield 0
