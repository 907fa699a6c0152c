"""Rounds of (c3fs, peer) seconds as medians, spread and ratios; JSON for machines, a table for people."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(slots=True)
class Row:
    """One measure. `amount` over seconds gives the rate in `unit`; peer lists are empty without a peer."""

    name: str
    peer: str
    amount: float
    unit: str
    ours: list[float] = field(default_factory=list[float])
    theirs: list[float] = field(default_factory=list[float])

    def ratio(self) -> float | None:
        """How many times the peer's speed c3fs has: the median over the rounds, pair by pair."""
        pairs = list(zip(self.ours, self.theirs, strict=False))
        return statistics.median(theirs / ours for ours, theirs in pairs) if pairs else None

    def cells(self) -> list[str]:
        ratio = self.ratio()
        return [
            self.name,
            self._rate(self.ours),
            self._rate(self.theirs) if self.theirs else "",
            self.peer,
            "" if ratio is None else f"{ratio:.2f}x",
        ]

    def _rate(self, seconds: list[float]) -> str:
        middle, low, high = statistics.median(seconds), min(seconds), max(seconds)
        if not self.unit:
            return f"{middle:.2f} s ({low:.2f}-{high:.2f})"
        rates = (self.amount / middle, self.amount / high, self.amount / low)
        return "{:,.0f} {unit} ({:,.0f}-{:,.0f})".format(*rates, unit=self.unit)


class Measured(Protocol):
    """A run of the bench (tests.bench.rounds.Run)."""

    rows: list[Row]
    memory: dict[str, int]
    single: dict[str, str]


def table(run: Measured) -> str:
    """Markdown, as README shows it."""
    lines = ["| measure | c3fs | peer | which | c3fs is |", "|---|---|---|---|---|"]
    lines += ["| " + " | ".join(row.cells()) + " |" for row in run.rows]
    if run.single:
        lines += ["", "| without a peer | |", "|---|---|"]
        lines += [f"| {name} | {shown} |" for name, shown in run.single.items()]
    if run.memory:
        lines += ["", "| peak memory of the mount process | MiB |", "|---|---|"]
        lines += [f"| {name} | {size >> 20} |" for name, size in run.memory.items()]
    return "\n".join(lines)


def write(directory: Path, run: Measured) -> str:
    """Both forms into `directory`; the table."""
    directory.mkdir(parents=True, exist_ok=True)
    text = table(run)
    (directory / "bench.md").write_text(text + "\n")
    record = {
        "rows": [
            {"name": row.name, "peer": row.peer, "amount": row.amount, "unit": row.unit, "c3fs_s": row.ours,
             "peer_s": row.theirs, "ratio": row.ratio()}
            for row in run.rows
        ],
        "single": run.single,
        "peak_memory_bytes": run.memory,
    }  # fmt: skip
    (directory / "bench.json").write_text(json.dumps(record, indent=1) + "\n")
    return text
