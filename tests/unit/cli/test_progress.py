"""How far long work has come."""

from __future__ import annotations

import pytest

from c3fs.cli.progress import Lines, progress


def test_a_log_gets_a_line_every_few_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    lines = Lines("copy", 100 << 20, lambda: now)
    for second in range(11):
        now = float(second)
        lines.advance(second * 10 << 20)
    assert capsys.readouterr().err.splitlines() == [
        "c3: copy: 50.0 MiB of 100.0 MiB, 10.0 MiB/s, 5 s left",
        "c3: copy: 100.0 MiB of 100.0 MiB, 10.0 MiB/s",
    ]


def test_what_is_quick_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("copy", 5) as advance:
        advance(5)
    assert capsys.readouterr().err == ""
