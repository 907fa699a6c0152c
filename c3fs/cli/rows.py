"""The three looks of a listing: names, long lines, JSON. All but columns on a terminal stream as rows come."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from typing import Final, Protocol

from c3fs.cli import output
from c3fs.cli.browse import Row
from c3fs.core.sizes import format_size

_GAP: Final = 2
"""Blanks between columns."""


class Printer(Protocol):
    """Told of one directory after another, and of each one's rows in one or several pieces."""

    def header(self, path: str) -> None:
        """What follows is in `path`; only told of when several directories are listed."""
        ...

    def rows(self, path: str, rows: Iterable[Row]) -> None: ...

    def end(self) -> None: ...


class Long:
    """Mode, size, time and name, as `ls -lh` has them; columns of fixed width, so rows need not wait."""

    def __init__(self) -> None:
        self._headers = 0

    def header(self, path: str) -> None:
        _print_header(path, first=self._headers == 0)
        self._headers += 1

    def rows(self, path: str, rows: Iterable[Row]) -> None:
        for row in rows:
            size = "-" if row.size is None else format_size(row.size)
            time = "-" if row.mtime_ns is None else output.local(output.moment_of(row.mtime_ns))
            remark = f"  ({row.remark})" if row.remark else ""
            output.write(f"{row.permissions}  {size:>10}  {time:16}  {painted(row, row.label)}{remark}\n")

    def end(self) -> None:
        output.flush()


class Short:
    """Names: one a line when piped, in columns on a terminal."""

    def __init__(self) -> None:
        self._headers = 0
        self._waiting: list[Row] = []
        self._columns = shutil.get_terminal_size().columns if output.on_terminal() else 0

    def header(self, path: str) -> None:
        self._print_columns()
        _print_header(path, first=self._headers == 0)
        self._headers += 1

    def rows(self, path: str, rows: Iterable[Row]) -> None:
        if self._columns:
            self._waiting.extend(rows)
        else:
            for row in rows:
                output.write(output.shown(row.name) + "\n")

    def end(self) -> None:
        self._print_columns()
        output.flush()

    def _print_columns(self) -> None:
        """Down, then across, as ls does; all columns as wide as the widest name."""
        rows, self._waiting = self._waiting, []
        if not rows:
            return
        names = [output.shown(row.name) for row in rows]
        lengths = [output.cells(name) for name in names]
        width = max(lengths) + _GAP
        height = -(-len(rows) // max((self._columns + _GAP) // width, 1))
        for line in range(height):
            across = range(line, len(rows), height)
            cells = [painted(rows[at], names[at]) + " " * (width - lengths[at]) for at in across]
            output.write("".join(cells).rstrip() + "\n")


class Json:
    """One array, a row a line."""

    def __init__(self) -> None:
        self._before = "[\n"

    def header(self, path: str) -> None:
        return

    def rows(self, path: str, rows: Iterable[Row]) -> None:
        for row in rows:
            output.write(self._before + json.dumps(row.to_json(path)))
            self._before = ",\n"

    def end(self) -> None:
        output.write("[]\n" if self._before == "[\n" else "\n]\n")
        output.flush()


def painted(row: Row, text: str) -> str:
    if row.kind == "directory":
        return output.paint(text, output.BOLD_BLUE)
    if row.kind == "symlink":
        return output.paint(text, output.CYAN)
    return output.paint(text, output.GREEN if row.mode & 0o111 else None)


def _print_header(path: str, *, first: bool) -> None:
    output.write(("" if first else "\n") + f"{output.shown(os.fsencode(path))}:\n")
