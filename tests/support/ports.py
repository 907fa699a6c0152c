"""Free ports on a local address, for servers that must be told theirs."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable
from typing import Final

_FIRST: Final = 15_000
_LAST: Final = 22_000
"""Below what the kernel gives to clients, which begins at 32,768; 10,000 above are SeaweedFS's gRPC ports."""
_TRIES: Final = 200


def free_block(host: str, count: int, above: Iterable[int] = (0,)) -> int:
    """A port p such that p + a, …, p + a + count - 1 are free for every a of `above`. Somebody else may take one before
    the server does: try again then."""
    for _ in range(_TRIES):
        first = random.randrange(_FIRST, _LAST, count)  # other runs of the tests look for some, too
        if all(is_free(host, first + offset + number) for offset in above for number in range(count)):
            return first
    raise AssertionError(f"no {count} free ports on {host}")


def is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
