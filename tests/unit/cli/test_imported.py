"""Commands that are imported when they are asked for."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from c3fs.cli.c3 import c3
from c3fs.cli.c3fs import c3fs

HEAVY = ("sqlalchemy", "lmdb", "pyfuse3", "rich", "trio", "c3fs.cli.deploy")


def all_commands(group: click.Group) -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name, command in group.commands.items():
        found.append((name, command))
        if isinstance(command, click.Group):
            found += all_commands(command)
    return found


@pytest.mark.parametrize("group", [c3, c3fs])
def test_every_command_is_there_under_its_own_name(group: click.Group) -> None:
    commands = all_commands(group)
    assert len(commands) > 5
    for name, command in commands:
        assert command.name == name


def test_nothing_heavy_is_loaded_before_it_is_known_what_to_do() -> None:
    script = f"import sys, c3fs.cli.c3, c3fs.cli.c3fs; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "['trio']\n"
