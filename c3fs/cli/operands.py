"""What SRC and DST of `c3 data cp` mean: refs, or local paths, with what cp reads from their last letters."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass

from c3fs.cli.exits import UsageError
from c3fs.core.ref import Ref, parse_ref
from c3fs.errors import InvalidRefError, NotDirectoryError, PathNotFoundError

_REF = re.compile(r"/(?:jobs|projects|datasets)(?:/|\Z)")
_NO_NAME = (b"", b".", b"..")


@dataclass(frozen=True, slots=True)
class RefSource:
    """`contents` is SRC/., what is in a directory; `must_be_directory` that too, and SRC/."""

    text: str
    ref: Ref
    contents: bool
    must_be_directory: bool

    @property
    def name(self) -> bytes:
        """What it is called where it goes."""
        return os.fsencode(self.ref.last)

    @property
    def shown(self) -> str:
        return self.text.rstrip("/")


@dataclass(frozen=True, slots=True)
class LocalSource:
    """A path that is there. A symlink is not followed, but with a slash behind it, as with cp."""

    text: str
    path: bytes
    contents: bool
    is_directory: bool
    is_symlink: bool

    @property
    def name(self) -> bytes:
        return os.path.basename(self.path.rstrip(b"/"))

    @property
    def shown(self) -> str:
        return self.text.removesuffix("/.").rstrip("/") or "/"


@dataclass(frozen=True, slots=True)
class DatasetPath:
    """A place in a data set's newest version: `ref` without version and sub-path. `must_be_directory` when it was
    written with a slash behind."""

    ref: Ref
    path: tuple[bytes, ...]
    must_be_directory: bool

    @property
    def text(self) -> str:
        return "/".join([str(self.ref), *map(os.fsdecode, self.path)])


def is_ref(text: str) -> bool:
    """Whether `text` is meant as a ref: `//jobs/x` or `./x` is not, nor is what is no place of c3's."""
    return _REF.match(text) is not None


def parse_source(text: str) -> RefSource | LocalSource:
    """Raises InvalidRefError; PathNotFoundError, NotDirectoryError and OSError of a local path."""
    if is_ref(text):
        contents = text.endswith("/.")
        ref = parse_ref(text.removesuffix(".")) if contents else parse_ref(text)
        return RefSource(text.removesuffix("."), ref, contents, contents or text.endswith("/"))
    return _local(text)


def _local(text: str) -> LocalSource:
    path = os.fsencode(text)
    if not path:
        raise UsageError("an empty path names nothing")
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        raise PathNotFoundError(path) from None
    except NotADirectoryError:
        raise NotDirectoryError(path.rstrip(b"/.")) from None
    except ValueError:
        raise UsageError(f"{text!r}: no path holds a zero byte") from None
    is_directory = stat.S_ISDIR(mode)
    contents = is_directory and os.path.basename(path.rstrip(b"/")) in _NO_NAME
    return LocalSource(text, path, contents, is_directory, stat.S_ISLNK(mode))


def parse_dataset_path(text: str) -> DatasetPath:
    """A ref to copy to. Raises UsageError, or InvalidRefError, for one that nothing can be copied to."""
    bare = text.removesuffix(".") if text.endswith("/.") else text
    try:
        ref = parse_ref(bare)
    except InvalidRefError as error:
        if len(bare.strip("/").split("/")) > (3 if bare.startswith("/projects") else 1):
            raise
        what = "/projects/<p>/data/<name>" if bare.startswith("/projects") else "/datasets/<name>"
        raise UsageError(f"{text}: nothing can be copied here; name a data set, {what}") from error
    if ref.kind == "job":
        raise UsageError(f"{text}: a job's artifacts never change; copy to /datasets/<name>")
    if ref.kind == "source":
        raise UsageError(f"{text}: only `c3 deploy` publishes a source; copy to /datasets/<name>")
    if ref.version is not None:
        raise UsageError(f"{text}: a version never changes; copy to {ref.base} and it gets a new one")
    return DatasetPath(ref.without_sub(), ref.sub, bare.endswith("/") and bool(ref.sub))
