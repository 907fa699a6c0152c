"""Parses a `.c3` file into a job spec; every error names file, line and column."""

from __future__ import annotations

import difflib
import re
from typing import Final

from c3fs.core import foreign
from c3fs.core.foreign import read_foreign
from c3fs.core.jobspec import DatasetMount, JobSpec, OutputDir, Placed, Script
from c3fs.core.mountpoints import normalise, refuse_output, refuse_text
from c3fs.core.ref import JOB_NAME_MAX, is_job_name, is_project, parse_ref
from c3fs.core.yamltext import Field, Mapping, Node, Position, Scalar, Sequence, one_line, one_value, parse_yaml
from c3fs.errors import InvalidRefError

KEYS: Final = ("project", "script", "job_name", "time", "datasets", "output", *foreign.KEYS)
_DATASET_KEYS: Final = ("ref", "mount")

DATASETS_MAX: Final = 64
"""Each is a process that serves a mount."""

_SLUG_MAX: Final = 63
_TIME: Final = re.compile(r"(\d{1,4}):([0-5]\d):([0-5]\d)\Z")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NO_PLACE: Final = "/\0"
"""Stands for the working directory, which has no place yet; no path that was written holds a NUL."""


def parse_job_spec(text: str, path: str, project: str = "project") -> JobSpec:
    """The job spec that `text`, the content of the `.c3` file at `path`, says.

    `project` is the project when the file names none (see `slug`). Raises InvalidJobSpecError.
    """
    top = parse_yaml(text, path)
    if not isinstance(top, Mapping):
        at = Position(path, 1, 1) if top is None else top.at
        raise at.error("a .c3 file is a list of `key: value` lines, and needs at least `script:`")
    fields = {field.key: field for field in _known(top, KEYS)}
    if "script" not in fields:
        raise top.at.error("`script:` is missing: the bash script to run, like `script: run.sh`")
    named = _project(fields["project"]) if "project" in fields else project
    spec = JobSpec(
        path=path,
        project=named,
        name=_name(fields["job_name"]) if "job_name" in fields else named,
        script=_script(fields["script"]),
        time=_time(fields["time"]) if "time" in fields else None,
        datasets=_datasets(fields["datasets"]) if "datasets" in fields else (),
        outputs=_outputs(fields["output"]) if "output" in fields else (),
        ignored=read_foreign([fields[key] for key in foreign.KEYS if key in fields]),
    )
    spec.mount_points(_NO_PLACE)
    return spec


def slug(name: str) -> str:
    """A project's name made of a folder's."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_SLUG_MAX].strip("-")
    return words if is_project(words) else "project"


# --- the fields ------------------------------------------------------------------------------------------


def _project(field: Field) -> str:
    text = one_line(field)
    if not is_project(text):
        raise field.value.at.error(f"not a project: {text!r}; lower-case letters, digits and hyphens: {slug(text)}")
    return text


def _name(field: Field) -> str:
    text = one_line(field)
    if not is_job_name(text):
        raise field.value.at.error(f"not a job's name: one line of at most {JOB_NAME_MAX} characters, without slashes")
    return text


def _script(field: Field) -> Script:
    text = one_value(field).text.replace("\r\n", "\n")
    at = field.value.at
    if not text.strip():
        raise at.error("`script:` is empty: name the bash script to run, like `script: run.sh`")
    if _CONTROL.search(text):
        raise at.error("`script:` holds a control character")
    return Script(at.line, at.column, text)


def _time(field: Field) -> int:
    text = one_line(field)
    match = _TIME.match(text)
    if match is None:
        raise field.value.at.error(f"not a time: {text!r}; write HH:MM:SS, like 01:30:00")
    hours, minutes, seconds = map(int, match.groups())
    total = hours * 3600 + minutes * 60 + seconds
    if total == 0:
        raise field.value.at.error("a script needs more time than 00:00:00")
    return total


def _datasets(field: Field) -> tuple[DatasetMount, ...]:
    items = _items(field, "a list, each item with `ref:` and, if you like, `mount:`")
    if len(items) > DATASETS_MAX:
        raise field.value.at.error(f"more than {DATASETS_MAX} data sets")
    return tuple(_dataset(item) for item in items)


def _dataset(item: Node) -> DatasetMount:
    if not isinstance(item, Mapping):
        raise item.at.error("a data set is written `- ref: /jobs/<id>` and, if you like, `mount: <path>` below it")
    fields = {field.key: field for field in _known(item, _DATASET_KEYS)}
    if "ref" not in fields:
        raise item.at.error("`ref:` is missing: the data to mount, like `ref: /jobs/<id>`")
    text = one_line(fields["ref"])
    at = fields["ref"].value.at
    try:
        ref = parse_ref(text)
    except InvalidRefError as error:
        raise at.error(str(error)) from None
    if "mount" not in fields:
        return DatasetMount(at.line, at.column, str(ref), f"/data/{ref.last}", Placed(at.line, at.column))
    mount_at = fields["mount"].value.at
    place = Placed(mount_at.line, mount_at.column)
    return DatasetMount(at.line, at.column, str(ref), _mount(fields["mount"]), place)


def _mount(field: Field) -> str:
    text = one_line(field)
    path = normalise(text)
    why = refuse_text(text)
    if why is None and (path == ".." or path.startswith("../")):
        why = "leaves the working directory"
    if why is not None:
        raise field.value.at.error(f"mount point {text!r} {why}")
    return path


def _outputs(field: Field) -> tuple[OutputDir, ...]:
    value = field.value
    lone = isinstance(value, Scalar) and not value.empty
    items = (value,) if lone else _items(field, "a directory or a list of directories")
    return tuple(_output(item) for item in items)


def _output(item: Node) -> OutputDir:
    if not isinstance(item, Scalar) or item.empty:
        raise item.at.error("an output directory is a path relative to the working directory")
    path = normalise(item.text)
    why = refuse_text(item.text) or refuse_output(path)
    if why is not None:
        raise item.at.error(f"output {item.text!r} {why}")
    return OutputDir(item.at.line, item.at.column, path)


# --- the shapes ------------------------------------------------------------------------------------------


def _known(mapping: Mapping, keys: tuple[str, ...]) -> tuple[Field, ...]:
    for field in mapping.fields:
        if field.key not in keys:
            near = difflib.get_close_matches(field.key, keys, n=1)
            hint = f"did you mean `{near[0]}:`?" if near else f"known are {', '.join(keys)}"
            raise field.at.error(f"unknown key `{field.key}:`; {hint}")
    return mapping.fields


def _items(field: Field, shape: str) -> tuple[Node, ...]:
    value = field.value
    if isinstance(value, Scalar) and value.empty:
        return ()
    if not isinstance(value, Sequence):
        raise value.at.error(f"`{field.key}:` is {shape}")
    return value.items
