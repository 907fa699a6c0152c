"""Results on stdout, notes on stderr: names of any bytes, tables that align, JSON that stays ASCII.

Names go out raw when stdout is no terminal, as GNU ls writes them, so that `xargs` gets back what is there. On a
terminal, bytes that are no printable UTF-8 are shown as `$'\\n'`: a name must not move the cursor.
"""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from c3fs.cli.settings import wants_no_colour

BOLD_BLUE: Final = "1;34"
CYAN: Final = "36"
GREEN: Final = "32"
RED: Final = "31"
YELLOW: Final = "33"

_FIRST_SECOND: Final = -62_135_596_800 + 86_400
_LAST_SECOND: Final = 253_402_300_799 - 86_400
"""The years 1 to 9999, less a day for any time zone."""
_NO_WIDTH: Final = frozenset({"Mn", "Me", "Cf"})
_SAFE = re.compile(r"[\w@%+=:,./-]+\Z")


def on_terminal() -> bool:
    return sys.stdout.isatty()


def paint(text: str, colour: str | None) -> str:
    """`text` in the colour, if stdout is a terminal that wants any."""
    if colour is None or not text or not on_terminal() or wants_no_colour():
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"


def write(text: str) -> None:
    """To stdout; surrogate escapes become the bytes they stand for."""
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))


def write_bytes(data: bytes) -> None:
    sys.stdout.buffer.write(data)


def flush() -> None:
    sys.stdout.buffer.flush()


def write_json(value: object) -> None:
    """On one line; names that are no UTF-8 keep their odd bytes as lone surrogates (`os.fsencode` undoes it)."""
    write(json.dumps(value) + "\n")


def note(text: str, program: str = "c3") -> None:
    """One line on stderr for people; nothing depends on it."""
    line = text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    print(f"{program}: {line}", file=sys.stderr, flush=True)


def counted(number: int, word: str) -> str:
    """ "1 file", "2 files"."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def shown(name: bytes) -> str:
    """The name as stdout gets it."""
    return quote(name) if on_terminal() else os.fsdecode(name)


def cells(text: str) -> int:
    """Columns of a terminal that `text` takes: two for a wide letter, none for what goes with the one before."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(c) in _NO_WIDTH else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def printable(text: str) -> str:
    """A name that people chose, without what would move a terminal's cursor or turn the line around."""
    return "".join(c if c.isprintable() or c == "\u200d" else "\ufffd" for c in text) if on_terminal() else text


def quote(name: bytes) -> str:
    """The name as a shell would take it back, without a byte that a terminal obeys."""
    text = name.decode("utf-8", "surrogateescape")
    if _SAFE.match(text):
        return text
    parts = re.split(r"([^\x20-\x7e]+)", text)
    return "".join(_quote_odd(part) if at % 2 else _quote_plain(part) for at, part in enumerate(parts)) or "''"


def _quote_plain(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'" if text else ""


def _quote_odd(text: str) -> str:
    """Printable letters of any script as they are, the rest as $'\\ooo'."""
    runs = ("".join(run) for _, run in groupby(text, str.isprintable))
    return "".join(run if run.isprintable() else _escape(run) for run in runs)


def _escape(text: str) -> str:
    raw = text.encode("utf-8", "surrogateescape")
    short = {0x0A: "\\n", 0x09: "\\t", 0x0D: "\\r", 0x1B: "\\e"}
    return "$'" + "".join(short.get(byte, f"\\{byte:03o}") for byte in raw) + "'"


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Sequence[str] = (),
    colours: Mapping[str, Callable[[str], str | None]] | None = None,
) -> None:
    """Rows under headers, columns two blanks apart; those named in `right` align there. No trailing blanks."""
    lines = [list(row) for row in rows]
    widths = [max(map(cells, column)) for column in zip(headers, *lines, strict=True)]
    colours = colours or {}

    def framed(header: str, width: int, text: str, colour: str | None) -> str:
        pad = " " * (width - cells(text))
        return pad + paint(text, colour) if header in right else paint(text, colour) + pad

    for number, line in enumerate([headers, *lines]):
        framed_cells = [
            framed(header, width, text, colours[header](text) if number and header in colours else None)
            for header, width, text in zip(headers, widths, line, strict=True)
        ]
        write("  ".join(framed_cells).rstrip() + "\n")


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the millisecond."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_iso(text: str) -> datetime:
    """The moment that `iso` or a manifest wrote."""
    return datetime.fromisoformat(text)


def iso_ns(ns: int) -> str:
    """The same of a file's time, to the nanosecond."""
    return f"{moment_of(ns):%Y-%m-%dT%H:%M:%S}.{ns % 10**9:09}Z"


def moment_of(ns: int) -> datetime:
    """The nearest a datetime can tell: a file may claim a year that it cannot."""
    return datetime.fromtimestamp(min(max(ns // 10**9, _FIRST_SECOND), _LAST_SECOND), UTC)


def local(moment: datetime) -> str:
    """For people: to the minute, in their own time zone."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def local_seconds(moment: datetime) -> str:
    """The same to the second."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
