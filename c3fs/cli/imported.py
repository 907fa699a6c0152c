"""Commands that are imported when somebody asks for them.

A program has twenty commands and runs one. Loading all of them is a fifth of the time in which `c3 squeue` is done, and
of what a shell waits for that completes its arguments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module

import click


class Imported(MutableMapping[str, click.Command]):
    """The commands of a group by name, each first said as `module:attribute`."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._commands: dict[str, str | click.Command] = dict(places)

    def __getitem__(self, name: str) -> click.Command:
        found = self._commands[name]
        if isinstance(found, str):
            module, _, attribute = found.partition(":")
            command = getattr(import_module(module), attribute)
            assert isinstance(command, click.Command), found
            found = self._commands[name] = command
        return found

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._commands[name] = command

    def __delitem__(self, name: str) -> None:
        del self._commands[name]

    def __contains__(self, name: object) -> bool:
        return name in self._commands

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    def __len__(self) -> int:
        return len(self._commands)
