"""Retries: which errors, how often, after which pauses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from c3fs.core.digest import Digest
from c3fs.core.retry import Retry
from c3fs.errors import (
    BlobCorruptError,
    BlobMissingError,
    C3Error,
    DeadlineError,
    StoreRefusedError,
    StoreUnavailableError,
)
from c3fs.store.retried import Retried
from tests.support.clocks import on_mock_clock
from tests.unit.store.scripted import ScriptedStore

BLOB = b"weights"
DIGEST = Digest.of(BLOB)
POLICY = Retry(tries=5, first=1.0, longest=3.0)


def gone() -> C3Error:
    return StoreUnavailableError("gone for now")


def longest_pause() -> float:
    return 1.0


@pytest.mark.parametrize(
    "error", [gone(), DeadlineError("get", 1), BlobCorruptError("0" * 64, "1" * 64)], ids=lambda e: type(e).__name__
)
@on_mock_clock
async def test_what_may_pass_is_tried_again(error: C3Error) -> None:
    inner = ScriptedStore(error, error)
    await inner.inner.put(DIGEST, BLOB)
    assert await Retried(inner, POLICY).get(DIGEST) == BLOB
    assert inner.calls == ["get"] * 3


@pytest.mark.parametrize(
    "error", [BlobMissingError("0" * 64), StoreRefusedError("full")], ids=lambda e: type(e).__name__
)
@on_mock_clock
async def test_what_is_permanent_is_not(error: C3Error) -> None:
    inner = ScriptedStore(error)
    with pytest.raises(type(error)):
        await Retried(inner, POLICY).get(DIGEST)
    assert inner.calls == ["get"]
    assert trio.current_time() == 0


@on_mock_clock
async def test_tries_are_bounded_and_the_last_error_is_raised() -> None:
    last = StoreUnavailableError("the last")
    inner = ScriptedStore(*[gone() for _ in range(4)], last, gone())
    with pytest.raises(StoreUnavailableError) as caught:
        await Retried(inner, POLICY).missing({DIGEST: BLOB})
    assert caught.value is last
    assert inner.calls == ["missing"] * 5


@on_mock_clock
async def test_the_longest_pauses_double_up_to_the_cap() -> None:
    inner = ScriptedStore(*[gone() for _ in range(4)])
    await Retried(inner, POLICY, draw=longest_pause).put(DIGEST, BLOB)
    assert inner.at == pytest.approx([0, 1, 3, 6, 9])
    assert await inner.inner.missing({DIGEST: BLOB}) == set()


@on_mock_clock
async def test_pauses_are_drawn_from_zero_on() -> None:
    draws = iter([0.0, 0.5, 0.25])
    inner = ScriptedStore(gone(), gone(), gone())
    await Retried(inner, POLICY, draw=lambda: next(draws)).put(DIGEST, BLOB)
    assert inner.at == pytest.approx([0, 0, 1, 1.75])


@on_mock_clock
async def test_a_store_that_is_away_is_waited_for_with_patience() -> None:
    patient = replace(POLICY, patience=60.0)
    inner = ScriptedStore(*[gone() for _ in range(15)])
    await Retried(inner, patient, draw=longest_pause).put(DIGEST, BLOB)
    assert len(inner.calls) == 16
    inner = ScriptedStore(*[gone() for _ in range(99)])
    begun = trio.current_time()
    with pytest.raises(StoreUnavailableError):
        await Retried(inner, patient, draw=longest_pause).put(DIGEST, BLOB)
    assert trio.current_time() - begun == pytest.approx(60)


@on_mock_clock
async def test_patience_is_for_nothing_else() -> None:
    inner = ScriptedStore(*[BlobCorruptError("0" * 64, "1" * 64) for _ in range(99)])
    with pytest.raises(BlobCorruptError):
        await Retried(inner, replace(POLICY, patience=60.0), draw=longest_pause).get(DIGEST)
    assert len(inner.calls) == POLICY.tries


@on_mock_clock
async def test_a_pause_can_be_cancelled() -> None:
    inner = ScriptedStore(*[gone() for _ in range(4)])
    with trio.move_on_after(0.5) as scope:
        await Retried(inner, POLICY, draw=longest_pause).get(DIGEST)
    assert scope.cancelled_caught
    assert inner.calls == ["get"]


def test_pauses_of_very_many_tries_do_not_overflow() -> None:
    assert Retry(tries=10_000, first=0.1, longest=5.0).pause(9_999, longest_pause) == 5.0


@pytest.mark.parametrize(("tries", "first", "longest"), [(0, 0.1, 1), (1, -1, 1), (1, 2, 1)])
def test_a_policy_that_makes_no_sense_is_refused(tries: int, first: float, longest: float) -> None:
    with pytest.raises(AssertionError):
        Retry(tries, first, longest)
