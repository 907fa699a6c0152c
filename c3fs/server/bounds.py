"""Bounds on waiting: DeadlineError instead of waiting on."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import anyio

from c3fs.errors import DeadlineError


@contextmanager
def bounded(what: str, seconds: float) -> Generator[None]:
    """Cancel what is inside after `seconds`, and raise DeadlineError, which names `what`."""
    with anyio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise DeadlineError(what, seconds)
