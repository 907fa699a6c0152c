"""Runs the real programs, `c3` and `c3fs`, each test with a home and a cache of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from c3fs.fuse.mounts import FSTYPE, find_mount, list_mounts, unmount

TIMEOUT: Final = 60.0
"""Seconds any command may take."""
BIN: Final = os.path.dirname(sys.executable)


@dataclass(frozen=True)
class Result:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def ok(self) -> Result:
        """Itself, if the command ended well."""
        assert self.code == 0, self
        return self


@dataclass(frozen=True)
class Home:
    """A machine's state below `root`: $C3_HOME, the cache, and folders for projects and mounts. `enter` is put before
    every command."""

    root: Path
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    enter: tuple[str, ...] = ()

    @property
    def env(self) -> dict[str, str]:
        return {
            **os.environ,
            "C3_HOME": str(self.root / "home"),
            "C3_CACHE_DIR": str(self.root / "cache"),
            "C3_CACHE_SIZE": "256MiB",
            "XDG_CONFIG_HOME": str(self.root / "config"),
            **self.environment,
        }

    def run(
        self, program: str, *arguments: str, cwd: Path | None = None, code: int | None = None, said: str = ""
    ) -> Result:
        """Run `c3` or `c3fs` to its end, with `said` on its stdin; with `code`, that must be its exit code."""
        done = subprocess.run(
            [*self.enter, os.path.join(BIN, program), *arguments],
            env=self.env,
            cwd=cwd or self.root,
            input=os.fsencode(said),
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
        result = Result(done.returncode, os.fsdecode(done.stdout), os.fsdecode(done.stderr))
        assert code is None or result.code == code, result
        return result

    def c3(self, *arguments: str, cwd: Path | None = None, code: int | None = 0) -> Result:
        return self.run("c3", *arguments, cwd=cwd, code=code)

    def c3fs(self, *arguments: str, cwd: Path | None = None, code: int | None = 0) -> Result:
        return self.run("c3fs", *arguments, cwd=cwd, code=code)

    def project(self, name: str, spec: str, script: str = "") -> Path:
        """A project folder with `.c3` and, if there is one, `run.sh`."""
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        (folder / ".c3").write_text(spec)
        if script:
            (folder / "run.sh").write_text(script)
        return folder

    def deploy(self, name: str, script: str, spec: str = "") -> str:
        """Run a project's script as a job to its successful end; the job's id."""
        folder = self.project(name, f"script: run.sh\n{spec}", script)
        return self.c3("deploy", "-f", cwd=folder).out.split()[0]

    def log(self, job_id: str) -> str:
        """What the job of this machine has logged so far."""
        try:
            return (self.root / "home" / "jobs" / job_id / "log").read_text()
        except FileNotFoundError:
            return ""

    def mountpoint(self, name: str = "mnt") -> Path:
        path = self.root / name
        path.mkdir(exist_ok=True)
        return path


def own_home(root: Path) -> Iterator[Home]:
    """For a fixture: a home, and at the end nothing mounted below it."""
    root.mkdir(exist_ok=True)
    root.chmod(0o755)
    try:
        yield Home(root)
    finally:
        for record in reversed(list_mounts()):
            if record.fstype == FSTYPE and record.mountpoint.startswith(f"{root}/"):
                unmount(record.mountpoint, lazy=True)


def eventually(what: str, holds: Callable[[], bool], within: float = 20.0) -> None:
    """Wait, bounded, for what another process does. Who asks with a program leaves that process half of the time."""
    deadline = time.monotonic() + within
    while True:
        asked = time.monotonic()
        if holds():
            return
        now = time.monotonic()
        assert now < deadline, f"not within {within:g} s: {what}"
        time.sleep(max(0.02, min(now - asked, 1.0)))


def processes_of(job_id: str) -> list[int]:
    """Processes with the job's id in their command line or environment: its runner, sandbox, servers, script."""
    return [pid for pid in _pids() if job_id.encode() in _text(pid, "cmdline") + _text(pid, "environ")]


def runners_of(job_id: str) -> list[int]:
    """The job's runner, alive: one that was killed has no command line any more."""
    return [pid for pid in _pids() if job_id.encode() in (words := _text(pid, "cmdline")) and b"runner" in words]


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def _text(pid: int, name: str) -> bytes:
    """Nothing when the process has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def server_of(mountpoint: Path) -> int:
    """The process that serves the mount: its command line ends with the mountpoint."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"c3fs.cli.serving" in words and words[-2] == os.fsencode(mountpoint):
            return int(pid)
    raise AssertionError(f"nobody serves {mountpoint}")


def runner_of(job_id: str) -> int:
    """The process that runs the job."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"c3fs.cli.runner" in words and job_id.encode() in words:
            return int(pid)
    raise AssertionError(f"nobody runs {job_id}")


def is_mounted(mountpoint: Path) -> bool:
    record = find_mount(str(mountpoint))
    return record is not None and record.fstype == FSTYPE
