"""PostgreSQL for tests: a cluster of their own, whose server goes with the process that started it.

The server is an unprivileged user's, listens on a socket in a private directory, and on TCP when it is asked to. A test
gets an empty registry as a copy of a template, in some 20 ms. Crash tests start a cluster with `durable=True`, kill it
with all its processes and start it again.
"""

from __future__ import annotations

import atexit
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg

from c3fs.registry.opening import open_database
from tests.support.launching import launch
from tests.support.requirements import postgres_programs

OWNER: Final = "c3fs"
"""The role that the registries belong to; it needs no password."""
GUARDED: Final = "guarded"
PASSWORD: Final = "Sesam+öffne/dich"
"""Of the role `guarded`, which needs it."""
CONNECTIONS_MAX: Final = 60
READY_WITHIN: Final = 30.0
_TEMPLATE: Final = "c3fs_template"
_HBA: Final = f"""\
local all {GUARDED} scram-sha-256
local all all trust
host all all 0.0.0.0/0 scram-sha-256
"""


class Cluster:
    """Databases below `root`, and a server for them that runs from `start` to `stop` or `kill`."""

    def __init__(self, root: Path, *, durable: bool = False, tcp: str | None = None) -> None:
        """`durable`: what is committed outlives a kill. `tcp`: also listen at this address, on a free port."""
        self.root = root
        self.tcp = tcp
        self.port = _free_port(tcp) if tcp else 5432
        self._durable = durable
        self._server: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count()
        self._init()

    def __repr__(self) -> str:
        return f"<Cluster {self.root}: {'stopped' if self._server is None else f'pid {self._server.pid}'}>"

    def url(self, database: str, user: str = OWNER, password: str | None = None) -> str:
        """The address of a database, by the socket."""
        secret = "" if password is None else f":{_quoted(password)}"
        return f"postgresql://{user}{secret}@/{database}?host={self.root}&port={self.port}"

    def tcp_url(self, database: str) -> str:
        return f"postgresql://{GUARDED}:{_quoted(PASSWORD)}@{self.tcp}:{self.port}/{database}"

    def start(self) -> None:
        """Return when it takes connections."""
        settings = {
            "listen_addresses": self.tcp or "",
            "port": self.port,
            "unix_socket_directories": self.root,
            "fsync": self._durable,
            "full_page_writes": self._durable,
            "synchronous_commit": self._durable,
            "max_connections": CONNECTIONS_MAX,
            "shared_buffers": "32MB",
            "log_min_messages": "fatal",
        }
        options = itertools.chain.from_iterable(("-c", f"{name}={value}") for name, value in settings.items())
        with (self.root / "log").open("ab") as log:
            # SIGQUIT is an immediate shut-down: also when this process is killed.
            self._server = launch(
                [*_as_owner("--pdeathsig", "QUIT"), _program("postgres"), "-D", str(self.root / "data"), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.root,
                start_new_session=True,
            )
        self._await_ready()

    def stop(self) -> None:
        """At once, and orderly: sessions are ended."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL to all its processes: as when the machine dies."""
        assert self._server is not None
        children = Path(f"/proc/{self._server.pid}/task/{self._server.pid}/children").read_text().split()
        self._end(signal.SIGKILL)
        for pid in map(int, children):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._await_gone(children)

    def freeze(self) -> None:
        """Stop the server's processes where they are: it takes connections, and answers nothing."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def speak_tls(self) -> Path:
        """From now on, beside plain TCP; the certificate to verify it with."""
        certificate, key = self.root / "server.crt", self.root / "server.key"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-subj", "/CN=test", "-addext", f"subjectAltName=IP:{self.tcp}"]
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
        _give(key)
        settings = {"ssl_cert_file": certificate, "ssl_key_file": key, "ssl": "on"}
        self.execute(*(f"ALTER SYSTEM SET {name} = '{value}'" for name, value in settings.items()))
        self.stop()
        self.start()
        return certificate

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """As superuser, each statement by itself."""
        return psycopg.connect(
            host=str(self.root), port=self.port, user="postgres", dbname=database, autocommit=True, connect_timeout=5
        )

    def execute(self, *statements: str, database: str = "postgres") -> None:
        with self.connect(database) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def make_empty(self) -> str:
        """A new database with nothing in it; its name."""
        return self._make("template0")

    def make_registry(self) -> str:
        """A new database with an empty registry in it; its name."""
        return self._make(self._template())

    def _make(self, template: str) -> str:
        name = f"c3fs_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {template}")
        return name

    @cache  # noqa: B019  # as long as the cluster lives, which is as long as the tests
    def _template(self) -> str:
        self.execute(f"CREATE DATABASE {_TEMPLATE} OWNER {OWNER}")
        open_database(self.url(_TEMPLATE)).close()
        return _TEMPLATE

    def _init(self) -> None:
        _give(self.root)
        command = [_program("initdb"), "-D", str(self.root / "data"), "--username=postgres", "--no-sync"]
        # Sorts as people do, like most clusters: an order that c3fs needs must not come from the database's locale.
        command += ["--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en"]
        command += ["--auth=trust", "--no-instructions"]
        made = subprocess.run(
            [*_as_owner(), *command],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd=self.root,
        )
        assert made.returncode == 0, made.stderr
        (self.root / "data" / "pg_hba.conf").write_text(_HBA)
        self.start()
        self.execute(
            f"CREATE ROLE {OWNER} LOGIN",
            f"CREATE ROLE {GUARDED} LOGIN PASSWORD '{PASSWORD}' IN ROLE {OWNER}",
        )

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while True:
            assert self._server is not None
            assert self._server.poll() is None, (self.root / "log").read_text()
            try:
                self.connect().close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, (self.root / "log").read_text()
                time.sleep(0.02)
            else:
                return

    def _end(self, number: signal.Signals) -> None:
        if self._server is not None:
            self._server.send_signal(number)
            self._server.wait(READY_WITHIN)
            self._server = None

    def _signal_all(self, number: signal.Signals) -> None:
        assert self._server is not None
        children = Path(f"/proc/{self._server.pid}/task/{self._server.pid}/children").read_text().split()
        for pid in (self._server.pid, *map(int, children)):
            os.kill(pid, number)

    def _await_gone(self, pids: Sequence[str]) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while any(_is_alive(pid) for pid in pids):
            assert time.monotonic() < deadline
            time.sleep(0.01)


@contextmanager
def own_cluster(*, durable: bool = False, tcp: str | None = None) -> Generator[Cluster]:
    """A cluster for one test, running; what happens to it there is nobody else's business."""
    root = Path(tempfile.mkdtemp(prefix="c3fs-pg-"))
    try:
        cluster = Cluster(root, durable=durable, tcp=tcp)
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(root)


@cache
def shared_cluster() -> Cluster:
    """The one of this test session, started when it is first needed. Not to be stopped, nor its roles changed."""
    made = own_cluster()
    cluster = made.__enter__()
    atexit.register(made.__exit__, None, None, None)
    return cluster


def _program(name: str) -> str:
    folder = postgres_programs()
    assert folder is not None, "PostgreSQL is not installed"
    return os.path.join(folder, name)


@cache
def _owner() -> pwd.struct_passwd | None:
    """Who the server runs as; None is this user. It refuses to be root's."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _as_owner(*options: str) -> list[str]:
    owner = _owner()
    if owner is None:
        return ["setpriv", *options]
    return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", *options]


def _give(path: Path) -> None:
    owner = _owner()
    if owner is not None:
        os.chown(path, owner.pw_uid, owner.pw_gid)


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _is_alive(pid: str) -> bool:
    """Not gone, and not a zombie that waits for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
