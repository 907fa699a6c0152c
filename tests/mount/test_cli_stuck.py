"""`c3fs mount` of a store that does not answer: the wait is bounded, and nothing stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from c3fs.cli import launch
from c3fs.cli.plan import MountPlan
from c3fs.cli.settings import Storage
from c3fs.errors import DeadlineError
from tests.support.programs import BIN, TIMEOUT, Home, eventually, is_mounted, own_home, server_of

pytestmark = pytest.mark.mounts


@pytest.fixture
def stuck(tmp_path: Path) -> Iterator[tuple[Home, str, Path]]:
    """A home whose store does not answer: where the root's blob was is a pipe that nobody writes to. With it a job,
    and a mountpoint."""
    for own in own_home(tmp_path / "stuck"):
        job = own.deploy("stuck", "echo x > $C3_ARTIFACTS_DIR/x")
        blob: str = own.c3fs("manifest", f"/jobs/{job}").json["root"]["span"]["blob"]
        path = own.root / "home" / "store" / blob[:2] / blob
        path.unlink()
        os.mkfifo(path)
        yield own, job, own.mountpoint()


def test_the_wait_for_a_mount_is_bounded(stuck: tuple[Home, str, Path]) -> None:
    home, job, point = stuck
    plan = MountPlan(
        manifest=json.dumps(home.c3fs("manifest", f"/jobs/{job}").json).encode(),
        sub=(),
        mountpoint=os.fsencode(point),
        source=f"/jobs/{job}".encode(),
        storage=Storage(str(home.root / "home" / "store"), str(home.root / "cache"), None),
    )
    log = home.root / "log"
    log.touch()
    with pytest.raises(DeadlineError, match="the mount did not finish in 2 s"):
        launch.start(plan, str(log), within=2)
    assert not is_mounted(point)
    with pytest.raises(AssertionError):
        server_of(point)


def test_an_interrupted_mount_leaves_nothing(stuck: tuple[Home, str, Path]) -> None:
    home, job, point = stuck

    def is_served() -> bool:
        try:
            return server_of(point) > 0
        except AssertionError:
            return False

    with subprocess.Popen([f"{BIN}/c3fs", "mount", f"/jobs/{job}", str(point)], env=home.env) as process:
        eventually("it waits for the mount", is_served)
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT) == 130
    assert not is_mounted(point)
    eventually("its process has ended", lambda: not is_served())
