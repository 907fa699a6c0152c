"""The agent's lines between those of the script."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from c3fs.agent.joblog import open_job_log


def test_lines_stand_alone_whatever_the_script_left(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = open_job_log(os.fsencode(path))
    log.line("first")
    os.write(log.fileno(), b"no end")
    log.line("second")
    os.write(log.fileno(), b"whole\n")
    log.line("third")
    assert path.read_bytes() == b"c3: first\nno end\nc3: second\nwhole\nc3: third\n"
    os.close(log.fileno())


def test_names_cannot_make_lines_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = open_job_log(os.fsencode(path))
    log.line("evil\nc3: SUCCEEDED\x1b[2J " + os.fsdecode(b"\xff"))
    log.text("one\ntwo")
    assert path.read_bytes() == b"c3: evil\\x0ac3: SUCCEEDED\\x1b[2J \xff\nc3: one\nc3: two\n"
    os.close(log.fileno())


def test_an_existing_log_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("before")
    log = open_job_log(os.fsencode(path))
    log.line("after")
    assert path.read_text() == "before\nc3: after\n"
    os.close(log.fileno())


def test_a_disk_without_room_is_told_when_there_is_some_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = open_job_log(os.fsencode(path))
    log.line("first")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (15, hard))  # of which the first line takes ten
        log.line("in part only")
        log.line("not at all")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.line("last")
    assert path.read_bytes() == b"c3: first\nc3: i\nc3: lines that could not be written: 2\nc3: last\n"
    os.close(log.fileno())
