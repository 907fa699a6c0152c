"""Published trees compared and put together are what comes of doing so to the directories themselves."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
import trio
from hypothesis import given, settings, strategies as st

from c3fs.errors import KindError
from tests.support.disk import copied, disk_diff, duplicate
from tests.support.stage import NOW_NS, staged
from tests.support.strategies import SHORT_NAMES, trees
from tests.support.trees import Source, build, facts


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
@settings(max_examples=40, deadline=None)
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


def directory(what: object) -> Source:
    return cast(Source, what) if isinstance(what, dict) else {}


@st.composite
def graftings(draw: st.DrawFn) -> tuple[Source, Source, bytes, tuple[bytes, ...]]:
    """(what is there, what is published elsewhere, the name there of what is copied, the path it is put under)."""
    base, other = draw(PAIRS)
    if draw(st.booleans()):
        base, other = other, base
    other = other or {b"only": b"this"}
    source = draw(st.sampled_from(sorted(other)))
    path: list[bytes] = []
    here: Source = base
    while len(path) < 3 and (not path or draw(st.booleans())):
        names = st.sampled_from(sorted(here)) if here else SHORT_NAMES
        path.append(draw(st.one_of(names, names, SHORT_NAMES)))
        here = directory(here.get(path[-1]))
    return base, other, source, tuple(path)


@given(graftings())
@settings(max_examples=45, deadline=None)
def test_a_graft_is_what_cp_makes(grafting: tuple[Source, Source, bytes, tuple[bytes, ...]]) -> None:
    source, other, name, path = grafting

    async def compare(base: Path) -> None:
        async with staged(base) as stage:
            there, elsewhere = build(base / "there", source), build(base / "elsewhere", other)
            await stage.publish(there, "/datasets/there")
            origin = await stage.origin(await stage.publish(elsewhere, "/jobs/job_1_aaaaaa"), name)
            expected = duplicate(there, base / "expected")
            if not copied(elsewhere / os.fsdecode(name), expected, path, NOW_NS):
                with pytest.raises(KindError):
                    await stage.copy(origin, "/datasets/there", *path)
                return
            made = (await stage.copy(origin, "/datasets/there", *path)).registration
            wanted = await stage.publish(expected, "/datasets/wanted")
            assert made.manifest.root.digest == wanted.root.digest
            if made.created:
                assert stage.decoded(made.manifest).facts == facts(expected)
            again = await stage.copy(origin, "/datasets/there", *path)
            assert (again.registration.created, again.registration.manifest) == (False, made.manifest)

    with somewhere() as base:
        trio.run(compare, base)
