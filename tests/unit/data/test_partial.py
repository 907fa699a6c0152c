"""Half-written files: those of a copy that was killed go, those of one that runs stay."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from c3fs.data.partial import create, remove_abandoned, temporary_name

_WRITER = """
import os, sys
from c3fs.data.partial import create
name, descriptor = create(os.open(sys.argv[1], os.O_RDONLY))
print(os.fsdecode(name), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def test_what_a_killed_writer_left_goes_and_what_one_holds_stays(tmp_path: Path, directory: int) -> None:
    command = [sys.executable, "-c", _WRITER, tmp_path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        name = writer.stdout.readline().strip()
        remove_abandoned(directory)
        assert os.listdir(tmp_path) == [name]
        writer.kill()
        writer.wait(30)
    remove_abandoned(directory)
    assert os.listdir(tmp_path) == []


def test_the_files_of_one_process_do_not_hide_from_each_other(tmp_path: Path, directory: int) -> None:
    name, descriptor = create(directory)
    remove_abandoned(directory)
    assert os.listdir(tmp_path) == [os.fsdecode(name)]
    os.close(descriptor)
    remove_abandoned(directory)
    assert os.listdir(tmp_path) == []


def test_only_files_of_our_names_go(tmp_path: Path, directory: int) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"kept")
    kept = [".c3-part-", ".c3-part-0123", ".c3-part-0123456789abcdef0", "x.c3-part-0123456789abcdef", "outside"]
    for name in kept[:-1]:
        (tmp_path / name).touch()
    (link, fifo, folder) = (os.fsdecode(temporary_name()) for _ in range(3))
    (tmp_path / link).symlink_to(outside)
    os.mkfifo(tmp_path / fifo)
    (tmp_path / folder).mkdir()
    remove_abandoned(directory)
    assert sorted(os.listdir(tmp_path)) == sorted([*kept, link, fifo, folder])
    assert outside.read_bytes() == b"kept"
