"""What a job does not get of its project: git's rules, compared with git where that is there."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from c3fs.cli.ignore import Ignore, load_ignore
from c3fs.errors import InvalidIgnoreError
from tests.support.trees import Source, build

ID = "job_1700000000000_abc123"
PIECES = (
    *("a", "b", "*", "**", "?", "a*", "*.py", "[ab]", "[!a]", "[^a]", "[a-b]", "[]a]", "f?o", "x\\[1\\]", "foo"),
    *("\\#h", "\\!n", ".*", "?.h", "*a*", "\\a", "f\\ o", "\\\\b"),
)
NAMES = ("a", "b", "ab", "a.py", "foo", "f o", "x[1]", "#h", "!n", "a\n", ".h", "a ", "\\b")


def ignore_of(folder: Path, text: str | bytes = "", outputs: tuple[str, ...] = (), own: tuple[str, ...] = ()) -> Ignore:
    (folder / ".c3ignore").write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_ignore(str(folder), outputs, own)


def kept(ignore: Ignore, folder: Path) -> set[bytes]:
    """The files that a walk from the top comes to."""
    found: set[bytes] = set()
    above = [b""]
    while above:
        path = above.pop()
        with os.scandir(os.path.join(os.fsencode(folder), path)) as entries:
            for entry in entries:
                below = os.path.join(path, entry.name)
                is_directory = entry.is_dir(follow_symlinks=False)
                if ignore.skip(below, is_directory) or below == b".c3ignore":
                    continue
                if is_directory:
                    above.append(below)
                else:
                    found.add(below)
    return found


TREE: Source = {
    b".git": {b"config": b""},
    b".venv": {b"python": b""},
    b"src": {b".git": {b"x": b""}, b"__pycache__": {b"a.pyc": b""}, b"a.py": b"", b"artifacts": {b"x": b""}},
    b"node_modules": {b"m": {b"i.js": b""}},
    b"artifacts": {b"old": b""},
    b"checkpoints": {b"last.pt": b"", b"deep": {b"x": b""}},
    b"plots": {b"final": {b"p": b""}, b"q": b""},
    ID.encode(): {b"metrics": b""},
    b"results": {ID.encode(): {b"metrics": b""}},
    b"home": {b"store": {b"x": b""}, b"mine": b""},
    b"odd \xff\n": b"",
}
ALWAYS = {b"src/a.py", b"src/artifacts/x", b"plots/q", b"results/" + ID.encode() + b"/metrics", b"odd \xff\n"}


@pytest.mark.parametrize(
    ("text", "more", "less"),
    [
        ("", (), ()),
        ("# nothing\n\n   \n", (), ()),
        ("!.git\n!.venv/\n", (".git/config", ".venv/python", "src/.git/x"), ()),
        ("!/.git\n", (".git/config",), ()),
        ("!node_modules/\r\n!__pycache__\r\n", ("node_modules/m/i.js", "src/__pycache__/a.pyc"), ()),
        ("!artifacts\n", ("artifacts/old",), ()),
        ("!checkpoints\n", ("checkpoints/last.pt", "checkpoints/deep/x"), ()),
        ("!checkpoints\ncheckpoints/deep", ("checkpoints/last.pt",), ()),
        ("!checkpoints/last.pt\n", (), ()),
        (f"!/{ID}\n", (f"{ID}/metrics",), ()),
        ("!job_*\n", (f"{ID}/metrics",), ()),
        ("!home\n!home/**\n!**\n", None, ()),
        ("*.py\n", (), ("src/a.py",)),
        ("\ufeff*.py\n", (), ("src/a.py",)),
        ("/src/\n!/src/a.py\n", (), ("src/a.py", "src/artifacts/x")),
        ("src/*\n!src/a.py\n", (), ("src/artifacts/x",)),
        ("odd ??\n", (), (b"odd \xff\n",)),
        ("odd ?\n", (), ()),
    ],
)
def test_what_is_left_out(
    tmp_path: Path, text: str, more: tuple[str, ...] | None, less: tuple[str | bytes, ...]
) -> None:
    build(tmp_path, TREE)
    own = (str(tmp_path / "home"), "/elsewhere", str(tmp_path))
    found = kept(ignore_of(tmp_path, text, ("checkpoints", "plots/final"), own), tmp_path)
    if more is None:
        assert not [path for path in found if path.startswith(b"home/")]
        assert b".git/config" in found
    else:
        assert found == (ALWAYS | set(map(os.fsencode, more))) - set(map(os.fsencode, less))


def test_outputs_are_names_and_no_patterns(tmp_path: Path) -> None:
    outputs = ("a*b", "[x]", "!y", "#z", "end ", "back\\slash")
    ignore = ignore_of(tmp_path, "", outputs)
    assert all(ignore.skip(output.encode(), True) for output in outputs)
    assert not any(ignore.skip(path, True) for path in (b"aXb", b"x", b"y", b"z", b"end", b"d/a*b"))


def test_an_output_that_is_a_symlink_or_a_file_is_left_out_too(tmp_path: Path) -> None:
    ignore = ignore_of(tmp_path, "", ("out",))
    assert ignore.skip(b"out", False)
    assert ignore.skip(b"artifacts", False)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"ok\n\xff\n", "2: not UTF-8; save the file as UTF-8"),
        (b"a\n\n!\n", "3: '!' is not a pattern that can match anything"),
        (b"/\n", "1: '/' is not a pattern that can match anything"),
        (b"a\\\n", "1: 'a\\\\' is not a pattern that can match anything"),
        (
            b"x\n[z-a]\n",
            "2: '[z-a]' is not a pattern that can match anything; write \\[ for a [ that stands for itself",
        ),
        (b"[[:alpha:]]\n", "1: '[[:alpha:]]' is not a pattern that can match anything; write \\[ for a [ that stands"),
        (b"a[b\n", "1: 'a[b' is not a pattern that can match anything; write \\[ for a [ that stands for itself"),
        (b"#" * (129 << 10), "1: larger than 128 KiB"),
    ],
)
def test_a_line_that_is_refused(tmp_path: Path, text: bytes, why: str) -> None:
    with pytest.raises(InvalidIgnoreError) as raised:
        ignore_of(tmp_path, text)
    assert str(raised.value).startswith(f"{tmp_path}/.c3ignore:{why}")


def test_a_file_that_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".c3ignore")
    with pytest.raises(InvalidIgnoreError, match=r"\.c3ignore:1: not a regular file"):
        load_ignore(str(tmp_path), (), ())


def test_why_a_file_is_left_out(tmp_path: Path) -> None:
    ignore = ignore_of(tmp_path, "\n*.sh\n!good.sh\n", ("out",), (str(tmp_path / "home"),))
    assert ignore.why(b"good.sh") is None
    assert ignore.why(b"deep/run.sh") == "is ignored: `*.sh` in line 2 of .c3ignore"
    assert ignore.why(b"out/good.sh") == "is ignored: `/out` is built in; `!out` in .c3ignore takes it back"
    assert ignore.why(b"a/.git/good.sh") == "is ignored: `.git/` is built in; `!a/.git` in .c3ignore takes it back"
    assert ignore.why(b"home/good.sh") == "lies in a directory of c3's own"


@pytest.mark.skipif(shutil.which("git") is None, reason="compares with git")
@pytest.mark.parametrize("seed", range(4))
def test_git_keeps_the_same_files(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for top in ("", "a", "b", "foo", "ab", ".h"):
        for below in ("", "a", "foo", "x[1]"):
            (tmp_path / top / below / "b").mkdir(parents=True, exist_ok=True)
    for folder, _, _ in os.walk(tmp_path):
        if not folder.startswith(f"{tmp_path}/.git"):
            for name in NAMES:
                if not os.path.lexists(f"{folder}/{name}"):
                    Path(folder, name).touch()
    for _ in range(40):
        text = "".join(f"{_pattern(dice)}\n" for _ in range(dice.randint(1, 5)))
        ignore = ignore_of(tmp_path, text)
        (tmp_path / ".git" / "info" / "exclude").write_text(text)
        command = ["git", "-C", tmp_path, "-c", "core.excludesFile=", "ls-files", "-z", "-o", "--exclude-standard"]
        listed = subprocess.run(command, capture_output=True, check=True).stdout.split(b"\0")
        ours = {path for path in kept(ignore, tmp_path) if not path.startswith(b".git/")}
        assert ours == set(listed) - {b"", b".c3ignore"}, text


def _pattern(dice: random.Random) -> str:
    text = "/".join(dice.choice(PIECES) for _ in range(dice.randint(1, 3)))
    return dice.choice(("!", "", "")) + dice.choice(("/", "", "")) + text + dice.choice(("/", "", "", " "))
