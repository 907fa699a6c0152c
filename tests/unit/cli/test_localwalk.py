"""The look at what is going to be copied."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from c3fs.cli.localwalk import Local, totals, walk
from c3fs.errors import CollectError


@contextmanager
def ordinary_user() -> Generator[None]:
    """Root reads everything."""
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(mine)


def test_files_and_symlinks_in_order(tmp_path: Path) -> None:
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / "b" / "deep" / "x").write_bytes(b"123")
    (tmp_path / "c").symlink_to("b")
    (tmp_path / "a").write_bytes(b"4")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(os.fspath(tmp_path / "s"))
    top = os.fsencode(tmp_path)
    assert list(walk(top)) == [Local(b"a", 1), Local(b"b/deep/x", 3), Local(b"c", 0)]
    assert list(walk(top + b"/")) == list(walk(top))
    assert list(walk(top + b"/c")) == [Local(b"", 0)]
    assert list(walk(top + b"/c/")) == [Local(b"deep/x", 3)]
    assert list(walk(top + b"/none")) == []
    assert totals(top) == (3, 4)


def test_what_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "top" / "closed").mkdir(parents=True)
    (tmp_path / "top" / "closed").chmod(0)
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    with ordinary_user(), pytest.raises(CollectError, match="top/closed: cannot be read: Permission denied"):
        totals(b"top")
