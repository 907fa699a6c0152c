"""A corrupt blob is complained of once, and who got it hears of the blob, not of the complaint."""

from __future__ import annotations

import logging

import pytest

from c3fs.core.digest import Digest
from c3fs.core.retry import Retry
from c3fs.errors import BlobCorruptError, StoreUnavailableError
from c3fs.store.complaining import Complaining
from c3fs.store.memory import MemoryStore
from c3fs.store.retried import Retried
from c3fs.store.verified import Verified

DIGEST = Digest.of(b"weights")
POLICY = Retry(tries=3, first=0.0, longest=0.0)


@pytest.mark.parametrize("removed", [True, False])
async def test_it_is_told_once_and_raised(caplog: pytest.LogCaptureFixture, removed: bool) -> None:
    told: list[Digest] = []

    async def complain(digest: Digest) -> bool:
        told.append(digest)
        return removed

    inner = MemoryStore()
    await inner.put(DIGEST, b"nonsense")
    store = Retried(Complaining(Verified(inner), complain), POLICY)
    for _ in range(2):
        with pytest.raises(BlobCorruptError):
            await store.get(DIGEST)
    assert told == [DIGEST]
    assert ("is removed" if removed else "copy is good") in caplog.text


async def test_after_it_was_removed_the_next_try_is_honest() -> None:
    inner = MemoryStore()
    await inner.put(DIGEST, b"nonsense")

    async def complain(digest: Digest) -> bool:
        await inner.delete([digest], lambda: True)
        await inner.put(digest, b"weights")
        return True

    store = Retried(Complaining(Verified(inner), complain), POLICY)
    assert await store.get(DIGEST) == b"weights"
    assert await store.missing({DIGEST: b"weights"}) == set()


async def test_a_complaint_that_nobody_hears_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def complain(_digest: Digest) -> bool:
        raise StoreUnavailableError("nobody there")

    inner = MemoryStore()
    await inner.put(DIGEST, b"nonsense")
    with caplog.at_level(logging.WARNING), pytest.raises(BlobCorruptError):
        await Complaining(Verified(inner), complain).get(DIGEST)
    assert "nobody there" in caplog.text
