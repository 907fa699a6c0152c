"""How the agent has the artifacts collected, uploaded and registered; the command line plugs `publish` in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from c3fs.core.ref import Ref


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """Publish `outputs`, directories relative to `base`, as the tree that `ref` names.

    `complete` goes into the manifest: False says that the job did not succeed. A `best_effort` leaves out what
    cannot be collected, with a warning; otherwise that is a CollectError.
    """

    ref: Ref
    base: bytes
    outputs: tuple[bytes, ...]
    complete: bool
    best_effort: bool


@dataclass(frozen=True, slots=True)
class Publication:
    """What was published: files and their bytes, bytes newly charged to the account, and what to warn of."""

    files: int
    bytes: int
    charged: int
    warnings: Sequence[str] = ()


Publish = Callable[[PublishRequest], Awaitable[Publication]]
"""Raises C3Error or OSError when the artifacts are not stored; may be cancelled at any point, and has then
published nothing."""
