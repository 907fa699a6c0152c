"""Ceph RGW for tests: a second S3 server, to show that the store uses nothing but plain S3.

A monitor, one OSD that keeps everything in memory, and a gateway, of Debian's packages radosgw, ceph-mon and ceph-osd.
They go with the process that started them. Only tests marked `ceph` use it, and they run with --ceph only.
"""

from __future__ import annotations

import atexit
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import obstore

from c3fs.store.s3client import open_client
from c3fs.store.s3settings import S3Settings
from tests.support.ports import free_block

BUCKET: Final = "c3fs-test"
READY_WITHIN: Final = 90.0
_HOST: Final = "127.0.0.1"
_CONFIG: Final = """\
[global]
fsid = {fsid}
mon host = [v2:{host}:{mon},v1:{host}:{mon_v1}]
public network = 127.0.0.0/8
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 4294967296
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 0
mon data avail warn = 0
run dir = {root}
admin socket = {root}/$name.sock
pid file = {root}/$name.pid
log file = {root}/$name.log
crash dir = {root}
keyring = {root}/keyring
mon data = {root}/mon
osd data = {root}/osd
rgw data = {root}/rgw
rgw frontends = beast endpoint={host}:{rgw}
rgw thread pool size = 64
rgw enable usage log = false
"""
_CAPABILITIES: Final = {
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *", "mgr": "allow *"},
    "client.rgw": {"mon": "allow rw", "osd": "allow rwx"},
    "osd.0": {"mon": "allow profile osd", "osd": "allow *", "mgr": "allow profile osd"},
}


class RadosGateway:
    """A cluster below `root`, running from `start` to `kill`; what it keeps is lost then."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.port = 0
        self._servers: list[subprocess.Popen[bytes]] = []
        self._prefixes = itertools.count()
        self._key: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<RadosGateway {self.endpoint}, {self.root}: {len(self._servers)} servers>"

    @property
    def endpoint(self) -> str:
        return f"http://{_HOST}:{self.port}"

    def settings(self, prefix: str | None = None) -> S3Settings:
        """A place in the bucket that nobody else uses, unless it is named."""
        name = f"test-{os.getpid()}-{next(self._prefixes)}" if prefix is None else prefix
        variables = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self._key["access_key"],
            "AWS_SECRET_ACCESS_KEY": self._key["secret_key"],
        }
        return S3Settings.parse(f"s3://{BUCKET}/{name}", variables)

    def start(self) -> None:
        """Return when it has the bucket."""
        # Three for what we tell; the OSD takes its own from Ceph's range.
        mon = free_block(_HOST, 3)
        self.port = mon + 2
        fsid = str(uuid.uuid4())
        text = _CONFIG.format(fsid=fsid, host=_HOST, mon=mon, mon_v1=mon + 1, rgw=self.port, root=self.root)
        (self.root / "ceph.conf").write_text(text)
        for name in ("mon", "osd", "rgw"):
            (self.root / name).mkdir()
        self._start_monitor(fsid, f"[v2:{_HOST}:{mon},v1:{_HOST}:{mon + 1}]")
        self._start_osd()
        self._launch("radosgw", "-n", "client.rgw")
        made = self._run("radosgw-admin", "user", "create", "--uid=c3fs", "--display-name=c3fs")
        self._key = json.loads(made)["keys"][0]
        self._await("a bucket", self._make_bucket)

    def kill(self) -> None:
        for server in reversed(self._servers):
            server.kill()
            server.wait(READY_WITHIN)
        self._servers.clear()

    def _start_monitor(self, fsid: str, addresses: str) -> None:
        monmap = str(self.root / "monmap")
        self._run("monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", addresses, monmap)
        self._make_keyring()
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
        self._launch("ceph-mon", "-i", "a")
        self._await("the monitor", lambda: self._succeeds("ceph", "--connect-timeout", "2", "mon", "stat"))

    def _make_keyring(self) -> None:
        """One file with everybody's keys: the monitor learns them from it, and the others know theirs."""
        keyring = str(self.root / "keyring")
        for number, (name, capabilities) in enumerate(_CAPABILITIES.items()):
            caps = itertools.chain.from_iterable(("--cap", service, caps) for service, caps in capabilities.items())
            create = [] if number else ["--create-keyring"]
            self._run("ceph-authtool", *create, keyring, "--gen-key", "-n", name, *caps)

    def _start_osd(self) -> None:
        own = str(uuid.uuid4())
        self._run("ceph", "osd", "new", own)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", own)
        self._launch("ceph-osd", "-i", "0")
        self._await("the OSD", lambda: json.loads(self._run("ceph", "osd", "stat", "-f", "json"))["num_up_osds"] == 1)

    def _make_bucket(self) -> bool:
        client = open_client(self.settings(""), 10)
        url = obstore.sign(client, "PUT", "", timedelta(minutes=5))
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=10):
                return True
        except (urllib.error.URLError, ConnectionError):
            return False

    def _launch(self, program: str, *arguments: str) -> None:
        with (self.root / f"{program}.out").open("ab") as out:
            # Goes with the thread that started it, also when that is killed.
            command = ["setpriv", "--pdeathsig", "KILL", program, "-f", "-c", str(self.root / "ceph.conf"), *arguments]
            self._servers.append(
                subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.root, start_new_session=True
                )
            )

    def _run(self, program: str, *arguments: str) -> str:
        configured = [program, *arguments]
        if program not in ("monmaptool", "ceph-authtool"):
            configured += ["-c", str(self.root / "ceph.conf")]
        done = subprocess.run(
            configured, capture_output=True, text=True, cwd=self.root, timeout=READY_WITHIN, check=False
        )
        assert done.returncode == 0, f"{configured}: {done.stderr[-2000:]}"
        return done.stdout

    def _succeeds(self, *command: str) -> bool:
        try:
            self._run(*command)
        except AssertionError:
            return False
        return True

    def _await(self, what: str, ready: Callable[[], Any]) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while not ready():
            for server in self._servers:
                assert server.poll() is None, f"{server.args} has ended; see {self.root}"
            assert time.monotonic() < deadline, f"{what} did not come up; see {self.root}"
            time.sleep(0.1)


@contextmanager
def own_radosgw() -> Generator[RadosGateway]:
    root = Path(tempfile.mkdtemp(prefix="c3fs-rgw-"))
    try:
        gateway = RadosGateway(root)
        try:
            gateway.start()
            yield gateway
        finally:
            gateway.kill()
    finally:
        shutil.rmtree(root)


@cache
def shared_radosgw() -> RadosGateway:
    """The one of this test session, started when it is first needed."""
    made = own_radosgw()
    gateway = made.__enter__()
    atexit.register(made.__exit__, None, None, None)
    return gateway
