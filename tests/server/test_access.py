"""Who may call what: every route with every kind of principal. A route that is not in EXPECTED fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from c3fs.api.accounts import MadeKey, NewKey, NewRole, NewUser
from c3fs.api.messages import (
    BlobRow,
    Claim,
    ClaimedBlobs,
    Digests,
    Move,
    Quota,
    Refs,
    Renew,
    Take,
)
from c3fs.core.access import Role
from c3fs.core.digest import Digest
from c3fs.core.job import JobState
from c3fs.server.app import ROUTES
from tests.support.plane import OTHER, PROJECT, Client, World, job_id, new_job, piece, register, world

PEOPLE: Final = ("nobody", "wrong", "stranger", "reader", "writer", "admin", "rival", "agent", "job", "other_job")
"""Without a key; with one that is none; users with a role in another project, READ and WRITE in the project; the admins
of the account and of another one; an agent; the job that consumes the tree, and one that does not."""

DATA: Final = f"/projects/{PROJECT}/data/set/@v1"
ATTEMPT: Final = "0123456789abcdef"
JOB: Final = job_id(1)


@dataclass(frozen=True)
class Ask:
    """A request about something of PROJECT: made anew for each principal, numbered so that none meets another's."""

    body: Callable[[int], msgspec.Struct | bytes | None] = lambda _: None
    query: dict[str, Any] | None = None


def _claimed(number: int) -> ClaimedBlobs:
    data = piece(number)
    return ClaimedBlobs([Claim(str(Digest.of(data)), len(data), "0" * 64)])


ASKS: Final = {
    "POST jobs": Ask(lambda number: new_job(1000 + number)),
    "POST jobs/{id}/state": Ask(lambda _: Move(JobState.SCHEDULING)),
    "POST jobs/{id}/lease": Ask(lambda _: Renew("f" * 16)),
    "POST jobs/{id}/log": Ask(lambda _: b"", {"offset": 0}),
    "POST queue/take": Ask(lambda number: Take("here", f"{number:016d}")),
    "GET consumers": Ask(query={"ref": DATA}),
    "POST manifests": Ask(
        lambda _: register(f"/projects/{PROJECT}/data/set", [BlobRow(str(Digest.of(piece(1))), 1000)])
    ),
    "GET manifests": Ask(query={"ref": DATA}),
    "GET refs": Ask(query={"ref": DATA}),
    "GET versions": Ask(query={"ref": f"/projects/{PROJECT}/data/set"}),
    "POST removals": Ask(lambda _: Refs([f"/projects/{PROJECT}/data/spare/@v1"])),
    "POST usage": Ask(lambda _: Refs([DATA])),
    "PUT quota": Ask(lambda _: Quota(1 << 30)),
    "POST blobs/missing": Ask(_claimed),
    "POST blobs/confirm": Ask(_claimed),
    "POST blobs/urls": Ask(lambda _: Digests([str(Digest.of(piece(1)))])),
    "PUT blobs/{digest}": Ask(lambda _: piece(1)),
    "POST users": Ask(lambda number: NewUser(f"new{number}")),
    "PUT users/{name}/roles/{project}": Ask(lambda _: NewRole("read")),
    "POST keys": Ask(lambda _: NewKey()),
}


def who(**statuses: int) -> dict[str, int]:
    """Statuses by principal. What is not said: 401 without a key, 403 for whoever has one."""
    base = dict.fromkeys(PEOPLE, 403) | {"nobody": 401, "wrong": 401}
    return base | statuses


SEEN = {"stranger": 404, "rival": 404}
ANYBODY = who(stranger=200, reader=200, writer=200, admin=200, rival=200, agent=200, job=200, other_job=200)
USERS = who(stranger=200, reader=200, writer=200, admin=200, rival=200)
BUT_AGENTS = USERS | {"job": 200, "other_job": 200}
READS_DATA = who(reader=200, writer=200, admin=200, job=200, other_job=404, **SEEN)
READS_JOB = who(reader=200, writer=200, admin=200, job=200, other_job=404, **SEEN)

