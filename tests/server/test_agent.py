"""`c3fs agent` beside a control plane, on one machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import Home
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
