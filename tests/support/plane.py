"""A control plane in the test's own process: SQLite, a directory of blobs, an account with people in it, and clients
that speak HTTP to the application without a socket."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
import httpx
import msgspec
from starlette.applications import Starlette

from c3fs.api.messages import VERSION, BlobRow, JobRecord, Lease, NewJob, Register
from c3fs.core.access import EVERY, Role
from c3fs.core.digest import Digest
from c3fs.core.manifest import FORMAT, Inventory, Manifest, Root, root_span
from c3fs.core.span import EMPTY_SPAN, Span
from c3fs.registry.control import ControlDatabase
from c3fs.server.app import make_app
from c3fs.server.limits import Limit
from c3fs.server.plane import ControlPlane
from c3fs.server.stores import DirectoryGateways, Gateways
from tests.support.blobs import seeded

T = TypeVar("T")
Query = Mapping[str, str | float]

PROJECT: Final = "demo"
OTHER: Final = "other"
WITHIN: Final = 60.0
"""Seconds for everything that a test asks."""


def job_id(number: int) -> str:
    return f"job_{number}_abc123"


@dataclass
class Reply:
    """An answer; `json` is what its body says."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        """Of a refusal."""
        return self.json["error"]["code"]

    def as_(self, kind: type[T]) -> T:
        return msgspec.json.decode(self.body, type=kind)


@dataclass
class Client:
    """Somebody with a key, or without one."""

    http: httpx.AsyncClient
    key: str | None = None

    async def ask(
        self,
        method: str,
        path: str,
        body: msgspec.Struct | bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        query: Query | None = None,
    ) -> Reply:
        sent = dict(headers or {})
        if self.key is not None:
            sent["Authorization"] = f"Bearer {self.key}"
        content = msgspec.json.encode(body) if isinstance(body, msgspec.Struct) else body
        url = f"{VERSION}/{path}"
        with anyio.fail_after(WITHIN):
            got = await self.http.request(method, url, content=content, headers=sent, params=query)
        return Reply(got.status_code, got.headers, got.content)

    async def get(self, path: str, **query: str | float) -> Reply:
        return await self.ask("GET", path, query=query or None)

    async def post(self, path: str, body: msgspec.Struct | bytes | None = None, **query: str | float) -> Reply:
        return await self.ask("POST", path, body, query=query or None)


@dataclass
class World:
    """`acme` with its admin, and whoever else a test makes; `rival` is another account with an admin."""

    plane: ControlPlane
    app: Starlette
    http: httpx.AsyncClient
    root: Path
    admin: Client
    rival: Client
    people: dict[str, Client] = field(default_factory=dict[str, Client])

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """What the control plane does unasked goes on meanwhile, as under a server."""
        async with self.app.router.lifespan_context(self.app):
            yield

    def nobody(self, key: str | None = None) -> Client:
        return Client(self.http, key)

    async def person(self, name: str, account: str = "acme", **roles: Role) -> Client:
        """A new user with roles by project, and a key of theirs."""
        access = self.plane.database.access
        await access.add_user(account, name)
        for project, role in roles.items():
            await access.grant(account, name, EVERY if project == "every" else project, role)
        _, key = await access.add_key(account, name)
        return Client(self.http, key)

    async def agent(self, account: str = "acme") -> Client:
        user = (await self.plane.database.access.users(account))[0].name
        _, key = await self.plane.database.access.add_key(account, user, "agent")
        return Client(self.http, key)

    async def put_blob(self, data: bytes, by: Client | None = None) -> Digest:
        digest = Digest.of(data)
        reply = await (by or self.admin).ask("PUT", f"blobs/{digest}", data)
        assert reply.status == 204, reply
        return digest

    async def publish(self, ref: str, *blobs: bytes, by: Client | None = None) -> Manifest:
        """A tree of one directory, whose encoding stands in `blobs`; stored and registered."""
        client = by or self.admin
        rows = [BlobRow(str(await self.put_blob(data, client)), len(data)) for data in blobs]
        reply = await client.post("manifests", register(ref, rows))
        assert reply.status == 200, reply.body
        return msgspec.json.decode(msgspec.Raw(msgspec.json.encode(reply.json["manifest"])), type=Manifest)

    async def queue(self, number: int, project: str = PROJECT, **facts: Any) -> JobRecord:
        reply = await self.admin.post("jobs", new_job(number, project, **facts))
        assert reply.status == 201, reply.body
        return reply.as_(JobRecord)

    async def take(self, agent: Client, attempt: str = "0123456789abcdef") -> tuple[JobRecord, Client]:
        """The next job, and whoever has its token."""
        from c3fs.api.messages import Take

        reply = await agent.post("queue/take", Take("somewhere", attempt))
        assert reply.status == 200, reply.body
        lease = reply.as_(Lease)
        return lease.job, Client(self.http, lease.token)


def new_job(number: int, project: str = PROJECT, **facts: Any) -> NewJob:
    return NewJob(job_id(number), project, "train", '{"script": "run.sh"}', **facts)


def register(ref: str, rows: list[BlobRow], *, mark: int = 0, onto: int | None = None) -> Register:
    """What says that the tree at `ref` consists of the blobs in `rows`; the first is that of its root."""
    span = Span(Digest.parse(rows[0].digest), 0, rows[0].size) if rows else EMPTY_SPAN
    root = Root(str(Digest.of(b"".join(row.digest.encode() for row in rows))), 0o755, 0, root_span(span), 0, 0, 0)
    manifest = Manifest(FORMAT, ref, "2026-01-02T03:04:05.678Z", True, root, Inventory(0, 0, ()))
    return Register(manifest, rows, mark, onto)


def piece(number: int, size: int = 1000) -> bytes:
    """Always the same bytes for the same number."""
    return seeded(number, size)


@asynccontextmanager
async def world(
    path: Path, *, rate: float = 1e6, gateways: Callable[[ControlDatabase], Gateways] | None = None
) -> AsyncGenerator[World]:
    """A control plane in the directory `path`, with its blobs there unless `gateways` says otherwise."""
    database = ControlDatabase.open(f"sqlite:///{path}/registry.db")
    try:
        made = gateways(database) if gateways else DirectoryGateways(f"{path}/store")
        plane = ControlPlane(database, made, Limit(rate, rate), Limit(rate, rate), tend=made.run)
        app = make_app(plane)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://plane") as http:
            boss, rival = await _bosses(database, http)
            yield World(plane, app, http, path, boss, rival)
    finally:
        database.close()


async def _bosses(database: ControlDatabase, http: httpx.AsyncClient) -> list[Client]:
    """Two accounts, each with an admin."""
    bosses: list[Client] = []
    for account in ("acme", "rival"):
        await database.access.add_account(account)
        await database.access.add_user(account, "boss")
        await database.access.grant(account, "boss", EVERY, Role.ADMIN)
        _, key = await database.access.add_key(account, "boss")
        bosses.append(Client(http, key))
    return bosses
