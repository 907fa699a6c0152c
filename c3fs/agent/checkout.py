"""How the agent gets a job's project folder; the command line plugs `checkout` in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from c3fs.core.ref import Ref

Checkout = Callable[[Ref, bytes], Awaitable[None]]
"""Copies the published tree that the frozen ref names to the directory of that path, which it makes: contents, modes,
times and symlinks. Raises C3Error or OSError; cancelled at any point, or failed, it leaves a part of the copy."""
