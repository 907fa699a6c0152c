"""Published trees compared and put together are what comes of doing so to the directories themselves."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.disk import disk_diff
from tests.support.stage import staged
from tests.support.strategies import trees
from tests.support.trees import Source, build


@contextmanager
def somewhere() -> Generator[Path]:
    base = Path(tempfile.mkdtemp(prefix="c3fs-property-"))
    try:
        yield base
    finally:
        shutil.rmtree(base)


def mixed(draw: random.Random, one: Source, other: Source) -> Source:
    """Of both: what is under a name is that of the one, of the other, a mixture, or left out."""
    made = dict(one)
    for name, what in other.items():
        here = made.get(name)
        if isinstance(what, dict) and isinstance(here, dict) and draw.random() < 0.7:
            made[name] = mixed(draw, here, what)
        elif here is None or draw.random() < 0.5:
            made[name] = what
    return {name: what for name, what in made.items() if draw.random() < 0.9}


def paired(one: Source, other: Source, draw: random.Random) -> tuple[Source, Source]:
    return one, mixed(draw, one, other)


PAIRS = st.builds(paired, trees(), trees(), st.randoms(use_true_random=False))


@given(PAIRS)
@settings(max_examples=60, deadline=None)
def test_a_diff_is_that_of_the_directories(pair: tuple[Source, Source]) -> None:
    async def compare(base: Path) -> None:
        async with staged(base) as stage:
            tops = [build(base / name, source) for name, source in zip(("one", "other"), pair, strict=True)]
            one, other = [await stage.publish(top, f"/datasets/{top.name}") for top in tops]
            assert await stage.changes(one, other) == disk_diff(*tops)
            assert await stage.changes(other, one) == disk_diff(*reversed(tops))
            assert await stage.changes(one, one) == []

    with somewhere() as base:
        trio.run(compare, base)
