"""What the registry needs to know of a kind of database: how to read and write, and what its errors mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from c3fs.errors import C3Error


class Fault(NamedTuple):
    """What an error of the database means.

    `again`: nothing has happened, and the whole transaction may be tried again. `lost`: the connection is gone, so if
    that was met at COMMIT nobody knows whether it has happened.
    """

    error: C3Error
    again: bool
    lost: bool = False


@dataclass(frozen=True)
class Engines:
    """One database. `reading` and `writing` share a pool of `connections`; `migrating` is for changing the tables,
    where the bounds are wider. `name` is its address without secrets, `advice` what else to do when it cannot be used.

    A transaction is tried `tries` times, and not again when `within` seconds have passed since the first.
    """

    name: str
    reading: Engine
    writing: Engine
    migrating: Engine
    connections: int
    tries: int
    within: float
    pause: float
    advice: str
    fault: Callable[[DBAPIError], Fault]
