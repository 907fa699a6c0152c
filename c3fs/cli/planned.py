"""What `--dry-run` of a copy shows: `SRC -> DST`, a file a line, as it is found."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from c3fs.cli import output


class Planned:
    """On stdout; with `as_json` one array, a file a line."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._before = "[\n"

    def file(self, source: bytes, path: bytes) -> None:
        if self._as_json:
            row = {"source": os.fsdecode(source), "path": os.fsdecode(path)}
            output.write(self._before + json.dumps(row))
            self._before = ",\n"
        else:
            output.write(f"{output.shown(source)} -> {output.shown(path)}\n")

    def below(self, source: bytes, top: bytes) -> Callable[[bytes], None]:
        """Takes the paths at and below `top` that what is at and below `source` would get."""
        return lambda path: self.file(source + path[len(top) :], os.path.normpath(path))

    def end(self) -> None:
        if self._as_json:
            output.write("[]\n" if self._before == "[\n" else "\n]\n")
        output.flush()
