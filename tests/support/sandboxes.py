"""Jobs in real sandboxes: a job's directory, an agent of a few lines in a process of its own, as root or not."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from c3fs.agent.init import descendants, parents
from c3fs.agent.launch import Launch
from c3fs.agent.protocol import SandboxMount, SandboxResult
from tests.support.programs import eventually
from tests.support.requirements import ORDINARY_UID, ordinary_python

TIMEOUT: Final = 60.0
"""Seconds any of these may take; a second is normal."""
PROGRAM: Final = "tests.support.sandbox_program"
AGENT: Final = "tests.support.agent_program"
_ROOT: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Sandboxed:
    """The directory of a job, readable by the user who runs it, and runs of scripts in it.

    `uid` 0 is whoever runs the tests. `host` is a directory of the machine with some content.
    """

    def __init__(self, uid: int) -> None:
        self.uid = uid
        # Not pytest's own directory: an ordinary user may not enter it.
        self.base = tempfile.mkdtemp(prefix="c3fs-sandbox-")
        self.directory = f"{self.base}/job"
        self.workdir = f"{self.directory}/work"
        self.host = f"{self.base}/host"
        self.log_path = f"{self.directory}/log"
        self._started: list[subprocess.Popen[bytes]] = []
        for path in (self.workdir, f"{self.host}/sub"):
            os.makedirs(path)
        with open(f"{self.host}/file", "w", encoding="utf-8") as file:
            file.write("of the host\n")
        os.symlink("sub", f"{self.host}/link")

    def close(self) -> None:
        for process in self._started:
            process.kill()
            process.communicate(timeout=TIMEOUT)
        shutil.rmtree(self.base)

    def launch(
        self,
        script: str | bytes,
        mounts: Mapping[str, str] | None = None,
        *,
        time_limit: float | None = None,
        grace: float = 2.0,
        mount_timeout: float = 30.0,
        environment: Mapping[bytes, bytes] | None = None,
    ) -> Launch:
        """`mounts` is path -> ref."""
        path = f"{self.directory}/script"
        with open(path, "wb") as file:
            file.write(script.encode() if isinstance(script, str) else script)
        return Launch(
            argv=[self._python, "-m", PROGRAM],
            mounts=[SandboxMount(ref, target.encode()) for target, ref in (mounts or {}).items()],
            script=path.encode(),
            workdir=self.workdir.encode(),
            environment={b"PATH": os.environb[b"PATH"], **(environment or {})},
            time_limit=time_limit,
            grace=grace,
            mount_timeout=mount_timeout,
        )

    def start(self, launch: Launch, prefix: Sequence[str] = ()) -> Agent:
        """`prefix` is put before the agent's command line."""
        if self.uid:
            subprocess.run(["chown", "-R", f"{self.uid}:{self.uid}", self.base], check=True)
            os.chmod(self.base, 0o755)
        process = subprocess.Popen(
            [*prefix, self._python, "-m", AGENT, msgspec.json.encode(launch).decode(), self.log_path],
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            user=self.uid or None,
            group=self.uid or None,
            extra_groups=() if self.uid else None,
        )
        self._started.append(process)
        return Agent(process, self.log_path)

    def run(self, launch: Launch, prefix: Sequence[str] = ()) -> SandboxResult:
        return self.start(launch, prefix).result()

    @property
    def absent(self) -> str:
        """A directory below / that the machine does not have."""
        return f"/{os.path.basename(self.base)}"

    def host_mounts(self) -> list[str]:
        """What of ours the machine has mounted, and should not have."""
        name = os.path.basename(self.base)
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            return [line for line in file if name in line]

    @property
    def log(self) -> str:
        with open(self.log_path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()

    @property
    def _python(self) -> str:
        python = ordinary_python() if self.uid else sys.executable
        assert python is not None
        return python


@dataclass(frozen=True, slots=True)
class Agent:
    """A running agent process."""

    process: subprocess.Popen[bytes]
    log_path: str

    def result(self) -> SandboxResult:
        """Wait for its end."""
        output, errors = self.process.communicate(timeout=TIMEOUT)
        assert self.process.returncode == 0, errors.decode()
        return msgspec.json.decode(output, type=SandboxResult)

    def wait_for(self, text: str) -> None:
        """Wait until the job log has `text`."""
        eventually(f"{text!r} in the log", lambda: text in self._log())

    def descendants(self) -> set[int]:
        """The processes below it now, the job's own included."""
        return descendants(self.process.pid, parents())

    def _log(self) -> str:
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def kill(self) -> list[int]:
        """kill -9 the agent; descriptors of all its descendants, readable when they have ended."""
        fds = open_pidfds(self.descendants())
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=TIMEOUT)
        return fds


def python_command() -> tuple[str, ...]:
    """Starts our Python so that it finds the tests' own modules from any directory."""
    return ("/usr/bin/env", f"PYTHONPATH={_ROOT}", sys.executable)


def ordinary_command(*arguments: str) -> tuple[list[str], dict[str, str]]:
    """Python with `arguments` as an ordinary user may run it: the command, and the environment it needs."""
    python = ordinary_python()
    assert python is not None
    return [python, *arguments], _environment()


def run_as_ordinary_user(program: str) -> None:
    """Run a Python program as a user without rights; it must end well."""
    command, environment = ordinary_command("-c", program)
    done = subprocess.run(
        command,
        env=environment,
        user=ORDINARY_UID,
        group=ORDINARY_UID,
        extra_groups=(),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _environment() -> dict[str, str]:
    """For a Python of this version that may not be ours: it finds our packages."""
    path = f"{_ROOT}:{sysconfig.get_path('purelib')}"
    return {"PATH": os.environ["PATH"], "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def open_pidfds(pids: Iterable[int]) -> list[int]:
    """Descriptors of those that have not ended yet."""
    fds: list[int] = []
    for pid in pids:
        try:
            fds.append(os.pidfd_open(pid))
        except ProcessLookupError:
            continue
    return fds


def assert_ended(pidfds: list[int], within: float = TIMEOUT) -> None:
    """Wait for the end of processes, by their descriptors, and close those."""
    poll = select.poll()
    for fd in pidfds:
        poll.register(fd, select.POLLIN)
    while pidfds:
        ended = [fd for fd, _ in poll.poll(within * 1000)]
        assert ended, "a process of the job survived"
        for fd in ended:
            poll.unregister(fd)
            pidfds.remove(fd)
            os.close(fd)
