"""Publishers and a gc, in every order that their calls can come in: no manifest ever names a blob that is gone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import pytest
import trio
from trio.testing import MockClock

from c3fs.core.digest import Digest
from c3fs.errors import C3Error, SweptError
from tests.support.schedules import LATER_S, Actor, Paths, Redundant, Schedule
from tests.unit.gc.stage import Stage, commute

OLD: Final = b"an old blob"
SHELF: Final = Digest.of(OLD)[0]
NEW: Final = next(data for data in (b"%d" % number for number in range(10_000)) if Digest.of(data)[0] == SHELF)
"""Where the old one is: gc finds either of them, or both, and condemns them in one sweep."""
REUSED: Final = {Digest.of(OLD): OLD}
BOTH: Final = {**REUSED, Digest.of(NEW): NEW}


def never(_one: str, _other: str) -> bool:
    return False


@pytest.fixture
def home() -> Iterator[Path]:
    """In memory where that is possible: thousands of transactions need no disk to be proven right."""
    shared = "/dev/shm"
    with tempfile.TemporaryDirectory(prefix="c3fs-", dir=shared if Path(shared).is_dir() else None) as path:
        yield Path(path)


@dataclass
class Play:
    """All orders of what `publishers` publish, each with so many `tries`, and of `collectors` gc with no grace.

    With `reduced` one order of each kind, with `mortal` one gc may be killed at any moment, with `cancellable`
    cancelled; with `sleep` an hour may pass at any moment. `careless` registries do not look at marks, a `timeless` gc
    at no clock. Of runs, how many there were, and of publishes how many
    succeeded, after a refusal or not, and how many were refused. `dangling` has the steps that led to a visible
    manifest whose blob is not there.
    """

    home: Path
    publishers: tuple[Mapping[Digest, bytes], ...]
    tries: int = 2
    collectors: int = 1
    reduced: bool = False
    mortal: bool = False
    cancellable: bool = False
    sleep: bool = False
    careless: bool = False
    timeless: bool = False
    runs: int = 0
    published: int = 0
    again: int = 0
    refused: int = 0
    dangling: list[list[str]] = field(default_factory=list[list[str]])

    def run(self) -> Play:
        clock = MockClock(rate=0)
        trio.run(self._all, clock, clock=clock)
        return self

    async def _all(self, clock: MockClock) -> None:
        stage = Stage(self.home, clock, REUSED, {SHELF})
        paths = Paths()
        try:
            going_on = True
            while going_on:
                await self._once(stage, paths)
                going_on = paths.another()
        finally:
            stage.close()

    async def _once(self, stage: Stage, paths: Paths) -> None:
        await stage.begin()
        publishers = [Actor(f"publisher {number}") for number in range(len(self.publishers))]
        collectors = [Actor(f"gc {number}", self.mortal, self.cancellable) for number in range(self.collectors)]

        def check() -> None:
            if stage.dangling():
                self.dangling.append(list(schedule.steps))

        schedule = Schedule(paths, stage.clock, check, commute if self.reduced else never, sleep=self.sleep)
        publish = partial(stage.publish, tries=self.tries, careless=self.careless)
        work = [partial(publish, actor, number, self.publishers[number]) for number, actor in enumerate(publishers)]
        collect = partial(stage.gc, piecemeal=self.mortal or self.cancellable, timeless=self.timeless)
        work += [partial(collect, actor) for actor in collectors]
        try:
            await schedule.run(list(zip(publishers + collectors, work, strict=True)), (C3Error,))
        except Redundant:
            return
        self.runs += 1
        if not (self.careless or self.timeless):
            await self._judge(stage, publishers, schedule.steps)

    async def _judge(self, stage: Stage, publishers: list[Actor], steps: list[str]) -> None:
        """Each has either published all, or raised what may be tried again, and nothing is visible."""
        for number, actor in enumerate(publishers):
            assert await stage.is_visible(stage.ref(number)) == (actor.error is None), steps
            if actor.error is None:
                await stage.verify(self.publishers[number])
                self.published += 1
                self.again += steps.count(f"{actor.name}: go register") > 1
            else:
                assert isinstance(actor.error, SweptError), steps
                self.refused += 1
        if self.mortal or self.cancellable:
            await self._go_on(stage)

    async def _go_on(self, stage: Stage) -> None:
        """What a dead gc has left behind is in nobody's way, when its time is over."""
        stage.clock.jump(LATER_S)
        await stage.publish_alone(9, BOTH)
        await stage.verify(BOTH)
        assert stage.dangling() == []


def test_a_publisher_and_a_gc_in_every_order(home: Path) -> None:
    play = Play(home, (BOTH,)).run()
    assert play.dangling == []
    assert play.runs == play.published + play.refused > 400
    assert play.published
    assert play.again
    assert play.refused


def test_without_marks_the_same_orders_lead_to_a_dangling_manifest(home: Path) -> None:
    play = Play(home, (BOTH,), careless=True, reduced=True).run()
    assert play.dangling
    found = [[step.split(": go ")[1] for step in steps if step.startswith("publisher")] for steps in play.dangling]
    assert ["mark", "missing", "put", "register"] in found


def test_a_gc_that_sleeps_deletes_nothing_when_its_time_is_over(home: Path) -> None:
    play = Play(home, (BOTH,), tries=1, reduced=True, sleep=True).run()
    assert play.dangling == []
    assert play.published
    assert play.refused


def test_without_a_look_at_the_clock_a_gc_that_sleeps_leads_to_a_dangling_manifest(home: Path) -> None:
    assert Play(home, (REUSED,), tries=1, timeless=True, reduced=True, sleep=True).run().dangling


def test_two_publishers_of_one_blob_and_a_gc(home: Path) -> None:
    play = Play(home, (REUSED, REUSED), tries=1, reduced=True).run()
    assert play.dangling == []
    assert play.published
    assert play.refused


@pytest.mark.parametrize("blobs", [REUSED, BOTH])
def test_a_gc_that_is_killed_anywhere_and_time_that_passes(home: Path, blobs: Mapping[Digest, bytes]) -> None:
    play = Play(home, (blobs,), tries=1, reduced=True, mortal=True).run()
    assert play.dangling == []
    assert play.published
    assert play.refused


@pytest.mark.parametrize("blobs", [REUSED, BOTH])
def test_a_gc_that_is_cancelled_anywhere_and_time_that_passes(home: Path, blobs: Mapping[Digest, bytes]) -> None:
    play = Play(home, (blobs,), tries=1, reduced=True, cancellable=True).run()
    assert play.dangling == []
    assert play.published
    assert play.refused


@pytest.mark.campaign
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "play",
    [
        Play(Path(), (REUSED,), tries=1, collectors=2, reduced=True),
        Play(Path(), (BOTH,), tries=2, reduced=True, mortal=True),
        Play(Path(), (BOTH,), tries=2, reduced=True, cancellable=True),
        Play(Path(), (BOTH, REUSED), tries=1, reduced=True, mortal=True),
        Play(Path(), (BOTH, BOTH), tries=1, reduced=True),
        Play(Path(), (REUSED, REUSED), tries=2, reduced=True),
    ],
)
def test_more_of_them_in_every_order(home: Path, play: Play) -> None:
    play.home = home
    play.run()
    assert play.dangling == []
    assert play.published
    assert play.refused
