"""Machines of a network, on one machine: network namespaces that reach each other and nothing else.

They hang on a bridge in a namespace of its own; the host has no interface there, so nothing of it is changed. Names
carry the process's id, and what a process that was killed has left is removed by the next.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

PREFIX: Final = "c3t"
_NETWORK: Final = "10.83.0"


class Network:
    """One namespace for each of `names`, with the addresses 10.83.0.1, .2, …; to be used as a context."""

    def __init__(self, names: Sequence[str]) -> None:
        self._own = f"{PREFIX}{os.getpid()}"
        self.addresses = {name: f"{_NETWORK}.{number}" for number, name in enumerate(names, 1)}

    def __enter__(self) -> Self:
        remove_left()
        switch = self.namespace("switch")
        try:
            _ip("netns", "add", switch)
            _ip("-n", switch, "link", "add", "bridge", "type", "bridge")
            _ip("-n", switch, "link", "set", "bridge", "up")
            for number, (name, address) in enumerate(self.addresses.items()):
                self._attach(switch, number, name, address)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._remove()

    def namespace(self, name: str) -> str:
        return f"{self._own}-{name}"

    def enter(self, name: str) -> list[str]:
        """What is put before a command to run it on that machine. Its network is its own; mounts are the host's."""
        return ["nsenter", f"--net=/run/netns/{self.namespace(name)}", "--"]

    def cut(self, name: str) -> None:
        """Take the machine off the network, as if its cable was pulled."""
        _ip("-n", self.namespace("switch"), "link", "set", self._port(name), "down")

    def mend(self, name: str) -> None:
        _ip("-n", self.namespace("switch"), "link", "set", self._port(name), "up")

    def _port(self, name: str) -> str:
        return f"port{list(self.addresses).index(name)}"

    def _attach(self, switch: str, number: int, name: str, address: str) -> None:
        own = self.namespace(name)
        _ip("netns", "add", own)
        _ip("-n", switch, "link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", own)
        _ip("-n", switch, "link", "set", f"port{number}", "master", "bridge", "up")
        _ip("-n", own, "address", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", own, "link", "set", "eth0", "up")
        _ip("-n", own, "link", "set", "lo", "up")

    def _remove(self) -> None:
        for name in [*self.addresses, "switch"]:
            subprocess.run(["ip", "netns", "delete", self.namespace(name)], capture_output=True, check=False)


def remove_left() -> None:
    """Namespaces of processes that are not there any more."""
    try:
        names = os.listdir("/run/netns")
    except FileNotFoundError:
        return
    for name in names:
        owner = name.removeprefix(PREFIX).partition("-")[0]
        if name.startswith(PREFIX) and owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, stdout=subprocess.DEVNULL)
