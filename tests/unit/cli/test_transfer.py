"""Where cp puts what it copies: the table of GNU cp, asked of cp itself in the first column."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from c3fs.cli.transfer import target_of
from c3fs.core.digest import EMPTY
from c3fs.core.directory import NOTHING, Directory, File, Leaf
from c3fs.core.span import EMPTY_SPAN
from c3fs.core.wirespan import WireSpan
from c3fs.errors import DownloadError
from c3fs.vfs.parts import LeafPart
from c3fs.vfs.tree import DirectoryFacts, Found

_FACTS = DirectoryFacts(0, 0, 0o755, 0, EMPTY_SPAN, NOTHING, 0, EMPTY)
_PART = LeafPart(Leaf([], []), None)
_FILE = Found(File(b"source", 0o644, 0, 0, bytes(32), []), _FACTS, 0, _PART, 0)
_DIRECTORY = Found(Directory(b"source", 0o755, 0, bytes(32), WireSpan(-1, 0, 0), 0, 0, 0), _FACTS, 0, _PART, 1)

CASES = [
    ("file", "new"),
    ("file", "new/"),
    ("file", "dir"),
    ("file", "dir/"),
    ("file", "."),
    ("file", "there"),
    ("file", "there/"),
    ("file", "missing/new"),
    ("file", "todir"),
    ("directory", "new"),
    ("directory", "new/"),
    ("directory", "dir"),
    ("directory", "dir/"),
    ("directory", "dir/new"),
    ("directory", "there"),
    ("directory", "missing/new"),
    ("directory", "todir"),
    ("contents", "new"),
    ("contents", "dir"),
    ("contents", "dir/"),
    ("contents", "todir"),
    ("contents", "there"),
]


def _prepare(place: Path) -> None:
    place.mkdir()
    (place / "dir").mkdir()
    (place / "there").write_text("old")
    (place / "todir").symlink_to("dir")


def _by_cp(kind: str, place: Path, destination: str) -> str | None:
    """Where GNU cp puts the marked file, relative to `place`; None if it refuses."""
    source = place.parent / "from" / "source"
    source.parent.mkdir()
    if kind == "file":
        source.write_text("marked")
    else:
        source.mkdir()
        (source / "marked").write_text("marked")
    argument = f"{source}/." if kind == "contents" else str(source)
    done = subprocess.run(["cp", "-a", argument, destination], cwd=place, capture_output=True, timeout=30, check=False)
    if done.returncode:
        return None
    (found,) = [path for path in place.rglob("*") if path.is_file() and path.read_text() == "marked"]
    return str(found.relative_to(place))


@pytest.mark.parametrize(("kind", "destination"), CASES, ids=lambda value: str(value))
def test_the_copy_lands_where_cp_would_put_it(
    kind: str, destination: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "place"
    _prepare(place)
    expected = _by_cp(kind, place, destination)
    place = tmp_path / "ours"
    _prepare(place)
    monkeypatch.chdir(place)
    found = _FILE if kind == "file" else _DIRECTORY
    if expected is None:
        with pytest.raises(DownloadError):
            target_of(found, "source", destination, contents=kind == "contents")
        return
    parent, name = target_of(found, "source", destination, contents=kind == "contents")
    path = os.path.join(os.path.realpath(parent), name)
    inside = os.fsencode(place) + b"/" + os.fsencode(expected)
    assert path == (inside if kind == "file" else os.path.dirname(inside))


def test_an_empty_destination_is_refused() -> None:
    with pytest.raises(DownloadError):
        target_of(_FILE, "source", "", contents=False)
