"""How far long work has come: a bar on a terminal, a plain line every few seconds anywhere else. On stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from c3fs.cli.output import note, quote
from c3fs.cli.settings import wants_no_colour
from c3fs.core.sizes import format_size

LINE_EVERY: Final = 5.0
"""Seconds between plain lines: enough to see that it lives, few enough for a log."""

Advance = Callable[[int], None]
"""Told the bytes done so far."""


@contextmanager
def progress(title: str, total: int) -> Generator[Advance]:
    """Shows work on `total` bytes while the body runs. Work that ends quickly shows nothing but its result."""
    if sys.stderr.isatty() and not wants_no_colour():
        with _bar(title, total) as advance:
            yield advance
    else:
        yield Lines(title, total, time.monotonic).advance


class Lines:
    """What a log gets; `clock` gives seconds."""

    def __init__(self, title: str, total: int, clock: Callable[[], float]) -> None:
        self._title = title
        self._total = total
        self._clock = clock
        self._begin = self._last = clock()

    def advance(self, done: int) -> None:
        now = self._clock()
        if now - self._last < LINE_EVERY:
            return
        self._last = now
        rate = done / (now - self._begin)
        left = f", {(self._total - done) / rate:.0f} s left" if rate and done < self._total else ""
        note(f"{self._title}: {format_size(done)} of {format_size(self._total)}, {format_size(int(rate))}/s{left}")


@contextmanager
def _bar(title: str, total: int) -> Generator[Advance]:
    """rich is loaded only here: it costs 130 ms, which a command that shows no bar need not pay."""
    from rich import progress as rich
    from rich.console import Console
    from rich.markup import escape
    from rich.text import Text

    class Amount(rich.ProgressColumn):
        """Sizes as everywhere else in c3."""

        def render(self, task: rich.Task) -> Text:
            rate = task.finished_speed or task.speed or 0.0
            return Text(f"{format_size(int(task.completed))} of {format_size(total)}, {format_size(int(rate))}/s")

    columns = (rich.TextColumn("{task.description}"), rich.BarColumn(), Amount(), rich.TimeRemainingColumn())
    title = escape(quote(os.fsencode(title)))
    with rich.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=done)
