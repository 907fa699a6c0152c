"""What every request goes through: keys, bounds, forms, limits, defects, and what the log says of it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import anyio.lowlevel
import httpx
import msgspec
import pytest

from c3fs.api.messages import BATCH_MAX, CONSUMED_MAX, VERSION, Digests, Refs, Take
from c3fs.core.span import BLOB_MAX
from c3fs.registry.control import ControlDatabase
from tests.support.plane import PROJECT, job_id, new_job, piece, register, world


async def test_a_stranger_is_told_to_bring_a_key(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        for key in (None, "", "x" * 500, "c3_key_" + "a" * 43):
            reply = await made.nobody(key).get("me")
            assert (reply.status, reply.code) == (401, "unauthorized")
            assert reply.headers["www-authenticate"] == "Bearer"
        for header in ("Basic YTpi", "bearer", "Bearer a b\tc", "Bearer"):
            assert (await made.nobody().ask("GET", "me", headers={"Authorization": header})).status == 401


async def test_what_is_not_in_the_table_is_not_there(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        reply = await made.admin.get("nothing")
        assert (reply.status, reply.code) == (404, "not_found")
        assert (await made.http.get("/")).status_code == 404
        assert (await made.admin.get("me/")).status == 404
        for method in ("DELETE", "HEAD"):
            reply = await made.admin.ask(method, "jobs")
            assert reply.status == 405
            assert set(reply.headers["allow"].split(", ")) == {"GET", "POST"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("jobs", b""),
        ("jobs", b"{"),
        ("jobs", b"null"),
        ("jobs", b"[" * 10_000),
        ("jobs", b'{"id": "job_1_abc123", "project": "demo", "name": "x", "spec": "{}", "extra": 1}'),
        ("jobs", b'{"id": "job_1", "project": "demo", "name": "x", "spec": "{}"}'),
        ("jobs", b'{"id": "job_1_abc123", "project": "Demo", "name": "x", "spec": "{}"}'),
        ("jobs", b'{"id": "job_1_abc123", "project": "demo", "name": "a/b", "spec": "{}"}'),
        ("jobs", b'{"id": "job_1_abc123", "project": "demo", "name": "x", "spec": "\\u0000"}'),
        ("jobs", b'{"id": "job_1_abc123", "project": "demo", "name": "\xff", "spec": "{}"}'),
        ("jobs", b'{"id": "job_1_abc123", "project": "demo", "name": "x", "spec": "{}", "source": "nowhere"}'),
        ("removals", b'{"refs": ["/datasets/x"]}'),
        ("removals", b'{"refs": []}'),
        ("keys", b'{"label": "\\u0000"}'),
        ("keys", b'{"seconds": -1}'),
        ("keys", b'{"kind": "god"}'),
        ("jobs/job_1_abc123/state", b'{"state": "RUNNING", "exit_code": 99999999999999999999}'),
        ("jobs/job_1_abc123/lease", b'{"attempt": "\\u0000123456789abcdef"}'),
        ("blobs/missing", b'{"blobs": [{"digest": "%b", "size": 0, "sha256": "%b"}]}' % (b"0" * 64, b"0" * 64)),
        ("manifests", msgspec.json.encode(register("/datasets/x", [], mark=1 << 63))),
        ("jobs", msgspec.json.encode(new_job(1, inputs=("/datasets/x/@v1",) * (CONSUMED_MAX + 1)))),
    ],
)
async def test_bodies_of_the_wrong_form_are_refused(path: str, body: bytes, tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        reply = await made.admin.ask("POST", path, body)
        assert reply.status == 422, reply.body
        assert reply.code in ("invalid_request", "invalid_ref")


@pytest.mark.parametrize("name", ["", "a\0b", "a\nb", "\x1b[2J", "\x9b2J", "x" * 201])
async def test_an_agents_name_is_one_printable_line(name: str, tmp_path: Path) -> None:
    """It is kept, and shown to people."""
    async with world(tmp_path) as made:
        agent = await made.agent()
        reply = await agent.post("queue/take", Take(name, "0123456789abcdef"))
        assert (reply.status, reply.code) == (422, "invalid_request")
        assert (await agent.post("queue/take", Take("größte Maschine", "0123456789abcdef"))).status == 204


async def test_parameters_of_the_wrong_form_are_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        for path in (
            "jobs?limit=0",
            "jobs?limit=many",
            "jobs?state=WHATEVER",
            "jobs?colour=red",
            "jobs?limit=1&limit=2",
            "jobs/job_1",
            f"jobs/{job_id(1)}?id={job_id(2)}",
            f"jobs/{job_id(1)}/log?wait=nan",
            f"jobs/{job_id(1)}/log?wait=21",
            "manifests",
            "manifests?ref=nowhere",
            "manifests?ref=%00",
            "blobs/abc",
            "me?x=1",
        ):
            reply = await made.admin.get(path)
            assert (reply.status, path) == (422, path)


async def test_a_ref_that_is_said_twice_is_removed_once(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.publish("/projects/demo/data/set", piece(1))
        refs = Refs(["/projects/demo/data/set/@v1"] * 3)
        assert (await made.admin.post("usage", refs)).json == {"stored": 1000, "unique": 1000}
        assert (await made.admin.post("removals", refs)).json == {"bytes": 1000}


class Endless(httpx.AsyncByteStream):
    """A body of a gigabyte; `sent` counts what somebody has read of it."""

    def __init__(self) -> None:
        self.sent = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await anyio.lowlevel.checkpoint()
        if self.sent >= 1 << 30:
            raise StopAsyncIteration
        self.sent += 1 << 20
        return bytes(1 << 20)


async def test_too_large_is_said_before_all_has_arrived(tmp_path: Path) -> None:
    async with world(tmp_path) as made:

        async def put(path: str, key: str | None, **headers: str) -> tuple[int, int]:
            body = Endless()
            url = f"http://plane{VERSION}/{path}"
            request = httpx.Request("PUT", url, headers={**headers, "Authorization": f"Bearer {key}"}, stream=body)
            return (await made.http.send(request)).status_code, body.sent

        blob = f"blobs/{'0' * 64}"
        status, sent = await put(blob, made.admin.key)
        assert status == 413
        assert sent <= BLOB_MAX + (2 << 20)
        assert await put(blob, made.admin.key, **{"Content-Length": str(BLOB_MAX + 1)}) == (413, 0)
        # Nobody without a key makes the control plane read anything.
        assert await put(blob, None) == (401, 0)
        assert (await made.admin.post("blobs/urls", Digests(["0" * 64] * (BATCH_MAX + 1)))).status == 422


async def test_whoever_asks_too_much_waits(tmp_path: Path) -> None:
    async with world(tmp_path, rate=3) as made:
        statuses = [(await made.admin.get("me")).status for _ in range(5)]
        assert statuses[0] == 200
        assert 429 in statuses
        reply = await made.admin.get("me")
        if reply.status == 429:
            assert reply.code == "rate_limited"
            assert int(reply.headers["retry-after"]) >= 1
        # A bucket for each user, and none for a further key.
        assert (await made.rival.get("me")).status == 200
        _, more = await made.plane.database.access.add_key("acme", "boss")
        assert (await made.nobody(more).get("me")).status == 429


async def test_a_key_that_is_revoked_is_a_strangers(tmp_path: Path) -> None:
    async with world(tmp_path, rate=3) as made:
        access = made.plane.database.access
        facts, key = await access.add_key("acme", "boss")
        digest = hashlib.sha256(key.encode()).digest()
        assert (await made.nobody(key).get("me")).status == 200
        assert digest in made.plane.known
        await access.revoke("acme", facts.id)
        assert (await made.nobody(key).get("me")).status == 401
        assert digest not in made.plane.known


async def test_who_guesses_keys_shuts_nobody_else_out(tmp_path: Path) -> None:
    async with world(tmp_path, rate=3) as made:
        assert (await made.admin.get("me")).status == 200
        statuses = {(await made.nobody(f"c3_key_{number}").get("me")).status for number in range(20)}
        assert statuses == {401, 429}
        assert (await made.admin.get("me")).status == 200


async def test_a_defect_tells_the_client_an_id_and_the_log_the_rest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as made:

        def broken(self: ControlDatabase, principal: object) -> None:
            raise ZeroDivisionError(f"secret thing of {principal}")

        monkeypatch.setattr(ControlDatabase, "registry_of", broken)
        reply = await made.admin.get("projects")
        assert (reply.status, reply.code) == (500, "internal")
        assert b"secret" not in reply.body
        assert b"Zero" not in reply.body
        number = reply.json["error"]["message"].split()[-1]
        assert number in caplog.text
        assert "ZeroDivisionError" in caplog.text


async def test_no_secret_and_no_url_is_in_a_log_or_an_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "c3fs")
    async with world(tmp_path) as made:
        agent = await made.agent()
        await made.admin.post("jobs", new_job(1))
        _, job = await made.take(agent)
        secrets = [client.key or "" for client in (made.admin, agent, job)]
        bodies = b""
        for client in (made.admin, agent, job):
            for path in ("me", "keys", "users", f"jobs/{job_id(1)}", "jobs", f"nothing/{client.key}", "me?ref=hidden"):
                bodies += (await client.get(path)).body
            bodies += (await client.get(f"jobs/{client.key}")).body
        logged = "".join(record.getMessage() for record in caplog.records if record.name.startswith("c3fs"))
        assert "GET jobs/{id} 200" in logged
        assert "acme/user/boss" in logged
        for secret in secrets:
            assert secret not in logged
            assert secret.encode() not in bodies
        assert "hidden" not in logged
        assert PROJECT not in logged
