"""What a job spec needs of the world, asked before the job starts; errors name the line of the `.c3` file."""

from __future__ import annotations

import os

from msgspec import structs

from c3fs.core.jobspec import DatasetMount, JobSpec, MountPoint
from c3fs.core.mountpoints import normalise
from c3fs.core.ref import parse_ref
from c3fs.errors import JobNotFinishedError, NotFoundError
from c3fs.registry.base import Registry


def find_script(spec: JobSpec, folder: str) -> str | None:
    """The file that `script:` names, relative to the project `folder`; None if it is commands.

    Any one word is a file's name when there is such a file, and one with a slash or that ends in `.sh` must be.
    Raises InvalidJobSpecError.
    """
    word = spec.script.word
    if word is None or word.startswith("/"):
        return None
    path = normalise(word)
    if path.startswith(".."):
        raise spec.error(spec.script, f"script {word!r} lies outside the project")
    full = os.path.join(folder, path)
    if os.path.isfile(full):
        _check_line_ends(spec, full, path)
        return path
    if "/" in word or word.endswith(".sh"):
        why = "is a directory" if os.path.isdir(full) else "does not exist; the path is relative to the .c3 file"
        raise spec.error(spec.script, f"script {word!r} {why}")
    return None


def _check_line_ends(spec: JobSpec, full: str, path: str) -> None:
    try:
        with open(full, "rb") as file:
            windows = file.readline(4096).endswith(b"\r\n")
    except OSError as error:
        raise spec.error(spec.script, f"script {path!r} cannot be read: {error.strerror}") from error
    if windows:
        hint = rf"sed -i 's/\r$//' {path}"
        raise spec.error(spec.script, f"script {path!r} has Windows line ends, which bash cannot run; `{hint}`")


async def freeze_refs(spec: JobSpec, registry: Registry) -> JobSpec:
    """The spec with each ref frozen to what it names now, and what was written kept beside it.

    Raises InvalidJobSpecError for a ref that names nothing, or whose job has not ended; StoreUnavailableError.
    """
    return structs.replace(spec, datasets=tuple([await _frozen(spec, dataset, registry) for dataset in spec.datasets]))


async def _frozen(spec: JobSpec, dataset: DatasetMount, registry: Registry) -> DatasetMount:
    written = parse_ref(dataset.ref)
    try:
        frozen = await registry.resolve(written)
    except (NotFoundError, JobNotFinishedError) as error:
        raise spec.error(dataset, str(error)) from error
    return structs.replace(dataset, ref=str(frozen), asked="" if written.frozen else str(written))


async def check_refs(spec: JobSpec, registry: Registry) -> tuple[str, ...]:
    """A warning for each data set that is not all its job made. Raises InvalidJobSpecError for a ref that does not
    exist or whose job has not ended; StoreUnavailableError."""
    warnings: list[str] = []
    for dataset in spec.datasets:
        try:
            manifest = await registry.manifest(parse_ref(dataset.ref))
        except (NotFoundError, JobNotFinishedError) as error:
            raise spec.error(dataset, str(error)) from error
        if not manifest.complete:
            warnings.append(f"{dataset.ref} is incomplete: it has what could be saved of a job that did not succeed")
    return tuple(warnings)


def resolve_mount_points(spec: JobSpec, workdir: str, reserved: tuple[str, ...]) -> tuple[MountPoint, ...]:
    """The mount points on this machine, symlinks resolved, checked before and after; `workdir` is resolved.

    `reserved` are c3's own directories. Raises InvalidJobSpecError.
    """
    resolved_reserved = tuple(os.path.realpath(path) for path in reserved)
    points = [MountPoint(dataset, os.path.realpath(path)) for dataset, path in spec.mount_points(workdir, reserved)]
    spec.check_mount_points(points, workdir, resolved_reserved)
    for dataset, path in points:
        above = path
        while not os.path.lexists(above):
            above = os.path.dirname(above)
        if not os.path.isdir(above):
            raise spec.error(dataset.mount_at, f"mount point {dataset.mount}: {above} is not a directory")
    return tuple(points)
