"""What commands share that speak with the control plane themselves, without a registry or a store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import quote

from c3fs.api.client import ApiClient, open_client
from c3fs.api.endpoint import Remote
from c3fs.cli.exits import UsageError, run_async
from c3fs.cli.settings import load_settings
from c3fs.core.access import EVERY
from c3fs.core.ref import is_project
from c3fs.errors import SettingsError

T = TypeVar("T")


def demand_remote() -> Remote:
    """Raises SettingsError where jobs and data are on this machine."""
    remote = load_settings().remote
    if remote is None:
        raise SettingsError("no control plane: jobs and data are on this machine; `c3 login` uses one")
    return remote


def call_plane(work: Callable[[ApiClient], Awaitable[T]], remote: Remote | None = None) -> T:
    """What `work` makes of a client of `remote`, or of the control plane that the settings name."""
    wanted = demand_remote() if remote is None else remote

    async def main() -> T:
        async with open_client(wanted) as client:
            return await work(client)

    return run_async(main)


def path_part(text: str) -> str:
    """As a part of a request's path."""
    return quote(text, safe="", errors="surrogateescape")


def check_project(project: str) -> None:
    """Raises UsageError for what is neither a project nor all of them."""
    if project != EVERY and not is_project(project):
        raise UsageError(f"--project: {project!r} is not a project (lower-case letters, digits, hyphens)")
