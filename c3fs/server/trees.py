"""Published trees: registering, finding, listing and removing them."""

from __future__ import annotations

from typing import Annotated

import msgspec

from c3fs.api.messages import (
    BODY_MAX,
    BalanceAnswer,
    Line,
    MarkAnswer,
    Name,
    Quota,
    Refs,
    Register,
    Registered,
    Removed,
    Resolved,
    UsageAnswer,
)
from c3fs.core.access import EVERY, JobToken
from c3fs.core.digest import Digest
from c3fs.core.manifest import Manifest
from c3fs.core.ref import Ref, parse_ref
from c3fs.errors import BlobsNotStoredError, InvalidRefError
from c3fs.server.routes import ADMINS, READERS, USERS, Call, NoBody, OneRef, Parameters, Route
from c3fs.server.visible import demand_publish, demand_removal, read_ref


class OfProject(Parameters, frozen=True, kw_only=True):
    project: Name | None = None


class Lines(Parameters, frozen=True, kw_only=True):
    lines: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 10


async def mark(call: Call[Parameters, NoBody]) -> MarkAnswer:
    """Where sweeps are now: asked for before asking which blobs are missing."""
    return MarkAnswer(await call.everything.mark())


async def register(call: Call[Parameters, Register]) -> Registered:
    """Make a manifest visible, and charge its bytes. All of its blobs have to be stored."""
    new = call.body
    ref = parse_ref(new.manifest.ref)
    demand_publish(call, ref)
    blobs = [(Digest.parse(row.digest), row.size) for row in new.blobs]
    # A size that is not the blob's would be charged, and given back when something else names it.
    unstored = await call.blobs.unstored(dict(blobs))
    if unstored:
        raise BlobsNotStoredError(ref.head, str(min(unstored)), len(unstored))
    done = await call.everything.register(new.manifest, blobs, mark=new.mark, onto=new.onto)
    return Registered(done.charged, done.created, done.manifest)


async def get_manifest(call: Call[OneRef, NoBody]) -> Manifest:
    """The manifest of the published tree that a ref names now."""
    return await call.seen.manifest(read_ref(call.parameters.ref))


async def resolve(call: Call[OneRef, NoBody]) -> Resolved:
    """The frozen ref of the published tree that a ref names now."""
    return Resolved(str(await call.seen.resolve(read_ref(call.parameters.ref))))


async def artifacts(call: Call[OfProject, NoBody]) -> dict[str, Manifest]:
    """The manifests of all ended jobs that the key may read, by job."""
    return await call.seen.artifacts(project=call.parameters.project)


async def versions(call: Call[OneRef, NoBody]) -> list[Manifest]:
    """All versions of a data set or source, the newest first. None are an empty list, and so are those that the key
    may not read."""
    ref = read_ref(call.parameters.ref)
    if ref.kind == "job":
        raise InvalidRefError(str(ref), "the artifacts of a job have no versions")
    return await call.seen.versions(ref)


async def datasets(call: Call[OfProject, NoBody]) -> list[str]:
    """The names of a project's data sets, or of those that belong to none."""
    return await call.seen.datasets(call.parameters.project)


async def projects(call: Call[Parameters, NoBody]) -> list[str]:
    """The names of the projects that the key may read."""
    return await call.seen.projects()


async def remove(call: Call[Parameters, Refs]) -> Removed:
    """Remove published trees, all or none."""
    refs = _frozen(call.body)
    await demand_removal(call, refs)
    return Removed(await call.everything.remove(refs))


async def usage(call: Call[Parameters, Refs]) -> UsageAnswer:
    """The bytes of published trees, and what removing them would give back."""
    used = await call.seen.usage(_frozen(call.body))
    return UsageAnswer(used.stored, used.unique)


def _frozen(body: Refs) -> list[Ref]:
    # Each once: every one costs a look in the database.
    refs = list(dict.fromkeys(map(read_ref, body.refs)))
    for ref in refs:
        if not ref.frozen:
            raise InvalidRefError(str(ref), "only a frozen ref names the same tree for ever")
    return refs


async def balance(call: Call[Lines, NoBody]) -> BalanceAnswer:
    """What the account stores. The ledger's lines name refs of all projects: only for who has a role in all."""
    everywhere = not isinstance(call.principal, JobToken) and EVERY in call.user.roles
    lines = call.parameters.lines if everywhere else 0
    found = await call.everything.balance(lines)
    told = [Line(line.at, line.ref, line.delta, line.balance) for line in found.lines]
    return BalanceAnswer(found.stored, found.quota, told)


async def set_quota(call: Call[Parameters, Quota]) -> None:
    """Set what the account may store before it is warned."""
    await call.everything.set_quota(call.body.quota)


ROUTES = (
    Route("GET", "mark", mark, Parameters, NoBody, MarkAnswer, READERS),
    Route("POST", "manifests", register, Parameters, Register, Registered, READERS, 200, (404, 409), BODY_MAX),
    Route("GET", "manifests", get_manifest, OneRef, NoBody, Manifest, READERS, may=(404, 409)),
    Route("GET", "refs", resolve, OneRef, NoBody, Resolved, READERS, may=(404, 409)),
    Route("GET", "artifacts", artifacts, OfProject, NoBody, dict[str, Manifest], USERS),
    Route("GET", "versions", versions, OneRef, NoBody, list[Manifest], USERS),
    Route("GET", "datasets", datasets, OfProject, NoBody, list[str], USERS),
    Route("GET", "projects", projects, Parameters, NoBody, list[str], USERS),
    Route("POST", "removals", remove, Parameters, Refs, Removed, USERS, 200, (404, 409), BODY_MAX),
    Route("POST", "usage", usage, Parameters, Refs, UsageAnswer, USERS, 200, (404,), BODY_MAX),
    Route("GET", "balance", balance, Lines, NoBody, BalanceAnswer, READERS),
    Route("PUT", "quota", set_quota, Parameters, Quota, None, ADMINS, 204),
)