EXPECTED: Final[dict[str, dict[str, int]]] = {
    "GET health": dict.fromkeys(PEOPLE, 200),
    "GET openapi.json": dict.fromkeys(PEOPLE, 200),
    "GET me": ANYBODY,
    "POST jobs": who(writer=201, admin=201, rival=201),  # the rival's project of that name is another
    "GET jobs": USERS,
    "GET jobs/{id}": READS_JOB,
    "POST jobs/{id}/state": who(admin=409, job=409, other_job=404, **SEEN),  # SCHEDULING already
    "POST jobs/{id}/cancel": who(writer=200, admin=200, **SEEN),
    "POST jobs/{id}/lease": who(admin=409, job=409, other_job=404, **SEEN),  # another attempt's
    "GET jobs/{id}/log": READS_JOB,
    "GET jobs/{id}/log/tail": READS_JOB,
    "POST jobs/{id}/log": who(admin=200, job=200, other_job=404, **SEEN),
    "POST queue/take": who(agent=204),
    "GET consumers": BUT_AGENTS,
    "GET mark": BUT_AGENTS,
    "POST manifests": who(writer=200, admin=200, rival=409),  # the rival has not stored the blob
    "GET manifests": READS_DATA,
    "GET refs": READS_DATA,
    "GET artifacts": USERS,
    "GET versions": USERS,
    "GET datasets": USERS,
    "GET projects": USERS,
    "POST removals": who(writer=200, admin=404, **SEEN),  # the writer has just removed it
    "POST usage": who(reader=200, writer=200, admin=200, **SEEN),
    "GET balance": BUT_AGENTS,
    "PUT quota": who(admin=204, rival=204),
    "POST blobs/missing": who(stranger=200, writer=200, admin=200, rival=200, job=200, other_job=200),
    "POST blobs/confirm": who(stranger=200, writer=200, admin=200, rival=200, job=200, other_job=200),
    "POST blobs/urls": BUT_AGENTS,
    "POST blobs/{digest}/complaint": READS_DATA,
    "GET blobs/{digest}": READS_DATA,
    "PUT blobs/{digest}": who(stranger=204, writer=204, admin=204, job=204, other_job=204, rival=204),
    "GET users": who(admin=200, rival=200),
    "POST users": who(admin=201, rival=201),
    "DELETE users/{name}": who(admin=204, rival=404),
    "PUT users/{name}/roles/{project}": who(admin=204, rival=404),
    "GET keys": USERS,
    "POST keys": who(stranger=201, reader=201, writer=201, admin=201, rival=201),
    "DELETE keys/{id}": who(stranger=404, reader=404, writer=404, admin=204, rival=404),
}


@dataclass
class Cast:
    clients: dict[str, Client]
    spare_key: str


async def _cast(made: World) -> Cast:
    """PROJECT with a data set that JOB consumes, and everybody who is to ask about it."""
    await made.publish(f"/projects/{PROJECT}/data/set", piece(1))
    await made.publish(f"/projects/{PROJECT}/data/spare", piece(2))
    agent = await made.agent()
    await made.queue(1, inputs=(DATA,))
    _, job = await made.take(agent, ATTEMPT)
    await made.queue(2, OTHER)
    _, other_job = await made.take(agent, "f" * 16)
    access = made.plane.database.access
    await made.person("spare")
    facts, _ = await access.add_key("acme", "spare")
    clients = {
        "nobody": made.nobody(),
        "wrong": made.nobody("c3_key_" + "0" * 43),
        "stranger": await made.person("stranger", other=Role.WRITE),
        "reader": await made.person("reader", demo=Role.READ),
        "writer": await made.person("writer", demo=Role.WRITE),
        "admin": made.admin,
        "rival": made.rival,
        "agent": agent,
        "job": job,
        "other_job": other_job,
    }
    return Cast(clients, facts.id)


