"""The job spec: what a `.c3` file says, checked, with the place of everything that is checked again later.

    project: my-project            # default: the folder's name
    script: run.sh                 # required: a bash script of the project, or the commands themselves
    job_name: train
    time: 01:30:00                 # HH:MM:SS; the script is ended after it
    datasets:
      - ref: /jobs/job_…           # or what it names when the job is made: /projects/p/jobs/@last, /datasets/n
        mount: /data/weights       # default: /data/<last part of ref>
    output: [checkpoints, plots]   # collected besides $C3_ARTIFACTS_DIR

Parsing (core.jobfile) is pure: whether a ref exists, where the working directory lies and whether the script's
file is there is asked later, and answered with the line that the job spec remembers.
"""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

import msgspec

from c3fs.core.mountpoints import Surroundings, find_clash, is_inside, normalise, refuse_mount
from c3fs.errors import InvalidFormatError, InvalidJobSpecError

ARTIFACTS: Final = "artifacts"
"""The directory, relative to the working directory, that $C3_ARTIFACTS_DIR names."""

_WORD: Final = re.compile(r"[^\s;&|<>()$`\\\"'*?\[\]#~={}!]+\Z")


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Placed(_Record, frozen=True):
    """Something of the job spec, with the line and column where it was written, counted from 1."""

    line: int
    column: int


class Script(Placed, frozen=True):
    """`text` is the name of a bash script, or else the commands; see `word`."""

    text: str

    @property
    def word(self) -> str | None:
        """The text, if it can be a file's name: one word that bash would take as it is."""
        word = self.text.strip()
        return word if _WORD.match(word) else None


class DatasetMount(Placed, frozen=True):
    """Mounts `ref` at `mount`: a normalised path, absolute or relative to the working directory. `mount_at` is
    where the mount point was written: the ref's place, if it was not.

    In a job's record the ref is frozen, and `asked` what was written when that was not: /projects/p/jobs/@last."""

    ref: str
    mount: str
    mount_at: Placed
    asked: str = ""


class OutputDir(Placed, frozen=True):
    """A directory to collect, normalised and relative to the working directory."""

    path: str


class MountPoint(NamedTuple):
    """Where on this machine a data set is to be mounted: an absolute path."""

    dataset: DatasetMount
    path: str


class JobSpec(_Record, frozen=True):
    """`path` is the file it was read from; `time` the seconds the script may take. `ignored` has the keys that
    the local runner ignores with their values, those of a mapping as `docker.image`."""

    path: str
    project: str
    name: str
    script: Script
    time: int | None
    datasets: tuple[DatasetMount, ...]
    outputs: tuple[OutputDir, ...]
    ignored: dict[str, str]

    def error(self, placed: Placed, why: str) -> InvalidJobSpecError:
        """The error that says `why` of `placed`, naming its line."""
        return InvalidJobSpecError(self.path, placed.line, placed.column, why)

    def collected(self) -> tuple[tuple[OutputDir, ...], tuple[str, ...]]:
        """The output directories to collect, $C3_ARTIFACTS_DIR first, none inside another, and a warning for
        each that was written but is collected anyway."""
        kept = [OutputDir(0, 0, ARTIFACTS)]
        warnings: list[str] = []
        for output in sorted(self.outputs, key=lambda output: output.path.count("/")):
            above = next((other for other in kept if is_inside(output.path, other.path)), None)
            if above is None:
                kept.append(output)
                continue
            where = "$C3_ARTIFACTS_DIR" if above.line == 0 else f"output {above.path!r} of line {above.line}"
            warnings.append(str(self.error(output, f"{output.path!r} is collected once, with {where}")))
        return tuple(kept), tuple(warnings)

    def mount_points(self, workdir: str, reserved: tuple[str, ...] = ()) -> tuple[MountPoint, ...]:
        """Where the data sets go when the working directory is `workdir`, an absolute path; nothing may hide
        `reserved`. Raises InvalidJobSpecError at the line of a mount point that is refused."""
        points = [MountPoint(dataset, _absolute(dataset.mount, workdir)) for dataset in self.datasets]
        self.check_mount_points(points, workdir, reserved)
        return tuple(points)

    def check_mount_points(self, points: list[MountPoint], workdir: str, reserved: tuple[str, ...] = ()) -> None:
        """As `mount_points`, of points whose symlinks have been resolved in between."""
        collected = tuple(f"{workdir}/{output.path}" for output in self.collected()[0])
        around = Surroundings(workdir, collected, reserved)
        for dataset, path in points:
            why = refuse_mount(path, around)
            if why is not None:
                raise self.error(dataset.mount_at, f"mount point {_shown(dataset, path, workdir)} {why}")
        clash = find_clash([path for _, path in points])
        if clash is not None:
            first, second = points[clash.first], points[clash.second]
            what = f"mount point {_shown(*second, workdir)} {clash.why} {_shown(*first, workdir)}"
            raise self.error(second.dataset.mount_at, f"{what} of line {first.dataset.mount_at.line}")


def _absolute(mount: str, workdir: str) -> str:
    return mount if mount.startswith("/") else normalise(f"{workdir}/{mount}")


def _shown(dataset: DatasetMount, path: str, workdir: str) -> str:
    """As it was written, and where that leads when a symlink leads elsewhere."""
    leads = "" if path == _absolute(dataset.mount, workdir) else f" ({path})"
    return f"{dataset.mount}{leads}"


def encode_job_spec(spec: JobSpec) -> str:
    """Its JSON, for the registry: ASCII, since paths may hold bytes that are no UTF-8 as surrogate escapes."""
    return json.dumps(msgspec.to_builtins(spec))


def decode_job_spec(text: str) -> JobSpec:
    """Raises InvalidFormatError."""
    try:
        return msgspec.convert(json.loads(text), JobSpec)
    except (ValueError, RecursionError) as error:  # msgspec's own is a ValueError too
        raise InvalidFormatError("job spec", str(error)) from error
