"""What a team runs, on machines of their own (tests.support.networks): a control plane with its PostgreSQL, SeaweedFS,
agents, and whoever deploys.

    machine     what runs there
    plane       `c3fs serve`, with PostgreSQL by a socket of that machine
    store       SeaweedFS
    a, b, …     `c3fs agent`, each with a home and a cache of its own, an agent's key and nothing else
    client      commands, with a user's key

All of them can be killed, and started again with what they have on their disk. Also a program, for scripts/demo:

    python -m tests.support.team FOLDER [AGENTS]    prints lines for a shell; runs until its stdin is closed
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from c3fs.fuse.mounts import list_mounts, unmount
from tests.support.launching import launch
from tests.support.networks import Network
from tests.support.postgres import Cluster, own_cluster
from tests.support.programs import BIN, Home, eventually, runners_of
from tests.support.seaweed import BUCKET, Seaweed, own_seaweed

PORT: Final = 8400
READY_WITHIN: Final = 30.0
ENDS_WITHIN: Final = 20.0
ACCOUNT: Final = "acme"
PROJECTS: Final = "*"


@dataclass
class Program:
    """One long-running process of ours, its output in a file."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = launch(
                ["setpriv", "--pdeathsig", "KILL", *self.argv],
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
            )

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        """Its exit code, when it has ended by itself within the time it has."""
        if self.process is None:
            return None
        self.process.send_signal(number)
        try:
            return self.process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None
        finally:
            self.process = None

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Team:
    """Made by `team`. `root` has a folder for each machine."""

    def __init__(self, root: Path, network: Network, postgres: Cluster, seaweed: Seaweed) -> None:
        self.root = root
        self.network = network
        self.postgres = postgres
        self.seaweed = seaweed
        self.database = postgres.url(postgres.make_empty())
        self.endpoint = f"http://{network.addresses['plane']}:{PORT}"
        self.plane = self._program("plane", "serve", "--host", "0.0.0.0", "--port", str(PORT))
        self.agents: dict[str, Program] = {}
        self.client = Home(root / "client")

    def start(self, agents: Sequence[str], jobs: int = 1) -> None:
        self._c3fs("admin", "add-account", ACCOUNT)
        self._c3fs("admin", "add-user", ACCOUNT, "ann", "--role", "admin")
        self._c3fs("admin", "add-user", ACCOUNT, "machines")
        self.plane.start()
        self.await_plane()
        self.client = self.home("client", self.make_key("ann"))
        for name in agents:
            self.agents[name] = self._agent(name, self.make_key("machines", "--agent"), jobs)
            self.agents[name].start()

    def stop(self) -> None:
        """All of it, jobs that run with it, and no mount stays."""
        for program in [*self.agents.values(), self.plane]:
            program.kill()
        kill_all(processes_below(self.root))
        eventually("all processes of the team have ended", lambda: not processes_below(self.root))
        for record in reversed(list_mounts()):
            if record.mountpoint.startswith(f"{self.root}/"):
                unmount(record.mountpoint, lazy=True)

    def make_key(self, user: str, *options: str) -> str:
        return self._c3fs("admin", "add-key", ACCOUNT, user, *options).strip().splitlines()[-1]

    def home(self, machine: str, key: str) -> Home:
        """Commands on that machine."""
        root = self.root / machine
        root.mkdir(exist_ok=True)
        environment = {"C3_API_ENDPOINT": self.endpoint, "C3_API_KEY": key}
        return Home(root, environment, tuple(self.network.enter(machine)))

    def await_plane(self) -> None:
        """Until it answers."""
        command = [*self.network.enter("plane"), sys.executable, "-c", _ASK, f"http://127.0.0.1:{PORT}/v1/health"]
        deadline = time.monotonic() + READY_WITHIN
        while subprocess.run(command, capture_output=True, timeout=READY_WITHIN, check=False).returncode:
            assert time.monotonic() < deadline, self.plane.log.read_text()
            time.sleep(0.05)

    def gc(self, *options: str) -> str:
        """`c3fs gc` at the control plane, and what it printed."""
        return self._c3fs("gc", *options, enter=self.network.enter("plane"))

    def jobs_of(self, agent: str) -> Path:
        """Where the agent's machine has its jobs."""
        return self.root / agent / "home" / "jobs"

    def kill_machine(self, agent: str) -> None:
        """SIGKILL to the agent and everything that it runs."""
        self.agents[agent].kill()
        kill_all(processes_below(self.root / agent))
        eventually(f"{agent} is dead", lambda: not processes_below(self.root / agent))

    def kill_runner(self, job_id: str) -> None:
        kill_all(runners_of(job_id))

    def shell(self) -> str:
        """What a shell must evaluate to be the client; `plane` runs a command as the control plane's engineer."""
        client = self.client.env
        names = ("C3_HOME", "C3_CACHE_DIR", "C3_API_ENDPOINT", "C3_API_KEY")
        lines = [f"export {name}={shlex.quote(client[name])}" for name in names]
        plane = " ".join(f"{name}={shlex.quote(value)}" for name, value in self._plane_settings().items())
        lines.append(f"client=({shlex.join(self.network.enter('client'))})")
        lines.append(f"plane=({shlex.join(self.network.enter('plane'))} env {plane})")
        return "\n".join([*lines, ""])

    def _plane_settings(self) -> dict[str, str]:
        return {**self.seaweed.variables(), "C3_DB": self.database, "C3_STORE": f"s3://{BUCKET}/team"}

    def _program(self, machine: str, *arguments: str) -> Program:
        folder = self.root / machine
        folder.mkdir(exist_ok=True)
        environment = {**os.environ, **self._plane_settings(), "C3_HOME": str(folder / "home")}
        argv = [*self.network.enter(machine), os.path.join(BIN, "c3fs"), *arguments]
        return Program(argv, environment, folder / "log")

    def _agent(self, name: str, key: str, jobs: int) -> Program:
        home = self.home(name, key)
        argv = [*self.network.enter(name), os.path.join(BIN, "c3fs"), "agent", "--name", name, "--jobs", str(jobs)]
        return Program(argv, home.env, home.root / "log")

    def _c3fs(self, *arguments: str, enter: Sequence[str] = ()) -> str:
        """On the control plane's machine, which has the database."""
        return subprocess.run(
            [*enter, os.path.join(BIN, "c3fs"), *arguments],
            env={**os.environ, **self._plane_settings(), "C3_HOME": str(self.root / "plane" / "home")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=READY_WITHIN,
        ).stdout


def processes_below(root: Path) -> list[int]:
    """Those whose C3_HOME lies in `root`: commands, runners, mounts, scripts."""
    mark = f"C3_HOME={root}/".encode()
    found: list[int] = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{name}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if int(name) != os.getpid() and any(word.startswith(mark) for word in words):
            found.append(int(name))
    return found


def kill_all(pids: Sequence[int]) -> None:
    """One that has ended with another before it was its turn is dead too."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


_ASK: Final = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=5)"


@contextmanager
def team(root: Path, agents: Sequence[str] = ("a", "b"), *, jobs: int = 1, durable: bool = False) -> Generator[Team]:
    """A team whose control plane answers, and whose agents have been started. `durable`: PostgreSQL may be killed."""
    with ExitStack() as stack:
        network = stack.enter_context(Network(["plane", "store", "client", *agents]))
        postgres = stack.enter_context(own_cluster(durable=durable))
        address, enter = network.addresses["store"], network.enter("store")
        seaweed = stack.enter_context(own_seaweed(address, enter))
        made = Team(root, network, postgres, seaweed)
        stack.callback(made.stop)
        made.start(agents, jobs)
        yield made


def main() -> None:
    root = Path(sys.argv[1])
    agents = sys.argv[2:] or ["a", "b"]
    with team(root, agents) as made:
        print(made.shell(), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
