"""Token buckets, with a clock of the test's own."""

from __future__ import annotations

import pytest

from c3fs.errors import RateLimitedError
from c3fs.server import limits
from c3fs.server.limits import Lately, Limit


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def refused(limit: Limit, who: str) -> float:
    """The seconds that `who` is told to wait."""
    with pytest.raises(RateLimitedError) as caught:
        limit.take(who)
    return caught.value.seconds


def test_a_burst_and_then_a_rate(clock: Clock) -> None:
    limit = Limit(2.0, 3.0, clock=clock)
    for _ in range(3):
        limit.take("ann")
    assert refused(limit, "ann") == pytest.approx(0.5)
    limit.take("ben")  # has a bucket of his own
    clock.now += 0.25
    assert refused(limit, "ann") == pytest.approx(0.25)
    clock.now += 0.25
    limit.take("ann")
    assert refused(limit, "ann") == pytest.approx(0.5)
    clock.now += 1000
    for _ in range(3):
        limit.take("ann")
    refused(limit, "ann")


def test_looking_takes_nothing(clock: Clock) -> None:
    limit = Limit(1.0, 1.0, clock=clock)
    for _ in range(5):
        limit.demand("ann")
    limit.take("ann")
    with pytest.raises(RateLimitedError):
        limit.demand("ann")


def test_the_quietest_are_forgotten(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BUCKETS_MAX", 2)
    limit = Limit(1.0, 5.0, clock=clock)
    lately = Lately()
    for who in ("ann", "ben", "ann", "cat"):
        limit.take(who)
        lately.add(who)
    assert "2 buckets" in repr(limit)
    assert [who in lately for who in ("ann", "ben", "cat")] == [True, False, True]
    lately.discard("ann")
    assert "ann" not in lately
