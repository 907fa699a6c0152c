"""`c3fs agent` beside a control plane, on one machine."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.programs import BIN, Home, eventually
from tests.support.served import Served, served

pytestmark = pytest.mark.mounts


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as running:
        yield running


@pytest.fixture
def client(plane: Served, tmp_path: Path) -> Home:
    """Whoever deploys."""
    root = tmp_path / "client"
    root.mkdir()
    return Home(root, {"C3_API_ENDPOINT": plane.url, "C3_API_KEY": plane.key})


@pytest.fixture
def machine(plane: Served, client: Home, tmp_path: Path) -> Home:
    """Where an agent works."""
    root = tmp_path / "machine"
    root.mkdir()
    key = client.c3("key", "create", "--agent").out.strip()
    return Home(root, {"C3_API_ENDPOINT": plane.url, "C3_API_KEY": key})


def deploy(client: Home, script: str) -> str:
    return client.c3("deploy", cwd=client.project("work", "script: run.sh\n", script)).out.strip()


def test_a_script_finds_its_own_token_and_nowhere_the_agents_key(client: Home, machine: Home) -> None:
    job = deploy(client, "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep ^C3_API_KEY | sort -u\n")
    machine.c3fs("agent", "--drain")
    log = client.c3("logs", job).out
    assert machine.environment["C3_API_KEY"] not in log
    assert log.count("C3_API_KEY=c3_job_") == 1, log


@contextmanager
def agent(machine: Home) -> Generator[tuple[subprocess.Popen[bytes], Path]]:
    """One that runs, and what it says; killed in the end."""
    path = machine.root / "agent.log"
    with path.open("wb") as output:
        argv = [os.path.join(BIN, "c3fs"), "agent", "--name", "here"]
        process = subprocess.Popen(argv, env=machine.env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield process, path
    finally:
        process.kill()
        process.wait(10)


def test_the_second_signal_cancels_what_an_agent_before_began_too(client: Home, machine: Home) -> None:
    job = deploy(client, "sleep 300\n")
    with agent(machine):
        eventually("the job runs", lambda: client.c3("show", "--json", job).json["status"] == "RUNNING")
    with agent(machine) as (process, said):
        eventually("it looks after the job", lambda: "still runs" in said.read_text())
        process.send_signal(signal.SIGTERM)
        eventually("it has heard that", lambda: "takes no more jobs; 1 run" in said.read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert client.c3("show", "--json", job).json["status"] == "CANCELED"
