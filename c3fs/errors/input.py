"""Input that is refused where it enters."""

from __future__ import annotations

from c3fs.errors.root import C3Error


class InvalidError(C3Error):
    """The input has the wrong form; the same input is never going to be accepted."""


class InvalidDigestError(InvalidError):
    def __init__(self, text: str) -> None:
        super().__init__(f"not a digest (64 lower-case hex digits): {text!r}")
        self.text = text


class InvalidNameError(InvalidError):
    def __init__(self, name: bytes, why: str) -> None:
        super().__init__(f"not a file name: {name!r} {why}")
        self.name = name
        self.why = why


class InvalidRefError(InvalidError):
    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"not a ref: {text!r}: {why}; a ref looks like /jobs/<id> or /jobs/<id>/<sub-path>")
        self.text = text
        self.why = why


class InvalidFormatError(InvalidError):
    """A directory, span list, inventory or manifest that breaks the rules of format 1.

    `why` may quote what came in: the message shows it on one line, and not much of it.
    """

    def __init__(self, what: str, why: str) -> None:
        shown = why[:300]
        super().__init__(f"invalid {what}: {shown if shown.isprintable() else ascii(shown)}")
        self.what = what
        self.why = why


class InvalidJobSpecError(InvalidError):
    """A `.c3` file that is refused; `line` and `column` count from 1."""

    def __init__(self, path: str, line: int, column: int, why: str) -> None:
        super().__init__(f"{path}:{line}:{column}: {why}")
        self.path = path
        self.line = line
        self.column = column
        self.why = why


class InvalidIgnoreError(InvalidError):
    """A line of a `.c3ignore` file that is refused; `line` counts from 1."""

    def __init__(self, path: str, line: int, why: str) -> None:
        super().__init__(f"{path}:{line}: {why}")
        self.path = path
        self.line = line
        self.why = why


class SettingsError(InvalidError):
    """A setting from the environment that is wrong, or names a place that cannot be used."""
