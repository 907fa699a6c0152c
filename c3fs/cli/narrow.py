"""Tables on a terminal that is too narrow for them: long cells are cut, then whole columns are left out.

A line that wraps is worse to read than one that tells less. What is piped is never cut.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from c3fs.cli import output

GAP: Final = 2
"""Blanks between columns, as output.table has them."""
CUT_MIN: Final = 10
"""Cells that a column keeps at the least."""


@dataclass(frozen=True, slots=True)
class Priorities:
    """The columns whose cells may be cut, and those that may be left out, the first of them first."""

    cut: tuple[str, ...]
    leave_out: tuple[str, ...]


def terminal_width() -> int | None:
    """Cells of a line; None when stdout is no terminal, which has no width."""
    return shutil.get_terminal_size().columns if output.on_terminal() else None


def fitted(
    headers: Sequence[str], rows: Sequence[Sequence[str]], width: int | None, priorities: Priorities
) -> tuple[list[str], list[list[str]]]:
    """The headers and rows that fit into `width` cells, if any do: what may be cut is cut no further than CUT_MIN."""
    columns = dict(zip(headers, map(list, zip(headers, *rows, strict=True)), strict=True))
    if width is not None:
        widths = {header: max(map(output.cells, column)) for header, column in columns.items()}
        for header in _left_out(widths, width, priorities):
            del columns[header], widths[header]
        for header, most in _cut(widths, width, priorities).items():
            columns[header] = [cut(text, most) for text in columns[header]]
    headers, *lines = map(list, zip(*columns.values(), strict=True))
    return headers, lines


def cut(text: str, most: int) -> str:
    """`text` in at most `most` cells, its end replaced by `…` if it has more."""
    if output.cells(text) <= most:
        return text
    kept, room = "", most - 1
    for letter in text:
        room -= output.cells(letter)
        if room < 0:
            break
        kept += letter
    return kept + "…"


def _left_out(widths: dict[str, int], width: int, priorities: Priorities) -> list[str]:
    """As many columns as there must be, for the rest to fit when it is cut as far as it may."""
    least = {header: min(cells, CUT_MIN) if header in priorities.cut else cells for header, cells in widths.items()}
    over = sum(least.values()) + GAP * (len(least) - 1) - width
    gone: list[str] = []
    for header in priorities.leave_out:
        if over <= 0:
            break
        gone.append(header)
        over -= least[header] + GAP
    return gone


def _cut(widths: dict[str, int], width: int, priorities: Priorities) -> dict[str, int]:
    """How wide the columns that are cut become: the widest first, till all fit."""
    over = sum(widths.values()) + GAP * (len(widths) - 1) - width
    wide = {header: cells for header, cells in widths.items() if header in priorities.cut and cells > CUT_MIN}
    while over > 0 and any(cells > CUT_MIN for cells in wide.values()):
        widest = max(wide, key=lambda header: wide[header])
        wide[widest] -= 1
        over -= 1
    return wide
