"""Rounds: c3fs and its peer take turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.bench.measures import Bench
from tests.bench.report import Row


@dataclass(slots=True)
class Run:
    """One run of the bench: what it has measured so far. `memory` is in bytes, `single` has what no peer does, as it
    is to be shown."""

    bench: Bench
    rounds: int
    rows: list[Row] = field(default_factory=list[Row])
    memory: dict[str, int] = field(default_factory=dict[str, int])
    single: dict[str, str] = field(default_factory=dict[str, str])

    def measure(
        self,
        name: str,
        ours: Callable[[], float],
        theirs: Callable[[], float],
        peer: str,
        amount: float = 0,
        unit: str = "",
    ) -> None:
        """Take turns, c3fs first in every other round, so that a slow minute hits both."""
        row = Row(name, peer, amount, unit)
        for turn in range(self.rounds):
            if turn % 2:
                row.theirs.append(theirs())
            row.ours.append(ours())
            if not turn % 2:
                row.theirs.append(theirs())
        self.rows.append(row)
        print("  ".join(row.cells()), flush=True)
