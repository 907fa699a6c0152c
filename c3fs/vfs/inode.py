"""Inode numbers are arithmetic: see the package's docstring."""

from __future__ import annotations

from typing import Final

ROOT: Final = 1
_POSITION_BITS: Final = 24
_POSITION: Final = (1 << _POSITION_BITS) - 1
_DIRECTORY: Final = 1
_FIRST: Final = 2


def of_directory(number: int) -> int:
    return number << _POSITION_BITS | _DIRECTORY


def of_entry(number: int, position: int) -> int:
    """Of the file or symlink at `position` of directory `number`."""
    return number << _POSITION_BITS | position + _FIRST


def is_directory(inode: int) -> bool:
    return inode & _POSITION == _DIRECTORY


def number_of(inode: int) -> int:
    """The number of the directory that the inode is, or is in."""
    return inode >> _POSITION_BITS


def position_of(inode: int) -> int:
    """The position of the file or symlink in its directory; negative for an inode nobody was given."""
    return (inode & _POSITION) - _FIRST
