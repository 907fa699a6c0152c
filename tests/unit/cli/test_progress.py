"""How far long work has come."""

from __future__ import annotations

import pytest

from c3fs.cli.progress import Advance, Late, Lines, progress


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


def test_nobody_knows_how_much_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    lines = Lines("source", None, lambda: now)
    now = 5.0
    lines.advance(50 << 20)
    assert capsys.readouterr().err == "c3: source: 50.0 MiB, 10.0 MiB/s\n"


def test_a_bar_appears_when_work_takes_long() -> None:
    now = 0.0
    shown: list[int] = []
    begun: list[float] = []

    def begin() -> Advance:
        begun.append(now)
        return shown.append

    late = Late(begin, lambda: now)
    for tenth in range(8):
        now = tenth / 10
        late.advance(tenth)
    assert (begun, shown) == ([0.5], [5, 6, 7])
