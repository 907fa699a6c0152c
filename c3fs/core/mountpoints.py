"""Where a data set may be mounted, and which directories may be collected: rules about paths as text.

A function that refuses answers why, as the end of a sentence that begins with the path; None means allowed.
Symlinks are not looked at here: whoever knows the machine resolves them and asks again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from c3fs.core.names import NAME_MAX

_PROGRAMS: Final = ("/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/usr")
_MACHINE: Final = ("/boot", "/dev", "/etc", "/proc", "/run", "/sys")
SYSTEM: Final = (*_PROGRAMS, *_MACHINE)
"""Neither these nor anything below them: programs, devices and settings that every process relies on."""

SHARED: Final = ("/", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/tmp", "/var")
"""Not these themselves, since a mount hides all that is there; directories below them are what mounts are for."""

PATH_MAX: Final = 1024
"""Characters; the limit of Linux is 4096 bytes, and the working directory's own path comes before it."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def normalise(path: str) -> str:
    """`path` without doubled slashes and `.`, and with each `..` taken off what is before it."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part == ".." and path.startswith("/"):
            continue
        elif part not in ("", "."):
            parts.append(part)
    return ("/" if path.startswith("/") else "") + "/".join(parts) or "."


def is_inside(path: str, base: str) -> bool:
    """Is normalised `path` the same as `base`, or below it?"""
    return path == base or path.startswith(base.removesuffix("/") + "/")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a mount must not hide, as normalised absolute paths: the job's own directories, and `reserved` ones
    (the store, the cache) that only the working directory may lie in."""

    workdir: str
    collected: tuple[str, ...]
    reserved: tuple[str, ...] = ()


def refuse_text(text: str) -> str | None:
    """What is wrong with a path as it was written, wherever it leads."""
    if not text:
        return "is empty"
    if len(text) > PATH_MAX:
        return f"is longer than {PATH_MAX} characters"
    if _CONTROL.search(text):
        return "holds a control character"
    if text.startswith("~") or "$" in text:
        return "is taken as it is written, so `~` and `$` stand for nothing; write the path out"
    if any(len(part.encode("utf-8", "surrogateescape")) > NAME_MAX for part in text.split("/")):
        return f"has a name longer than {NAME_MAX} bytes"
    return None


def refuse_output(path: str) -> str | None:
    """May the normalised `path` be an output directory?"""
    if path.startswith("/"):
        return "is absolute; output directories are relative to the working directory"
    if path == ".." or path.startswith("../"):
        return "leaves the working directory"
    if path == ".":
        return "is the whole working directory; name the directories that hold results"
    return None


def refuse_mount(path: str, around: Surroundings) -> str | None:
    """May a data set be mounted at the normalised absolute `path`?"""
    if path in SHARED:
        return "would hide all that is there; mount in a directory of its own below it"
    for system in SYSTEM:
        if is_inside(path, system):
            return f"is in the system directory {system}"
    if path == around.workdir:
        return "is the working directory itself"
    if is_inside(around.workdir, path):
        return "would hide the working directory"
    for output in around.collected:
        name = output.removeprefix(around.workdir + "/")
        if is_inside(path, output):
            return f"lies in the output directory {name!r}, and would be collected with it"
        if is_inside(output, path):
            return f"would hide the output directory {name!r}"
    for reserved in around.reserved:
        in_use = is_inside(path, reserved) and not is_inside(path, around.workdir)
        if in_use or is_inside(reserved, path):
            return f"would hide {reserved}, which c3 itself uses"
    return None


class Clash(NamedTuple):
    """Paths number `second` and `first` of a sequence that cannot both be mount points."""

    first: int
    second: int
    why: str


def find_clash(paths: Sequence[str]) -> Clash | None:
    """Mount points that are the same, or one inside another."""
    for second, path in enumerate(paths):
        for first, other in enumerate(paths[:second]):
            if path == other:
                return Clash(first, second, "is also the mount point")
            if is_inside(path, other):
                return Clash(first, second, "lies inside the mount point")
            if is_inside(other, path):
                return Clash(first, second, "would hide the mount point")
    return None
