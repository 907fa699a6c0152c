"""`c3 lineage`: what a published tree was made from, and what was made from it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import click

from c3fs.cli import output
from c3fs.cli.complete import complete_tree
from c3fs.cli.exits import UsageError, run_async
from c3fs.cli.jobref import check_job, find_job
from c3fs.cli.program import Command, json_option
from c3fs.cli.settings import load_settings
from c3fs.cli.squeue import colour_of
from c3fs.cli.wiring import open_registry
from c3fs.core.manifest import Manifest
from c3fs.core.ref import Ref, parse_ref
from c3fs.errors import JobNotFinishedError, JobNotFoundError, NotFoundError
from c3fs.registry.base import Job, Registry

DEPTH: Final = 20
"""Generations shown unless --depth says otherwise."""
_BRANCHES: Final = {True: ("├── ", "└── ", "│   ", "    "), False: ("|-- ", "`-- ", "|   ", "    ")}


@dataclass(slots=True)
class Node:
    """A tree, and `job` that made it if one did. `created` is when the job or the version was, if that is known.
    `around` are its inputs or its consumers; None of what is shown elsewhere already, or too far away."""

    ref: Ref
    job: Job | None
    created: datetime | None
    remark: str = ""
    around: list[Node] | None = field(default_factory=list["Node"])

    def to_json(self, below: str) -> dict[str, object]:
        job = self.job
        return {
            "ref": self.ref.head,
            "job_id": None if job is None else job.id,
            "project": self.ref.project if job is None else job.project,
            "name": None if job is None else job.name,
            "status": None if job is None else str(job.state),
            "created": output.iso(self.created),
            "remark": self.remark or None,
            below: None if self.around is None else [node.to_json(below) for node in self.around],
        }

    def label(self) -> str:
        job = self.job
        text = self.ref.head
        if job is not None:
            state = output.paint(str(job.state), colour_of(str(job.state)))
            text += f"  {job.project}: {output.printable(job.name)}  {state}"
        if self.created is not None:
            text += f"  {output.local(self.created)}"
        return f"{text}  ({self.remark})" if self.remark else text


@click.command("lineage", cls=Command)
@click.argument("job", metavar="JOB|REF", shell_complete=complete_tree)
@click.option("--up", is_flag=True, help="Only what it was made from.")
@click.option("--down", is_flag=True, help="Only what was made from it.")
@click.option("--depth", type=click.IntRange(1, 200), default=DEPTH, show_default=True, help="Generations.")
@json_option
def lineage(job: str, up: bool, down: bool, depth: int, as_json: bool) -> None:
    """Show what a job consumed, and what consumed its artifacts, as a tree; the same of a data set's version.

    Refs were frozen when the jobs were made: what is shown is what they had. What is met a second time is named only.

    \b
    Example: c3 lineage job_1700000000000_abc123
             c3 lineage --down /datasets/glove/@v2
    """
    if not job.startswith("/"):
        check_job(job)
    elif parse_ref(job).sub:
        raise UsageError(f"{job}: lineage is that of a whole tree: {parse_ref(job).head}")
    both = up == down

    async def main() -> dict[str, Node]:
        async with open_registry(load_settings()) as registry:
            ref = await _ref(registry, job)
            found: dict[str, Node] = {}
            if up or both:
                found["inputs"] = await _Walk(registry, depth, up=True).run(ref)
            if down or both:
                found["consumers"] = await _Walk(registry, depth, up=False).run(ref)
            return found

    found = run_async(main)
    if as_json:
        merged: dict[str, object] = {}
        for below, node in found.items():
            merged |= node.to_json(below)
        output.write_json(merged)
        return
    top = next(iter(found.values()))
    output.write(f"{top.label()}\n")
    titles = {"inputs": "made from", "consumers": "consumed by"}
    for below, node in found.items():
        output.write(f"{titles[below]}:{'' if node.around else ' nothing'}\n")
        for line in _drawn(node.around or []):
            output.write(line)


async def _ref(registry: Registry, text: str) -> Ref:
    """Frozen; of a job that has no artifacts too."""
    ref = parse_ref(text) if text.startswith("/") else None
    if ref is None:
        return Ref("job", (await find_job(registry, text)).id)
    if ref.kind == "job" and ref.frozen:
        return Ref("job", (await registry.job(ref.name)).id)
    return await registry.resolve(ref)


class _Walk:
    """One direction, generation by generation: what is met first is nearest, and is followed there alone, so paths that
    meet again cost nothing."""

    def __init__(self, registry: Registry, depth: int, *, up: bool) -> None:
        self._registry = registry
        self._depth = depth
        self._up = up
        self._seen: set[str] = set()

    async def run(self, ref: Ref) -> Node:
        top = await self._node(ref)
        generation = [top]
        for _ in range(self._depth):
            following: list[Node] = []
            for node in generation:
                node.around = [await self._node(near) for near in await self._near(node)]
                following += [one for one in node.around if one.around is not None]
            generation = following
        for node in generation:
            if await self._near(node):
                node.around = None
                node.remark = "; ".join(filter(None, (node.remark, "goes on; --depth shows more")))
        return top

    async def _near(self, node: Node) -> list[Ref]:
        if not self._up:
            return [Ref("job", job.id) for job in await self._registry.consumers(node.ref)]
        if node.job is None:
            return []
        texts = [*node.job.inputs, *([node.job.source] if node.job.source else [])]
        return [parse_ref(text) for text in dict.fromkeys(str(parse_ref(text).without_sub()) for text in texts)]

    async def _node(self, ref: Ref) -> Node:
        job = await self._job(ref)
        manifest, remark = await self._manifest(ref)
        created = job.created if job is not None else None if manifest is None else output.parse_iso(manifest.created)
        if str(ref) in self._seen:
            return Node(ref, job, created, "shown elsewhere", None)
        self._seen.add(str(ref))
        return Node(ref, job, created, remark)

    async def _job(self, ref: Ref) -> Job | None:
        if ref.kind != "job":
            return None
        try:
            return await self._registry.job(ref.name)
        except JobNotFoundError:
            return None

    async def _manifest(self, ref: Ref) -> tuple[Manifest | None, str]:
        """And what is to be said of it."""
        try:
            manifest = await self._registry.manifest(ref)
        except JobNotFinishedError:
            return None, ""
        except NotFoundError as error:
            return None, str(error).partition(": ")[2]
        return manifest, "" if manifest.complete else "incomplete"


def _drawn(nodes: list[Node]) -> Iterator[str]:
    """Lines of a tree, without recursion: lineages can be long."""
    branch, last, going_on, blank = _BRANCHES[_takes_lines()]
    waiting = [("", node, at == len(nodes)) for at, node in enumerate(nodes, start=1)][::-1]
    while waiting:
        indent, node, is_last = waiting.pop()
        yield f"{indent}{last if is_last else branch}{node.label()}\n"
        below = node.around or []
        deeper = indent + (blank if is_last else going_on)
        waiting += [(deeper, one, at == len(below)) for at, one in enumerate(below, start=1)][::-1]


def _takes_lines() -> bool:
    """Whether stdout's encoding has letters to draw with."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
