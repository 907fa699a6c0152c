"""What of a project folder a job does not get.

Patterns as in .gitignore, of which the last one that matches decides: the built-in ones, the spec's own output
directories, then the lines of `.c3ignore` at the top of the project, which can take any of those back (`!.git`). What
no line takes back are c3's own directories, when they lie in the project: a store must not publish itself.

A directory that is ignored is not entered, so nothing below it can be taken back; git has it so. Only the one at the
top counts: what a nested `.c3ignore` hides would be found out in the middle of the upload. Differences from git: `?` is
a character, not a byte, and a pattern that can match nothing, which git passes over, is an error at its line.

pathspec translates a pattern to a regular expression. Which pattern decides is decided here: pathspec also lets
patterns of a directory speak for what is below it, which a walk from the top has asked already.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pathspec.patterns.gitignore import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from c3fs.core.jobspec import ARTIFACTS
from c3fs.errors import InvalidIgnoreError

NAME: Final = ".c3ignore"
PULLED: Final = f"/job_{'[0-9]' * 13}_{'[0-9a-z]' * 6}/"
"""What `c3 pull` makes."""
BUILT_IN: Final = (".git/", ".venv/", "node_modules/", "__pycache__/", f"/{ARTIFACTS}", PULLED)
TEXT_MAX: Final = 128 << 10
"""Bytes in a `.c3ignore`; every pattern is tried on every name."""
_INSIDE: Final = "ps_d"
"""pathspec's group that takes part when a pattern has matched a directory above."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """`line` is where it was written, 0 if it is built in."""

    text: str
    line: int
    ignores: bool
    directories_only: bool
    expression: re.Pattern[str]

    def matches(self, path: str, is_directory: bool) -> bool:
        if self.directories_only and not is_directory:
            return False
        found = self.expression.search(path)
        return found is not None and found.groupdict().get(_INSIDE) is None


class Ignore:
    """Asked of a walk from the top: it takes for granted that nothing above a path is ignored."""

    def __init__(self, patterns: Iterable[Pattern], own: Iterable[bytes] = ()) -> None:
        self._latest_first = tuple(reversed(tuple(patterns)))
        self._own = frozenset(own)

    def skip(self, path: bytes, is_directory: bool) -> bool:
        """Whether the job does not get what lies at `path`, relative to the project."""
        if is_directory and path in self._own:
            return True
        decisive = self._decisive(path, is_directory)
        return decisive is not None and decisive.ignores

    def why(self, path: bytes) -> str | None:
        """What keeps the file at `path`, or a directory above it, from the job; None if the job gets it."""
        parts = path.split(b"/")
        for count in range(1, len(parts) + 1):
            above, is_directory = b"/".join(parts[:count]), count < len(parts)
            if self.skip(above, is_directory):
                return self._said(self._decisive(above, is_directory), above)
        return None

    def _said(self, decisive: Pattern | None, path: bytes) -> str:
        if decisive is None or not decisive.ignores:
            return "lies in a directory of c3's own"
        if decisive.line:
            return f"is ignored: `{decisive.text}` in line {decisive.line} of {NAME}"
        return f"is ignored: `{decisive.text}` is built in; `!{os.fsdecode(path)}` in {NAME} takes it back"

    def _decisive(self, path: bytes, is_directory: bool) -> Pattern | None:
        # A line of the file holds no newline, and `$` would match before one at the end of a name.
        text = path.decode("utf-8", "surrogateescape").replace("\n", "\0")
        return next((pattern for pattern in self._latest_first if pattern.matches(text, is_directory)), None)


def load_ignore(folder: str, outputs: Iterable[str], own: Iterable[str]) -> Ignore:
    """What the project in `folder` ignores: `outputs` are its output directories, `own` the absolute paths of c3's
    directories. Raises InvalidIgnoreError."""
    path = os.path.join(folder, NAME)
    built_in = [*BUILT_IN, *map(_literal, outputs)]
    patterns = [pattern for text in built_in if (pattern := compile_pattern(text, path, 0)) is not None]
    if os.path.lexists(path):
        for number, line in enumerate(_read(path).split("\n"), start=1):
            pattern = compile_pattern(line.removesuffix("\r"), path, number)
            if pattern is not None:
                patterns.append(pattern)
    return Ignore(patterns, _inside(folder, own))


def compile_pattern(text: str, path: str, line: int) -> Pattern | None:
    """None for a comment or a line with nothing in it; raises InvalidIgnoreError, naming `path` and `line`."""
    if not text.endswith("\\ "):
        text = text.rstrip()
    if not text or text.startswith("#"):
        return None
    bare = text.rstrip("/")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # of what brackets in brackets may mean one day
            source, ignores = GitIgnoreSpecPattern.pattern_to_regex(bare or "/")
            expression = None if source is None else re.compile(source)
    except (GitIgnorePatternError, re.error, FutureWarning):
        expression = ignores = None
    if expression is None or ignores is None:
        hint = "; write \\[ for a [ that stands for itself" if "[" in text else ""
        raise InvalidIgnoreError(path, line, f"{text!r} is not a pattern that can match anything{hint}")
    return Pattern(text, line, ignores, bare != text, expression)


def _literal(output: str) -> str:
    """The pattern of that directory alone."""
    escaped = GitIgnoreSpecPattern.escape(output)
    return "/" + (f"{escaped[:-1]}\\ " if escaped.endswith(" ") else escaped)


def _inside(folder: str, own: Iterable[str]) -> list[bytes]:
    top = os.path.realpath(os.fsencode(folder))
    paths = (os.path.realpath(os.fsencode(path)) for path in own)
    return [os.path.relpath(path, top) for path in paths if path.startswith(top + b"/")]


def _read(path: str) -> str:
    if not os.path.isfile(path):
        raise InvalidIgnoreError(path, 1, "not a regular file")
    try:
        with open(path, "rb") as file:
            data = file.read(TEXT_MAX + 1)
    except OSError as error:
        raise InvalidIgnoreError(path, 1, f"cannot be read: {error.strerror}") from error
    if len(data) > TEXT_MAX:
        raise InvalidIgnoreError(path, 1, f"larger than {TEXT_MAX >> 10} KiB")
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InvalidIgnoreError(path, line, "not UTF-8; save the file as UTF-8") from error