@pytest.mark.parametrize("name", [route.name for route in ROUTES])
async def test_who_may_call(name: str, tmp_path: Path) -> None:
    expected = EXPECTED[name]
    method, path = name.split(" ")
    ask = ASKS.get(name, Ask())
    async with world(tmp_path) as made:
        cast = await _cast(made)
        digest = str(Digest.of(piece(1)))
        is_key = path.startswith("keys")
        filled = path.format(id=cast.spare_key if is_key else JOB, digest=digest, name="spare", project=PROJECT)
        got: dict[str, int] = {}
        for number, (person, client) in enumerate(cast.clients.items()):
            reply = await client.ask(method, filled, ask.body(number), query=ask.query)
            got[person] = reply.status
        assert got == expected


def test_every_route_is_here() -> None:
    assert set(EXPECTED) == {route.name for route in ROUTES}
    assert set(ASKS) <= set(EXPECTED)


HIDDEN: Final = [
    ("GET", "jobs/{there}", "jobs/{absent}", None),
    ("GET", "jobs/{there}/log", "jobs/{absent}/log", None),
    ("GET", "jobs/{there}/log/tail", "jobs/{absent}/log/tail", None),
    ("POST", "jobs/{there}/cancel", "jobs/{absent}/cancel", None),
    ("GET", "manifests?ref=/jobs/{there}", "manifests?ref=/jobs/{absent}", None),
    ("GET", "refs?ref=/projects/demo/jobs/{there}", "refs?ref=/projects/demo/jobs/{absent}", None),
    ("GET", "refs?ref=/projects/demo/data/set", "refs?ref=/projects/demo/data/none", ("/data/set", "/data/none")),
    ("GET", "refs?ref=/projects/demo/source", "refs?ref=/projects/none/source", ("demo", "none")),
    ("GET", "refs?ref=/projects/demo/jobs/@last", "refs?ref=/projects/none/jobs/@last", ("demo", "none")),
    ("GET", "consumers?ref={set}", "consumers?ref={none}", ("/data/set", "/data/none")),
    ("GET", "blobs/{blob}", "blobs/{nothing}", None),
    ("POST", "blobs/{blob}/complaint", "blobs/{nothing}/complaint", None),
]
"""Something that is there, and something that is not."""


