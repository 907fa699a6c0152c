"""Where what is copied to a data set lands in it: cp's rules, asked of the newest version's tree.

To the data set itself: one directory becomes the whole next version, anything else is added under its own name. To a
sub-path: into it if it is a directory, else as it. Symlinks in the tree are names, never followed: one that lies there
is replaced, where cp would go where it leads.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from c3fs.cli.exits import UsageError
from c3fs.cli.operands import DatasetPath
from c3fs.core.manifest import Manifest
from c3fs.data.walk import Side, directory_of
from c3fs.errors import NotDirectoryError, PathNotFoundError, RefNotFoundError
from c3fs.vfs.tree import Tree


class Thing(NamedTuple):
    """What is copied; `contents` when it is SRC/., what is in a directory."""

    name: bytes
    is_directory: bool
    contents: bool


class Newest(NamedTuple):
    manifest: Manifest
    tree: Tree


async def paths_of(things: Sequence[Thing], target: DatasetPath, newest: Newest | None) -> list[tuple[bytes, ...]]:
    """The names under which each of `things` is put; none for one that becomes the whole. `newest` is None when the
    data set has no version yet: then directories on the way are made.

    Raises UsageError, NotDirectoryError, RefNotFoundError, and what reading the tree may.
    """
    if not target.path:
        return _at_top(things, target)
    there = None if newest is None else await _there(target, newest)
    if there is not None and directory_of(there) is not None:
        return [target.path if thing.contents else (*target.path, thing.name) for thing in things]
    is_directory = all(thing.is_directory for thing in things)
    if len(things) > 1 or (not is_directory and target.must_be_directory) or (is_directory and there is not None):
        raise NotDirectoryError(os.fsencode(target.text))
    return [target.path]


def _at_top(things: Sequence[Thing], target: DatasetPath) -> list[tuple[bytes, ...]]:
    if len(things) == 1 and things[0].is_directory:
        return [()]
    if any(thing.contents for thing in things):
        raise UsageError(
            f"what is in a directory becomes all of {target.text}: copy that one alone, or name a sub-path"
        )
    return [(thing.name,) for thing in things]


async def _there(target: DatasetPath, newest: Newest) -> Side | None:
    """What has the last name now."""
    above = target.path[:-1]
    try:
        parent = await newest.tree.resolve(above)
    except PathNotFoundError:
        path = "/".join([newest.manifest.ref, *map(os.fsdecode, above)])
        raise RefNotFoundError(path, "no such directory; cp makes none on the way") from None
    directory = directory_of(parent)
    if directory is None:
        raise NotDirectoryError(b"/".join(above))
    return await newest.tree.find(directory, target.path[-1])
