"""What README says is what happens: its block about data is run as it stands, and its commands are those there are."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from c3fs.cli.c3 import c3
from c3fs.cli.c3fs import c3fs
from tests.support.ports import free_block
from tests.support.programs import BIN, TIMEOUT, Home, own_home

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    yield from own_home(tmp_path_factory.mktemp("readme"))


def block_after(words: str) -> str:
    """The first block of shell commands after these words."""
    text = README.read_text()
    found = re.search(r"```sh\n(.*?)```", text[text.index(words) :], re.DOTALL)
    assert found is not None
    return found[1]


def described(group: click.Group, name: str) -> set[str]:
    """All commands of the program that are no groups, as they are typed."""
    found: set[str] = set()
    for word, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= described(command, f"{name} {word}")
        else:
            found.add(f"{name} {word}")
    return found


@pytest.mark.namespaces
def test_the_block_about_data_runs(home: Home) -> None:
    home.deploy("demo", "echo 1 > $C3_ARTIFACTS_DIR/weights.bin")
    folder = home.root / "somewhere"
    (folder / "corpus" / "deep").mkdir(parents=True)
    (folder / "corpus" / "deep" / "large").write_bytes(os.urandom(600_000))
    (folder / "notes.txt").write_text("notes\n")
    block = block_after("runs this very block")
    environment = {**home.env, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=2 * TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done
    assert (folder / "copy.txt").read_text() == "more\n"
    assert not (folder / "everything").exists()
    versions = home.c3("data", "log", "/datasets/corpus", "--json").json
    assert [row["version"] for row in versions] == ["v3", "v2"]
    assert home.c3("data", "ls", "/datasets/corpus/@v3").out == "deep\nmore.txt\nnotes.txt\n"
    assert home.c3("data", "ls", "/datasets/weights/@latest").out == "weights.bin\n"
    assert "+" in done.stdout


@pytest.mark.namespaces
@pytest.mark.mounts
def test_the_block_about_a_team_runs(home: Home) -> None:
    folder = home.root / "team"
    (folder / "project").mkdir(parents=True)
    (folder / "project" / ".c3").write_text("script: echo hello; echo 1 > $C3_ARTIFACTS_DIR/result\n")
    port = free_block("127.0.0.1", 1, (0,))
    block = block_after("The smallest one").replace("8400", str(port))
    own = {"PATH": f"{BIN}:{os.environ['PATH']}", "XDG_CONFIG_HOME": str(folder / "config")}
    done = subprocess.run(
        # Whatever goes wrong, nothing is left running.
        ["bash", "-euo", "pipefail", "-c", f"trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n{block}"],
        cwd=folder,
        env={**home.env, **own},
        capture_output=True,
        text=True,
        timeout=2 * TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done
    assert "\nhello\n" in done.stdout
    (result,) = (folder / "project").glob("job_*/artifacts/result")
    assert result.read_text() == "1\n"


def test_every_command_is_described() -> None:
    text = README.read_text()
    for command in described(c3, "c3") | described(c3fs, "c3fs"):
        program, *words = command.split()
        assert re.search(rf"`(?:{program} (?:\w+ )?)?{words[-1]}\b", text), command
