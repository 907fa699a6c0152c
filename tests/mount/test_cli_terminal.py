"""What the tables look like on a terminal."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from c3fs.cli.output import cells
from tests.support.programs import BIN, Home, own_home
from tests.support.terminals import Terminal

pytestmark = pytest.mark.namespaces

NAMES = ("train", "日本語の名前 and quite a few words more", "größe of \u202eegral", "pre\u0301pare")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    made = own_home(tmp_path_factory.mktemp("terminal"))
    home = next(made)
    for name in NAMES:
        home.deploy("vision", "true", f"job_name: '{name}'\n")
    yield home
    assert next(made, None) is None


def on_terminal(home: Home, columns: int, *arguments: str, **environment: str) -> list[str]:
    """The lines that `c3` shows on a terminal of so many columns."""
    env = {**home.env, "TERM": "xterm", "COLUMNS": str(columns), **environment}
    with Terminal([os.path.join(BIN, "c3"), *arguments], env, home.root) as terminal:
        assert terminal.ended() == 0
        return terminal.shown.decode().split("\r\n")[:-1]


@pytest.mark.parametrize("columns", [200, 100, 80, 60, 40])
def test_squeue_keeps_to_the_terminal(home: Home, columns: int) -> None:
    lines = on_terminal(home, columns, "squeue")
    plain = [COLOUR.sub("", line) for line in lines]
    assert len(lines) == 1 + len(NAMES)
    assert all(cells(line) <= columns for line in plain)
    assert all("\x1b[32mSUCCEEDED\x1b[0m" in line for line in lines[1:])
    at = {cells(line[: line.index("SUCCEEDED")]) for line in plain[1:]}
    assert at == {cells(plain[0][: plain[0].index("STATUS")])}
    assert "\u202e" not in "".join(lines)
    assert on_terminal(home, columns, "squeue", NO_COLOR="1") == plain


def test_what_is_piped_is_complete_and_plain(home: Home) -> None:
    piped = home.c3("squeue").out
    assert all(name in piped for name in NAMES)
    assert "\x1b" not in piped + home.c3("show", "@last").out + home.c3("lineage", "@last").out


def test_show_and_lineage_are_coloured(home: Home) -> None:
    job = home.c3("squeue", "--json", "-n", "1").json[0]["job_id"]
    shown = on_terminal(home, 80, "show", job)
    assert "Status     \x1b[32mSUCCEEDED (exit code 0)\x1b[0m" in shown
    assert {line[9:11] for line in shown} == {"  "}
    assert "  \x1b[32mSUCCEEDED\x1b[0m  20" in on_terminal(home, 80, "lineage", job)[0]


@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 1), (b"\n", 1), (b"\x03", 130), (b"y\n", 0)])
def test_rm_asks_before_it_deletes(home: Home, answer: bytes, code: int) -> None:
    folder = home.root / "kept"
    folder.mkdir(exist_ok=True)
    (folder / "file").write_text("content")
    ref = home.c3("data", "cp", str(folder), "/datasets/asked/").out.strip()
    with Terminal([os.path.join(BIN, "c3"), "data", "rm", ref], home.env, home.root) as terminal:
        terminal.until("[y/N]")
        terminal.type(answer)
        assert terminal.ended() == code, terminal.shown
    assert f"{ref}: 1 file, 7 B" in terminal.shown.decode()
    left = home.c3("data", "log", "/datasets/asked", "--json", code=0 if code else 3)
    assert not code or [row["ref"] for row in left.json] == [ref]
