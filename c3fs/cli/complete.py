"""What arguments complete to: jobs, projects, refs a name at a time, local paths. c3fs.cli.shells tells the shells.

Whoever presses Tab wants no message, no wait and no change: what goes wrong is nothing to complete, nothing is made,
and jobs without an agent are not looked for. Names come from c3fs.registry.glance, or from a control plane
(c3fs.cli.farglance), and what is in a published tree through the cache, within a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Final

import click
import trio
from click.shell_completion import CompletionItem

from c3fs.cli.exits import run_async
from c3fs.cli.places import Namespace, parse_place
from c3fs.cli.settings import Settings, find_settings
from c3fs.core.directory import Directory, Entry
from c3fs.core.manifest import Manifest
from c3fs.core.ref import LAST, Ref
from c3fs.errors import C3Error
from c3fs.registry.glance import Brief, Glance, open_glance

if TYPE_CHECKING:
    from c3fs.cli.farglance import FarGlance

ITEMS_MAX: Final = 500
"""More is nothing to choose from."""
TREE_WITHIN: Final = 1.0
"""Seconds for what is in a published tree, when its directories come from far away."""
_TOPS: Final = ("/datasets/", "/jobs/", "/projects/")

Items = list[CompletionItem[str]]
Names = Iterable[tuple[str, str | None]]
"""The names of a directory, those of directories with a slash at the end, and what is to say of them."""


def complete_job(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Jobs, the newest first, in each of the ways that c3fs.cli.jobref takes."""
    return _jobs(incomplete, running=False)


def complete_running(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """The same of the jobs that have not ended."""
    return _jobs(incomplete, running=True)


def complete_tree(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """A job, or the ref of a whole tree."""
    if not incomplete.startswith("/"):
        return complete_job(ctx, parameter, incomplete)
    return [_whole(item) for item in _below(incomplete, in_trees=False)]


def complete_ref(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """The names below the last slash: of a namespace, or of a published tree."""
    return _below(incomplete, in_trees=True) if "/" in incomplete else [CompletionItem("/")]


def complete_path(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """A ref, or a local path."""
    if incomplete.startswith(_TOPS):
        return complete_ref(ctx, parameter, incomplete)
    tops = [CompletionItem(top) for top in _TOPS if incomplete and top.startswith(incomplete)]
    return [*tops, CompletionItem(incomplete, type="file")]


def complete_project(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """The names of projects."""

    def projects(_settings: Settings, glance: Glance | FarGlance) -> Items:
        return [CompletionItem(name) for name in glance.projects() if name.startswith(incomplete)]

    return _quietly(projects)


def _jobs(incomplete: str, *, running: bool) -> Items:
    if incomplete.startswith("/"):
        return [_whole(item) for item in _below(incomplete, in_trees=False) if _leads_to_job(item.value)]
    if incomplete and LAST.startswith(incomplete):
        return [CompletionItem(LAST, help="the newest job of this project")]

    def jobs(_settings: Settings, glance: Glance | FarGlance) -> Items:
        found = glance.jobs(incomplete, ITEMS_MAX, running=running)
        return [CompletionItem(job.id, help=_of(job)) for job in found]

    return _quietly(jobs)


def _below(incomplete: str, *, in_trees: bool) -> Items:
    above, _, begun = incomplete.rpartition("/")

    def names(settings: Settings, glance: Glance | FarGlance) -> Items:
        place = parse_place(above or "/")
        found: Names
        if isinstance(place, Namespace):
            found = _named(glance, place, begun)
        else:
            manifest = glance.manifest(place) if in_trees and settings.has_cache else None
            found = [] if manifest is None else run_async(lambda: _in_tree(settings, manifest, place.sub, begun))
        fitting = ((name, about) for name, about in found if name.startswith(begun))
        return [CompletionItem(f"{above}/{name}", help=about) for name, about in islice(fitting, ITEMS_MAX)]

    return _quietly(names)


def _named(glance: Glance | FarGlance, place: Namespace, begun: str) -> Names:
    """The names in a namespace; those of jobs are of those with artifacts."""
    match place.kind:
        case "top":
            return [(top.removeprefix("/"), None) for top in _TOPS]
        case "projects":
            return [(f"{name}/", None) for name in glance.projects()]
        case "project":
            return _in_project(glance, place.project or "")
        case "datasets":
            return [(f"{name}/", None) for name in glance.datasets(place.project)]
        case "versions":
            assert place.ref is not None
            versions = [(f"@v{number}/", None) for number in glance.versions(place.ref)]
            return [("@latest/", None), *versions] if versions else []
        case _:
            found = glance.artifacts(begun, ITEMS_MAX, project=place.project)
            last = [] if place.project is None else [(f"{LAST}/", "the last that SUCCEEDED")]
            return [*last, *((f"{job.id}/", _of(job)) for job in found)]


def _in_project(glance: Glance | FarGlance, project: str) -> Names:
    has = {
        "data/": glance.datasets(project),
        "jobs/": glance.jobs("", 1, project=project),
        "source/": glance.versions(Ref("source", "source", project)),
    }
    return [(name, None) for name, what in has.items() if what]


async def _in_tree(settings: Settings, manifest: Manifest, sub: tuple[bytes, ...], begun: str) -> Names:
    from c3fs.cli.browse import leaves
    from c3fs.cli.plan import directory_at
    from c3fs.cli.wiring import reading

    names: list[tuple[str, str | None]] = []
    with trio.move_on_after(TREE_WITHIN):
        async with reading(settings.storage) as reader:
            tree = reader.view(manifest).tree
            async for leaf in leaves(tree, await directory_at(tree, sub)):
                found = (_typed(one.entry) for one in leaf)
                names += [(name, None) for name in found if name is not None and name.startswith(begun)]
                if len(names) > ITEMS_MAX:
                    break
    return names


def _typed(entry: Entry) -> str | None:
    """None for what no shell lets one type."""
    try:
        name = entry.name.decode()
    except UnicodeDecodeError:
        return None
    if not name.isprintable():
        return None
    return f"{name}/" if isinstance(entry, Directory) else name


def _of(job: Brief) -> str:
    return f"{job.project} {job.name} {job.state}"


def _whole(item: CompletionItem[str]) -> CompletionItem[str]:
    """A ref that is meant as a whole: nothing is to be typed after it."""
    place = item.value.removesuffix("/")
    return CompletionItem(place, help=item.help) if isinstance(parse_place(place), Ref) else item


def _leads_to_job(path: str) -> bool:
    match path.removesuffix("/").split("/")[1:]:
        case ["jobs", *_] | ["projects"] | ["projects", _] | ["projects", _, "jobs", *_]:
            return True
        case _:
            return False


def _quietly(work: Callable[[Settings, Glance | FarGlance], Items]) -> Items:
    try:
        settings = find_settings()
        if settings is None:
            return []
        if settings.remote is not None:
            from c3fs.cli.farglance import FarGlance

            return work(settings, FarGlance(settings.remote))
        with open_glance(f"{settings.home}/registry.db") as glance:
            return work(settings, glance)
    except (C3Error, OSError):
        return []
