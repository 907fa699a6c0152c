"""What a registry in SQL promises to gc, and to who publishes while it runs; gc runs beside the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

import pytest

from c3fs.core.digest import Digest
from c3fs.core.ref import parse_ref
from c3fs.errors import SweptError
from c3fs.registry.base import Sweep
from c3fs.registry.sql import SqlRegistry
from c3fs.registry.sweeps import REMEMBERED
from tests.support.records import EPOCH, make_blobs, make_manifest


@pytest.fixture
def registry(sql_address: str) -> Iterator[SqlRegistry]:
    with SqlRegistry.open(sql_address) as opened:
        yield opened


def digests(numbers: Iterable[int]) -> set[Digest]:
    return {digest for digest, _ in make_blobs(numbers)}


async def register(registry: SqlRegistry, ref: str, numbers: Iterable[int], mark: int) -> None:
    await registry.register(make_manifest(ref), make_blobs(numbers), mark=mark)


async def test_only_what_nothing_names_is_condemned(registry: SqlRegistry) -> None:
    await register(registry, "/datasets/a", range(1200), await registry.mark())
    assert await registry.named(digests(range(900, 2100))) == digests(range(900, 1200))
    sweep = await registry.condemn(digests(range(900, 2100)), 60)
    assert sweep.condemned == digests(range(1200, 2100))
    await registry.remove([parse_ref("/datasets/a/@v1")])
    assert (await registry.condemn(digests(range(5)), 60)).condemned == digests(range(5))


async def test_nothing_to_condemn_is_no_sweep(registry: SqlRegistry) -> None:
    await register(registry, "/datasets/a", range(3), await registry.mark())
    mark = await registry.mark()
    for asked in (range(3), ()):
        sweep = await registry.condemn(digests(asked), 60)
        assert sweep.condemned == frozenset()
        await registry.settle(sweep)
    assert await registry.mark() == mark


async def test_who_looked_before_a_sweep_registers_none_of_its_blobs(registry: SqlRegistry) -> None:
    before = await registry.mark()
    sweep = await registry.condemn(digests([1, 2]), 60)
    under_way = await registry.mark()
    await registry.settle(sweep)
    after = await registry.mark()
    stored = await registry.balance()
    for mark in (before, under_way):
        with pytest.raises(SweptError):
            await register(registry, "/datasets/a", [2, 3], mark)
        assert await registry.balance() == stored
        assert await registry.versions(parse_ref("/datasets/a")) == []
    await register(registry, "/datasets/b", [3, 4], before)
    await register(registry, "/datasets/a", [2, 3], after)


async def test_a_sweep_that_is_never_settled_ends_by_time(sql_address: str) -> None:
    now = EPOCH
    with SqlRegistry.open(sql_address, now=lambda: now) as registry:
        await registry.condemn(digests([1]), 60)
        now += timedelta(seconds=59)
        under_way = await registry.mark()
        with pytest.raises(SweptError):
            await register(registry, "/datasets/a", [1], under_way)
        now += timedelta(seconds=2)
        assert await registry.mark() > under_way
        with pytest.raises(SweptError):
            await register(registry, "/datasets/a", [1], under_way)
        await register(registry, "/datasets/a", [1], await registry.mark())


async def test_the_mark_waits_for_the_oldest_sweep_that_is_under_way(registry: SqlRegistry) -> None:
    first = await registry.condemn(digests([1]), 60)
    second = await registry.condemn(digests([2]), 60)
    await registry.settle(second)
    with pytest.raises(SweptError):
        await register(registry, "/datasets/a", [1], await registry.mark())
    await registry.settle(first)
    await register(registry, "/datasets/a", [1, 2], await registry.mark())


async def test_a_mark_from_before_what_is_remembered_is_refused(sql_address: str) -> None:
    now = EPOCH
    with SqlRegistry.open(sql_address, now=lambda: now) as registry:
        old = await registry.mark()
        await registry.settle(await registry.condemn(digests([1]), 60))
        await registry.settle(await registry.condemn(digests([2]), 60))
        now += REMEMBERED + timedelta(minutes=2)
        # This one forgets the first; the second, the newest, it must keep.
        await registry.settle(await registry.condemn(digests([3]), 60))
        with pytest.raises(SweptError):
            await register(registry, "/datasets/a", [7], old)
        await register(registry, "/datasets/a", [1], await registry.mark())


async def test_settling_what_is_unknown_does_nothing(registry: SqlRegistry) -> None:
    await registry.settle(Sweep(12, frozenset()))
    assert await registry.mark() == 0
