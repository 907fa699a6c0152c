"""Collecting: what is kept, what is a warning, what is refused, and what happens while somebody changes it."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from c3fs.core.digest import Digest
from c3fs.core.names import DEPTH_MAX
from c3fs.errors import CollectError
from c3fs.publish import collect
from tests.support.blobs import seeded
from tests.support.encoded import Link
from tests.support.publishing import collected, paths
from tests.support.trees import build, deep, facts, odd

MIB = 1 << 20


def test_a_tree_is_collected_as_it_is(tmp_path: Path) -> None:
    build(tmp_path, {b"artifacts": odd()})
    found, decoded = collected(tmp_path)
    assert decoded.facts == facts(tmp_path)
    assert found.complete
    assert found.warnings == []


def test_outputs_only_and_under_their_names(tmp_path: Path) -> None:
    build(tmp_path, {b"secret": b"no", b"artifacts": {b"m": b"{}"}, b"a": {b"b": {b"c": b"1"}, b"not": b"2"}, b"z": {}})
    _, decoded = collected(tmp_path, "artifacts", "a/b")
    assert paths(decoded) == {b"artifacts", b"artifacts/m", b"a", b"a/b", b"a/b/c"}
    on_disk = facts(tmp_path)
    assert all(decoded.facts[path] == on_disk[path] for path in decoded.facts)


def test_nested_and_repeated_outputs_are_collected_once(tmp_path: Path) -> None:
    build(tmp_path, {b"out": {b"inner": {b"file": b"x"}, b"other": b"y"}})
    once, _ = collected(tmp_path, "out")
    many, _ = collected(tmp_path, "out/inner", "out", "out", "./out/", "out//inner/")
    assert many.root == once.root


def test_the_base_itself_is_an_output(tmp_path: Path) -> None:
    build(tmp_path, {b"artifacts": {b"x": b"1"}, b"top": b"2"})
    _, decoded = collected(tmp_path, ".")
    assert decoded.facts == facts(tmp_path)


def test_missing_outputs_are_warnings_and_leave_no_directories(tmp_path: Path) -> None:
    build(tmp_path, {b"artifacts": {}, b"there": {}, b"file": b""})
    found, decoded = collected(tmp_path, "artifacts", "nowhere", "there/not", "file/below")
    assert [warning.split()[0] for warning in found.warnings] == ["nowhere", "there/not", "file/below"]
    assert found.complete
    assert paths(decoded) == {b"artifacts"}


def test_a_file_where_a_directory_was_declared_is_collected_with_a_warning(tmp_path: Path) -> None:
    build(tmp_path, {b"model": b"one file"})
    found, decoded = collected(tmp_path, "model")
    assert found.warnings == ["model is a file, not a directory; collected as it is"]
    assert decoded.facts[b"model"].content == Digest.of(b"one file")


@pytest.mark.parametrize("output", ["/etc", "../x", "a/../../x", "", "a\0b"])
def test_an_output_outside_is_refused(tmp_path: Path, output: str) -> None:
    with pytest.raises(CollectError):
        collected(tmp_path, output)


@pytest.mark.parametrize("output", ["out", "out/secret", "dir/out", "dir/out/secret"])
def test_an_output_that_leads_through_a_symlink_is_refused(tmp_path: Path, output: str) -> None:
    build(tmp_path / "outside", {b"secret": b"s"})
    outside = os.fsencode(tmp_path / "outside")
    work = build(
        tmp_path / "work", {b"out": Link(outside), b"dir": {b"out": Link(outside)}, b"artifacts": {b"a": b"1"}}
    )
    with pytest.raises(CollectError, match="symlink"):
        collected(work, output)
    found, decoded = collected(work, output, "artifacts", best_effort=True)
    assert not found.complete
    assert paths(decoded) == {b"artifacts", b"artifacts/a"}


def test_an_output_that_cannot_be_looked_at() -> None:
    with unprivileged() as base:
        build(base, {b"artifacts": {b"a": b"1"}, b"closed": {b"out": {b"x": b"2"}}})
        (base / "closed").chmod(0)
        drop_rights()
        with pytest.raises(CollectError, match="closed/out: cannot be read"):
            collected(base, "closed/out")
        found, decoded = collected(base, "closed/out", "/etc", "artifacts", best_effort=True)
    assert not found.complete
    assert len(found.warnings) == 2
    assert paths(decoded) == {b"artifacts", b"artifacts/a"}


def test_an_output_that_is_a_special_file_is_skipped(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found, decoded = collected(tmp_path, "pipe")
    assert found.warnings == ["pipe is a fifo; not collected"]
    assert paths(decoded) == set()


def test_a_base_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CollectError, match="cannot be read"):
        collected(tmp_path / "nothing")


def test_special_files_are_skipped_with_a_warning(tmp_path: Path) -> None:
    build(tmp_path, {b"artifacts": {b"file": b"kept"}})
    os.mkfifo(tmp_path / "artifacts" / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(tmp_path / "artifacts" / "sock"))
        found, decoded = collected(tmp_path)
    assert found.warnings == ["artifacts/pipe is a fifo; not collected", "artifacts/sock is a socket; not collected"]
    assert found.complete
    assert paths(decoded) == {b"artifacts", b"artifacts/file"}


def test_very_many_warnings_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "WARNINGS_MAX", 3)
    build(tmp_path, {b"artifacts": {}})
    for number in range(10):
        os.mkfifo(tmp_path / "artifacts" / f"pipe{number}")
    found, _ = collected(tmp_path)
    assert found.warnings[3:] == ["and 7 more warnings"]


def test_hard_links_become_equal_content(tmp_path: Path) -> None:
    build(tmp_path, {b"artifacts": {b"a": seeded(1, 2 * MIB)}})
    os.link(tmp_path / "artifacts" / "a", tmp_path / "artifacts" / "b")
    found, decoded = collected(tmp_path)
    assert decoded.facts[b"artifacts/a"] == decoded.facts[b"artifacts/b"]
    assert sum(found.blobs.values()) < 2 * MIB + 10_000


def test_a_deep_tree_is_collected_and_a_deeper_one_refused(tmp_path: Path) -> None:
    allowed = build(tmp_path / "allowed", {b"artifacts": deep(DEPTH_MAX - 1, {b"file": b"x"})})
    _, decoded = collected(allowed)
    assert len(decoded.facts) == DEPTH_MAX + 2
    deeper = build(tmp_path / "deeper", {b"artifacts": {b"kept": b"x", **deep(DEPTH_MAX, {b"file": b"x"})}})
    with pytest.raises(CollectError, match="deeper than"):
        collected(deeper)
    found, decoded = collected(deeper, best_effort=True)
    assert not found.complete
    assert b"artifacts/kept" in decoded.facts


def test_what_is_skipped_is_not_looked_at(tmp_path: Path) -> None:
    odd_name = b"\xff\n"
    build(
        tmp_path, {b"a": {b"x": b"1", b"no": b"2", odd_name: b"3"}, b"no": {b"y": b"4", b"z": {}}, b"yes": {b"no": {}}}
    )
    os.mkfifo(tmp_path / "a" / "skipped")
    os.symlink("nowhere", tmp_path / "link")
    asked: list[tuple[bytes, bool]] = []

    def skip(path: bytes, is_directory: bool) -> bool:
        asked.append((path, is_directory))
        return path in (b"a/no", b"a/skipped", b"no")

    found, decoded = collected(tmp_path, ".", skip=skip)
    assert paths(decoded) == {b"a", b"a/x", b"a/" + odd_name, b"link", b"yes", b"yes/no"}
    assert (found.warnings, found.complete) == ([], True)
    directories = [b"a", b"no", b"yes", b"yes/no"]
    files = [b"a/" + odd_name, b"a/no", b"a/skipped", b"a/x", b"link"]
    assert sorted(asked) == sorted([(path, True) for path in directories] + [(path, False) for path in files])


def test_an_output_itself_is_not_skipped(tmp_path: Path) -> None:
    build(tmp_path, {b"a": {b"b": {b"x": b"1"}}})
    _, decoded = collected(tmp_path, "a/b", skip=lambda path, _: path != b"a/b/x")
    assert paths(decoded) == {b"a", b"a/b", b"a/b/x"}


@contextmanager
def unprivileged() -> Generator[Path]:
    """A directory, and nobody's rights below it."""
    base = Path(tempfile.mkdtemp(prefix="c3fs-unprivileged-"))
    base.chmod(0o755)
    mine = os.geteuid()
    try:
        yield base
    finally:
        os.seteuid(mine)
        shutil.rmtree(base)


def drop_rights() -> None:
    if os.geteuid() == 0:
        os.seteuid(65534)


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_what_cannot_be_read_is_an_error_that_names_it(kind: str) -> None:
    with unprivileged() as base:
        build(base, {b"artifacts": {b"a": b"1", b"secret": {b"x": b"2"} if kind == "directory" else b"2", b"z": b"3"}})
        (base / "artifacts" / "secret").chmod(0)
        drop_rights()
        with pytest.raises(CollectError, match="artifacts/secret: cannot be read: Permission denied"):
            collected(base)
        found, decoded = collected(base, best_effort=True)
    assert not found.complete
    assert found.warnings == ["artifacts/secret: cannot be read: Permission denied"]
    assert paths(decoded) == {b"artifacts", b"artifacts/a", b"artifacts/z"}
