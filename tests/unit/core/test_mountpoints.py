"""Where a data set may be mounted, and what may be collected."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given, strategies as st

from c3fs.core.mountpoints import (
    SHARED,
    SYSTEM,
    Surroundings,
    find_clash,
    is_inside,
    normalise,
    refuse_mount,
    refuse_output,
    refuse_text,
)

WORK = "/home/u/.local/share/c3/jobs/job_1_abcdef/work"
AROUND = Surroundings(WORK, (f"{WORK}/artifacts", f"{WORK}/out/plots"), ("/home/u/.local/share/c3", "/cache"))

paths = st.lists(st.sampled_from(["", ".", "..", "a", "bb", "…", " "]), min_size=1, max_size=8).map("/".join)


@given(paths)
def test_normalise_agrees_with_posixpath(path: str) -> None:
    expected = posixpath.normpath(path)
    if expected.startswith("//"):
        expected = expected[1:]  # posixpath keeps exactly two slashes, for systems on which they mean something
    assert normalise(path) == expected
    assert normalise(normalise(path)) == normalise(path)


@pytest.mark.parametrize(
    ("path", "base", "inside"),
    [
        ("/a", "/a", True),
        ("/a/b", "/a", True),
        ("/ab", "/a", False),
        ("/a", "/a/b", False),
        ("/a", "/", True),
        ("/", "/", True),
        ("a/b", "a", True),
    ],
)
def test_is_inside(path: str, base: str, inside: bool) -> None:
    assert is_inside(path, base) is inside


@pytest.mark.parametrize("path", SHARED)
def test_directories_of_everybody_are_refused_but_not_what_is_below(path: str) -> None:
    assert "would hide all that is there" in str(refuse_mount(path, AROUND))
    if path not in ("/", "/home"):
        assert refuse_mount(f"{path}/mine", AROUND) is None


@pytest.mark.parametrize("path", SYSTEM)
def test_system_directories_are_refused_with_all_below(path: str) -> None:
    for refused in (path, f"{path}/x", f"{path}/x/y"):
        assert refuse_mount(refused, AROUND) == f"is in the system directory {path}"
    assert refuse_mount(f"{path}x", AROUND) is None


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (WORK, "is the working directory itself"),
        (posixpath.dirname(WORK), "would hide the working directory"),
        ("/home/u", "would hide the working directory"),
        (f"{WORK}/artifacts", "lies in the output directory 'artifacts', and would be collected with it"),
        (f"{WORK}/artifacts/in", "lies in the output directory 'artifacts', and would be collected with it"),
        (f"{WORK}/out/plots/in", "lies in the output directory 'out/plots', and would be collected with it"),
        (f"{WORK}/out", "would hide the output directory 'out/plots'"),
        ("/home/u/.local/share/c3/store", "would hide /home/u/.local/share/c3, which c3 itself uses"),
        ("/cache", "would hide /cache, which c3 itself uses"),
    ],
)
def test_the_jobs_own_and_c3s_own_directories_are_refused(path: str, why: str) -> None:
    assert refuse_mount(path, AROUND) == why


@pytest.mark.parametrize(
    "path", ["/data", "/data/x", "/home/v", "/home/u/data", f"{WORK}/in", f"{WORK}/out/data", "/cachet", "/var/x"]
)
def test_other_directories_are_allowed(path: str) -> None:
    assert refuse_mount(path, AROUND) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("a" * 1025, "is longer than 1024 characters"),
        ("a\nb", "holds a control character"),
        ("a\0b", "holds a control character"),
        ("~/data", "`~` and `$` stand for nothing"),
        ("$HOME/data", "`~` and `$` stand for nothing"),
        ("/data/" + "ä" * 128, "has a name longer than 255 bytes"),
    ],
)
def test_refused_as_written(text: str, why: str) -> None:
    assert why in str(refuse_text(text))


@pytest.mark.parametrize("text", ["/data/größe", "a b", "a~", "x/y/", "/data/" + "ä" * 127])
def test_allowed_as_written(text: str) -> None:
    assert refuse_text(text) is None


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/out", "is absolute"),
        ("..", "leaves the working directory"),
        ("../out", "leaves the working directory"),
        (".", "is the whole working directory"),
    ],
)
def test_refused_outputs(path: str, why: str) -> None:
    assert why in str(refuse_output(path))


@pytest.mark.parametrize("path", ["out", "out/x", "..out", "artifacts"])
def test_allowed_outputs(path: str) -> None:
    assert refuse_output(path) is None


@given(st.lists(st.sampled_from(["/a", "/a/b", "/a/b/c", "/ab", "/b", "/b/a"]), max_size=6))
def test_a_clash_is_found_exactly_when_there_is_one(points: list[str]) -> None:
    clash = find_clash(points)
    pairs = [(i, j) for j in range(len(points)) for i in range(j)]
    clashing = [(i, j) for i, j in pairs if is_inside(points[i], points[j]) or is_inside(points[j], points[i])]
    assert (None if clash is None else (clash.first, clash.second)) == (clashing[0] if clashing else None)
