"""The fields of a `.c3` file for runners that choose machines and build environments: checked for shape, then ignored.

    gpu: l40                    # a name, or a name and how many: l40:2
    hardware: l40s-d-32x192     # a name
    provider: nextgen           # a name
    python: 3.11                # a version, or a mapping that may have one: {version: 3.11, project: ./}
    docker: rust:1              # an image, or a mapping with `image:`, `context:` or `dockerfile:`

What is said here wrongly is a mistake that another runner finds after minutes in its queue.
"""

from __future__ import annotations

import re
from typing import Final

from c3fs.core.yamltext import Field, Mapping, one_line

KEYS: Final = ("gpu", "hardware", "provider", "python", "docker")

_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_A_NAME: Final = "a name of letters, digits, '.', '_' and '-'"
_SHAPES: Final = {
    "gpu": (
        re.compile(rf"{_NAME}(?::[1-9][0-9]{{0,2}})?\Z"),
        "a GPU, like l40, or several, like l40:2",
    ),
    "hardware": (re.compile(rf"{_NAME}\Z"), _A_NAME),
    "provider": (re.compile(rf"{_NAME}\Z"), _A_NAME),
    "python": (re.compile(r"[1-9](?:\.(?:0|[1-9][0-9]?)){0,2}\Z"), "a version of Python, like 3.11"),
    "docker": (re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}\Z"), "an image, like rust:1 or ghcr.io/me/tools:v2"),
}
_INNER: Final = {("python", "version"): "python", ("docker", "image"): "docker"}
"""Keys of mappings whose value has the shape of a field."""
_SOURCES: Final = ("image", "context", "dockerfile")


def read_foreign(fields: list[Field]) -> dict[str, str]:
    """Each as text, those of a mapping as `docker.image`; raises InvalidJobSpecError."""
    values: dict[str, str] = {}
    for field in fields:
        if isinstance(field.value, Mapping) and field.key in ("python", "docker"):
            values.update(_mapping(field, field.value))
        else:
            values[field.key] = _shaped(field, field.key)
    keys = {field.key: field for field in fields}
    if "python" in keys and "docker" in keys:
        raise keys["docker"].at.error(f"`docker:` and `python:` (line {keys['python'].at.line}) exclude each other")
    return values


def _mapping(field: Field, value: Mapping) -> dict[str, str]:
    if not value.fields:
        raise value.at.error(f"`{field.key}:` is an empty mapping")
    if field.key == "docker" and not any(inner.key in _SOURCES for inner in value.fields):
        raise value.at.error("`docker:` needs `image:`, or `context:` or `dockerfile:` to build one")
    return {f"{field.key}.{inner.key}": _inner(field.key, inner) for inner in value.fields}


def _inner(key: str, inner: Field) -> str:
    shape = _INNER.get((key, inner.key))
    return one_line(inner) if shape is None else _shaped(inner, shape)


def _shaped(field: Field, shape: str) -> str:
    text = one_line(field)
    expression, what = _SHAPES[shape]
    if not expression.match(text):
        raise field.value.at.error(f"`{field.key}:` is not {text!r}, but {what}")
    return text
