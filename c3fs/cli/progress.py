"""How far long work has come: a bar on a terminal, a plain line every few seconds anywhere else. On stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Final

from c3fs.cli.output import note, quote
from c3fs.cli.settings import wants_no_colour
from c3fs.core.sizes import format_size

LINE_EVERY: Final = 5.0
"""Seconds between plain lines: enough to see that it lives, few enough for a log."""
BAR_AFTER: Final = 0.5
"""Seconds that work takes before it has a bar; a bar that flashes up tells nobody anything."""

Advance = Callable[[int], None]
"""Told the bytes done so far."""


@contextmanager
def progress(title: str, total: int | None) -> Generator[Advance]:
    """Shows work on `total` bytes, None if nobody knows, while the body runs. Work that ends quickly shows nothing but
    its result."""
    if sys.stderr.isatty() and not wants_no_colour():
        with ExitStack() as stack:
            yield Late(lambda: stack.enter_context(_bar(title, total)), time.monotonic).advance
    else:
        yield Lines(title, total, time.monotonic).advance


class Late:
    """Shows what `begin` shows, once the work takes long; `clock` gives seconds."""

    def __init__(self, begin: Callable[[], Advance], clock: Callable[[], float]) -> None:
        self._begin = begin
        self._clock = clock
        self._at = clock() + BAR_AFTER
        self._shown: Advance | None = None

    def advance(self, done: int) -> None:
        if self._shown is None:
            if self._clock() < self._at:
                return
            self._shown = self._begin()
        self._shown(done)


class Lines:
    """What a log gets; `clock` gives seconds."""

    def __init__(self, title: str, total: int | None, clock: Callable[[], float]) -> None:
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
        left = f", {(self._total - done) / rate:.0f} s left" if self._total and rate and done < self._total else ""
        note(f"{self._title}: {_amount(done, self._total)}, {format_size(int(rate))}/s{left}")


@contextmanager
def _bar(title: str, total: int | None) -> Generator[Advance]:
    """rich is loaded only here: it costs 130 ms, which a command that shows no bar need not pay."""
    from rich import progress as rich
    from rich.console import Console
    from rich.markup import escape
    from rich.text import Text

    class Amount(rich.ProgressColumn):
        """Sizes as everywhere else in c3."""

        def render(self, task: rich.Task) -> Text:
            rate = task.finished_speed or task.speed or 0.0
            return Text(f"{_amount(int(task.completed), total)}, {format_size(int(rate))}/s")

    columns = (rich.TextColumn("{task.description}"), rich.BarColumn(), Amount(), rich.TimeRemainingColumn())
    title = escape(quote(os.fsencode(title)))
    with rich.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=done)


def _amount(done: int, total: int | None) -> str:
    return format_size(done) if total is None else f"{format_size(done)} of {format_size(total)}"