@pytest.mark.parametrize("person", ["stranger", "rival", "other_job"])
async def test_what_is_hidden_is_answered_as_what_is_not_there(person: str, tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        client = (await _cast(made)).clients[person]
        blob, nothing = str(Digest.of(piece(1))), str(Digest.of(b"nothing"))
        words = {"there": JOB, "absent": job_id(99), "blob": blob, "nothing": nothing}
        words |= {"set": DATA, "none": DATA.replace("/set/", "/none/")}
        for method, there, absent, replaced in HIDDEN:
            first = await client.ask(method, there.format(**words))
            second = await client.ask(method, absent.format(**words))
            old, new = replaced or ((JOB, job_id(99)) if "{there}" in there else (blob, nothing))
            assert first.body.replace(old.encode(), new.encode()) == second.body, there
            assert first.status == second.status, there
            assert first.status in (403, 404) or first.body == b"[]", there


async def test_lists_leave_out_what_is_hidden(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        cast = await _cast(made)
        await made.publish("/datasets/shared", piece(3))
        stranger, reader, rival = (cast.clients[name] for name in ("stranger", "reader", "rival"))
        for client, projects, jobs in (
            (stranger, [OTHER], [job_id(2)]),
            (reader, [PROJECT], [JOB]),
            (rival, [], []),
            (made.admin, [PROJECT, OTHER], [job_id(2), JOB]),
        ):
            assert (await client.get("projects")).json == projects
            assert [job["id"] for job in (await client.get("jobs")).json] == jobs
        assert (await stranger.get("jobs", project=PROJECT)).json == []
        assert (await stranger.get("datasets", project=PROJECT)).json == []
        assert (await stranger.get("datasets")).json == ["shared"]
        assert (await rival.get("datasets")).json == []
        assert (await stranger.get("versions", ref=f"/projects/{PROJECT}/data/set")).json == []
        assert (await stranger.get("artifacts", project=PROJECT)).json == {}
        assert (await reader.get("balance")).json["lines"] == []
        assert (await made.admin.get("balance")).json["lines"] != []
        assert (await stranger.post("blobs/urls", Digests([str(Digest.of(piece(1)))]))).json == {"urls": []}
        assert (await stranger.get("refs", ref="/datasets/shared")).status == 200
        writes = await stranger.post(
            "manifests", register("/datasets/shared", [BlobRow(str(Digest.of(piece(3))), 1000)])
        )
        assert writes.status == 403


async def test_a_job_registers_its_own_artifacts_only(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        cast = await _cast(made)
        job = cast.clients["job"]
        row = BlobRow(str(await made.put_blob(piece(7), job)), 1000)
        for ref in (f"/jobs/{job_id(2)}", f"/projects/{PROJECT}/jobs/{JOB}", "/datasets/x", DATA):
            assert (await job.post("manifests", register(ref, [row]))).status == 403, ref
        assert (await job.post("manifests", register(f"/jobs/{JOB}", [row]))).status == 200
        again = await job.post("manifests", register(f"/jobs/{JOB}", [row]))
        assert again.json["created"] is False
        # Its own artifacts are its own to read back.
        assert (await job.get(f"blobs/{row.digest}")).status == 200


async def test_a_job_that_has_ended_is_nobody(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        job = (await _cast(made)).clients["job"]
        assert (await job.post(f"jobs/{JOB}/state", Move(JobState.RUNNING))).status == 200
        assert (await job.post(f"jobs/{JOB}/state", Move(JobState.SUCCEEDED, exit_code=0))).status == 200
        assert (await job.get("me")).code == "unauthorized"


async def test_a_revoked_key_and_a_role_taken_away_are_good_for_nothing_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        reader = (await _cast(made)).clients["reader"]
        assert (await reader.get("manifests", ref=DATA)).status == 200
        gone = await made.admin.ask("PUT", f"users/reader/roles/{PROJECT}", NewRole(None))
        assert gone.status == 204
        assert (await reader.get("manifests", ref=DATA)).status == 404
        keys = (await reader.get("keys")).json
        assert (await reader.ask("DELETE", f"keys/{keys[0]['id']}")).status == 204
        assert (await reader.get("me")).status == 401


async def test_a_key_that_expires_makes_none_that_outlives_it(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        short, secret = await made.plane.database.access.add_key("acme", "boss", seconds=60)
        thief = made.nobody(secret)
        for new, longest in ((NewKey(), True), (NewKey(kind="agent"), True), (NewKey(seconds=1), False)):
            record = (await thief.post("keys", new)).as_(MadeKey).record
            assert short.expires is not None
            assert record.expires is not None
            assert (abs(record.expires - short.expires) < timedelta(seconds=5)) == longest
            assert record.expires < short.expires + timedelta(seconds=5)


async def test_users_make_keys_for_themselves_alone(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        writer = (await _cast(made)).clients["writer"]
        for new in (NewKey(user="boss"), NewKey(kind="agent"), NewKey(user="nobody")):
            assert (await writer.post("keys", new)).status == 403
        assert (await made.admin.post("keys", NewKey(user="nobody"))).status == 404
        made_key = (await writer.post("keys", NewKey(label="laptop", seconds=3600))).json
        assert made_key["record"]["user"] == "writer"
        assert (await made.nobody(made_key["key"]).get("me")).json["name"] == "writer"
        listed = (await writer.get("keys")).body
        assert made_key["key"].encode() not in listed
