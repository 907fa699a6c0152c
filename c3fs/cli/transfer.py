"""One published tree, or a part of it, onto the local disk; what `c3 data cp` and `c3 pull` share."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

from c3fs.cli.output import counted, note, quote
from c3fs.cli.progress import progress
from c3fs.cli.wiring import View
from c3fs.core.directory import Directory
from c3fs.core.manifest import Manifest
from c3fs.core.sizes import format_size
from c3fs.data.download import Download, Downloaded, nobody
from c3fs.data.walk import Side, directory_of
from c3fs.errors import DownloadError
from c3fs.vfs.tree import DirectoryFacts, Found


@dataclass(frozen=True, slots=True)
class How:
    """`force`: also what is there already. A `dry_run` writes nothing. `each` gets the path of every file that is
    written, or would be."""

    force: bool = False
    dry_run: bool = False
    each: Callable[[bytes], None] = nobody


async def copy(view: View, source: Side, parent: bytes, name: bytes, how: How) -> Downloaded:
    """Whatever is at `source` as `name` in the existing directory `parent` (empty: the current one).

    Raises DownloadError and what reading may.
    """
    directory = directory_of(source)
    if directory is not None:
        return await copy_directory(view, directory, os.path.join(parent, name), how)
    assert isinstance(source, Found)
    with progress(os.fsdecode(name), getattr(source.entry, "size", 0)) as advance:
        download = _download(view, advance, how)
        await download.one(source, parent or b".", name)
    return download.done


async def copy_directory(view: View, source: DirectoryFacts, destination: bytes, how: How) -> Downloaded:
    """What is in `source` into `destination`, made if missing; raises DownloadError and what reading may."""
    _refuse_symlink(destination)
    with progress(os.fsdecode(os.path.basename(destination)), source.totals.bytes) as advance:
        download = _download(view, advance, how)
        await download.into(source, destination)
    return download.done


def _download(view: View, advance: Callable[[int], None], how: How) -> Download:
    return Download(
        view.tree,
        view.filesystem,
        lambda done: advance(done.bytes),
        force=how.force,
        dry_run=how.dry_run,
        each=how.each,
    )


def report(done: Downloaded, where: bytes, *, dry_run: bool = False) -> None:
    """What was done, in one line on stderr."""
    parts: list[str] = []
    if done.files or not done.intact:
        parts.append(f"{counted(done.files, 'file')}, {format_size(done.bytes)}{' to copy' if dry_run else ''}")
    if done.intact:
        parts.append(f"{counted(done.intact, 'file')} there already and intact")
    note(f"{quote(os.path.normpath(where))}: {'; '.join(parts)}")


def tell_incomplete(manifest: Manifest, name: str) -> None:
    """On stderr, that there is not all in a tree that a job would have made."""
    if not manifest.complete:
        note(f"{quote(os.fsencode(name))}: incomplete, its job did not succeed; some files were not collected")


def target_of(source: Side, last: str, destination: str, *, contents: bool) -> tuple[bytes, bytes]:
    """(existing directory, name in it) that cp would copy `source` to, the former empty for the current one; raises
    DownloadError.

    As GNU cp has it: into DST when that is a directory, else as DST; a DST that ends in a slash must be a
    directory, but for a directory that is copied under a new name. With `contents` (SRC/.) the name is DST's own.
    """
    is_directory = isinstance(source, DirectoryFacts) or isinstance(source.entry, Directory)
    raw = os.fsencode(destination)
    if not raw:
        raise DownloadError(b"''", "an empty path names nothing")
    if os.path.isdir(raw):
        return _named(raw) if contents else (raw, os.fsencode(last))
    bare = raw.rstrip(b"/") or b"/"
    if raw != bare and not is_directory:
        raise DownloadError(raw, "not a directory")
    parent, name = os.path.split(bare)
    if not os.path.isdir(parent or b"."):
        raise DownloadError(parent, "no such directory; make it first")
    if is_directory and os.path.lexists(bare) and not os.path.isdir(bare):
        raise DownloadError(bare, "is not a directory, and a directory cannot replace it")
    return parent, name


def _named(directory: bytes) -> tuple[bytes, bytes]:
    """The parent and the name of an existing directory, which may be written as `.` or be behind a symlink."""
    bare = directory.rstrip(b"/")
    if os.path.islink(bare) or os.path.basename(bare) in (b"", b".", b".."):
        bare = os.path.realpath(directory)
    return os.path.split(bare)


def _refuse_symlink(path: bytes) -> None:
    """A symlink that lies where a directory is to go would lead the copy out of the destination."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise DownloadError(path, error.strerror or "cannot be looked at") from error
    if stat.S_ISLNK(mode):
        raise DownloadError(path, "a symlink is in the way; remove it, or name where it leads")
