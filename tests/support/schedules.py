"""Runs a few tasks in every order their steps can be taken in.

A task comes to a `turn` before each step, and waits there until the schedule lets it go on; so between two turns no
other task runs. `Paths` goes depth first through all that could have been chosen, by running everything again from the
start. Steps that commute need not be tried in both orders: of two that follow each other and do, only the order of the
actors is kept, which leaves at least one schedule of every kind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

Commute = Callable[[str, str], bool]
LATER_S: Final = 3600.0
"""More than any lease."""


class Killed(BaseException):
    """What a task that was killed meets at its next turn, and at every one after it: it does nothing any more."""


class Redundant(Exception):
    """Every step from here has been tried in another order."""


class Paths:
    """Which option was chosen each time, and what is to be chosen next."""

    def __init__(self) -> None:
        self._path: list[int] = []
        self._widths: list[int] = []
        self._at = 0
        self.runs = 0

    def choose(self, width: int) -> int:
        """Among so many options."""
        if self._at == len(self._path):
            self._path.append(0)
            self._widths.append(width)
        assert self._widths[self._at] == width, "the same choices lead elsewhere"
        self._at += 1
        return self._path[self._at - 1]

    def another(self) -> bool:
        """Go to the next path; False when all have been taken."""
        self.runs += 1
        self._at = 0
        while self._path and self._path[-1] + 1 == self._widths[-1]:
            self._path.pop()
            self._widths.pop()
        if not self._path:
            return False
        self._path[-1] += 1
        return True


@dataclass(eq=False)
class Actor:
    """One task. `mortal`: it may be killed, once, at any of its turns; `cancellable` likewise."""

    name: str
    mortal: bool = False
    cancellable: bool = False
    pending: str | None = None
    dead: bool = False
    error: BaseException | None = None
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    _still: trio.Event = field(default_factory=trio.Event)
    _go: trio.Event = field(default_factory=trio.Event)

    async def turn(self, step: str) -> None:
        """Wait to take the step; raises Killed."""
        self._check()
        self.pending = step
        self._go = trio.Event()
        self._still.set()
        try:
            await self._go.wait()
        finally:
            self.pending = None
            if self._still.is_set():  # nobody let it go: it is cancelled
                self._still = trio.Event()
        self._check()

    def let_go(self) -> None:
        self._still = trio.Event()
        self._go.set()

    async def still(self) -> None:
        """Wait until it is at a turn, or has ended."""
        await self._still.wait()

    async def run(self, work: Callable[[], Awaitable[None]], expected: tuple[type[Exception], ...]) -> None:
        try:
            with self.scope:
                await work()
        except (Killed, *expected) as error:
            self.error = error
        finally:
            self._still.set()

    def _check(self) -> None:
        if self.dead:
            raise Killed


class Schedule:
    """One run, whose choices come from `paths`. Between two steps `check` is called. `steps` tells what was done.

    An hour may pass once between any two steps, if all `sleep`, or else after somebody was killed or cancelled.
    """

    def __init__(
        self, paths: Paths, clock: MockClock, check: Callable[[], None], commute: Commute, *, sleep: bool = False
    ) -> None:
        self._paths = paths
        self._clock = clock
        self._check = check
        self._commute = commute
        self._actors: list[Actor] = []
        self._last: tuple[int, str] | None = None
        self._interrupted = False
        self._sleep = sleep
        self._waited = False
        self.steps: list[str] = []

    async def run(
        self, tasks: Sequence[tuple[Actor, Callable[[], Awaitable[None]]]], expected: tuple[type[Exception], ...]
    ) -> None:
        """Until all have ended; their `expected` errors stay with them. Tasks wait for nothing but turns. Raises
        Redundant."""
        self._actors = [actor for actor, _ in tasks]
        async with trio.open_nursery() as nursery:
            for actor, work in tasks:
                nursery.start_soon(actor.run, work, expected)
                await actor.still()
            try:
                redundant = not await self._play()
            finally:
                # Whoever is left would wait for its turn, shielded ones also when they are cancelled.
                for actor in self._actors:
                    actor.dead = True
                    actor.let_go()
        if redundant:
            raise Redundant

    async def _play(self) -> bool:
        """Until nobody has a turn to take; False when all that could be done is redundant."""
        while options := self._options():
            choices = [option for option in options if not self._is_redundant(option)]
            if not choices:
                return False
            await self._take(choices[self._paths.choose(len(choices))])
            self._check()
        return True

    def _options(self) -> list[tuple[str, int]]:
        options: list[tuple[str, int]] = []
        for number, actor in enumerate(self._actors):
            if actor.pending is not None:
                options.append(("go", number))
                if not self._interrupted:
                    options += [("kill", number)] if actor.mortal else []
                    options += [("cancel", number)] if actor.cancellable else []
        if (self._interrupted or self._sleep) and not self._waited and options:
            options.append(("later", 0))
        return options

    def _is_redundant(self, option: tuple[str, int]) -> bool:
        kind, number = option
        step = self._actors[number].pending
        if kind != "go" or step is None or self._last is None or number >= self._last[0]:
            return False
        return self._commute(self._last[1], step)

    async def _take(self, option: tuple[str, int]) -> None:
        kind, number = option
        actor = self._actors[number]
        self._last = None
        self.steps.append(kind if kind == "later" else f"{actor.name}: {kind} {actor.pending}")
        if kind == "later":
            self._waited = True
            self._clock.jump(LATER_S)
        elif kind == "cancel":
            self._interrupted = True
            actor.scope.cancel()
        else:
            assert actor.pending is not None
            self._interrupted = self._interrupted or kind == "kill"
            actor.dead = actor.dead or kind == "kill"
            self._last = (number, actor.pending) if kind == "go" else None
            actor.let_go()
        await self._settled()

    async def _settled(self) -> None:
        """Whatever was set off by the last step has come to its next turn."""
        for actor in self._actors:
            await actor.still()
        await wait_all_tasks_blocked()
        for actor in self._actors:
            await actor.still()
