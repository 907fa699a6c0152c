"""`c3fs serve` as a process: starting, workers, TLS, stopping, and what it shows of secrets."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pytest

from c3fs.api.messages import Take
from c3fs.core.digest import Digest
from c3fs.server.serve import STALLED_WITHIN, Listen, bind
from tests.support.plane import piece
from tests.support.programs import BIN
from tests.support.seaweed import shared_seaweed
from tests.support.served import Served, administer, served

WITHIN = 30.0


def ask(plane: Served, path: str, key: str | None = None, **options: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key or plane.key}"}
    verify = options.get("verify", True)
    assert isinstance(verify, bool | ssl.SSLContext)
    return httpx.get(f"{plane.url}/v1/{path}", headers=headers, timeout=WITHIN, verify=verify)


def test_whoever_takes_nothing_of_an_answer_is_hung_up_on() -> None:
    """What is sent cannot be interrupted: he would keep the server from ending."""
    with bind(Listen("127.0.0.1", 0)) as bound, socket.socket() as client:
        assert bound.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == round(STALLED_WITHIN * 1000)
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 500)
        client.connect(bound.getsockname())
        serving, _ = bound.accept()
        with serving, pytest.raises(TimeoutError):
            serving.sendall(bytes(64 << 20))


@pytest.mark.parametrize("workers", [1, 3])
def test_it_starts_serves_and_stops(workers: int, tmp_path: Path) -> None:
    with served(tmp_path, "--workers", str(workers)) as plane:
        assert ask(plane, "health").json() == {"version": "0.1.0"}
        for _ in range(20):
            assert ask(plane, "me").json()["roles"] == {"*": "admin"}
        assert plane.end() == 0
        assert "GET me 200" in plane.log
        assert plane.key not in plane.log
        assert "Traceback" not in plane.log


def children_of(plane: Served, count: int) -> list[str]:
    """The ids of its workers, when there are so many."""
    deadline = time.monotonic() + WITHIN
    while True:
        found = Path(f"/proc/{plane.process.pid}/task/{plane.process.pid}/children").read_text().split()
        if len(found) == count:
            return found
        assert time.monotonic() < deadline


def test_a_worker_that_dies_ends_all(tmp_path: Path) -> None:
    with served(tmp_path, "--workers", "2") as plane:
        first, second = children_of(plane, 2)
        subprocess.run(["kill", "-9", first], check=True)
        assert plane.process.wait(WITHIN) == 70
        assert not Path(f"/proc/{second}").exists()


def test_no_worker_outlives_the_first_process(tmp_path: Path) -> None:
    with served(tmp_path, "--workers", "2") as plane:
        assert ask(plane, "health").status_code == 200
        children = children_of(plane, 2)
        plane.process.kill()
        plane.process.wait(WITHIN)
        deadline = time.monotonic() + WITHIN
        while any(Path(f"/proc/{child}/exe").exists() for child in children):
            assert time.monotonic() < deadline


def test_stopping_answers_who_waits(tmp_path: Path) -> None:
    with served(tmp_path) as plane:
        db = f"sqlite:///{tmp_path}/registry.db"
        key = administer(db, "add-key", "acme", "boss", "--agent").strip()
        assert ask(plane, "me", key).json()["kind"] == "agent"
        statuses: list[int] = []

        def wait() -> None:
            with httpx.Client(base_url=plane.url, timeout=WITHIN) as client:
                body = {"agent": "here", "attempt": "0" * 16, "wait": 20}
                headers = {"Authorization": f"Bearer {key}"}
                statuses.append(client.post("/v1/queue/take", json=body, headers=headers).status_code)

        assert Take("here", "0" * 16, 20).wait == 20
        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(0.5)  # it waits, or will find the server gone
        assert plane.end() == 0
        waiting.join(WITHIN)
        assert statuses == [204]


def test_s3(tmp_path: Path) -> None:
    """Its address and credentials come from the environment, and blobs go past the control plane."""
    seaweed = shared_seaweed()
    store = f"s3://{seaweed.settings().bucket}/{seaweed.settings().prefix}"
    with served(tmp_path, store=store, environment=seaweed.variables()) as plane:
        data = piece(1)
        claim = {"digest": str(Digest.of(data)), "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        headers = {"Authorization": f"Bearer {plane.key}"}
        with httpx.Client(timeout=WITHIN) as client:
            deadline = time.monotonic() + WITHIN
            url = f"{plane.url}/v1/blobs"
            while (got := client.post(f"{url}/missing", json={"blobs": [claim]}, headers=headers)).is_error:
                assert got.status_code == 503, got.text
                assert time.monotonic() < deadline
            slot = got.json()["missing"][0]
            assert slot["url"].startswith(seaweed.endpoint)
            assert client.put(slot["url"], content=data, headers=slot["headers"]).status_code == 200
            done = client.post(f"{url}/confirm", json={"blobs": [claim]}, headers=headers)
            assert done.json() == {"missing": []}
        assert plane.end() == 0
        assert "S3 compares checksums" in plane.log
        for secret in (seaweed.variables()["AWS_SECRET_ACCESS_KEY"], "X-Amz-Signature", plane.key):
            assert secret not in plane.log


def test_tls(tmp_path: Path) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1"]
    subprocess.run([*command, "-keyout", key, "-out", certificate, *subject], check=True, capture_output=True)
    with served(tmp_path, "--certificate", certificate, "--key", key) as plane:
        assert plane.url.startswith("https://")
        context = ssl.create_default_context(cafile=certificate)
        assert ask(plane, "me", verify=context).status_code == 200
        assert plane.end() == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--db", "postgresql://c3:hidden@127.0.0.1/c3", "--store", "file:///tmp/x"], 8, "PGPASSWORD"),
        (["--db", "oracle://x", "--store", "file:///tmp/x"], 8, "not the address"),
        (["--store", "ftp://x"], 8, "not the address of a store"),
        (["--store", "file://host/x"], 8, "not the address"),
        (["--host", "no.such.host.invalid"], 8, "cannot listen"),
        (["--certificate", "/dev/null"], 2, "go together"),
    ],
)
def test_what_is_wrong_is_said_at_once(arguments: list[str], code: int, said: str, tmp_path: Path) -> None:
    defaults = {"--db": f"sqlite:///{tmp_path}/registry.db", "--store": f"file://{tmp_path}/store", "--port": "0"}
    given = {**defaults, **dict(zip(arguments[::2], arguments[1::2], strict=True))}
    command = [f"{BIN}/c3fs", "serve", *(word for pair in given.items() for word in pair)]
    result = subprocess.run(command, capture_output=True, timeout=WITHIN, check=False)
    assert result.returncode == code, result.stderr
    assert said in result.stderr.decode()
    assert b"hidden" not in result.stderr


def test_admin(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path}/registry.db"
    administer(db, "add-account", "acme", "--quota", "1GiB")
    assert administer(db, "accounts").split()[-1] == "acme" or "acme" in administer(db, "accounts").split()
    administer(db, "add-user", "acme", "ann", "--role", "write", "--project", "demo")
    administer(db, "grant", "acme", "ann", "read")
    users = json.loads(administer(db, "users", "acme", "--json"))
    assert users == [{"name": "ann", "roles": {"*": "read", "demo": "write"}}]
    made = json.loads(administer(db, "add-key", "acme", "ann", "--label", "laptop", "--expires", "7d", "--json"))
    assert made["key"].startswith("c3_key_")
    assert (made["user"], made["label"]) == ("ann", "laptop")
    assert made["expires"] > made["created"]
    listed = administer(db, "keys", "acme")
    assert made["id"] in listed
    assert made["key"] not in listed
    administer(db, "revoke", "acme", made["id"])
    assert json.loads(administer(db, "keys", "acme", "--json"))[0]["revoked"] is not None
    administer(db, "remove-user", "acme", "ann")
    assert administer(db, "users", "acme") == ""
